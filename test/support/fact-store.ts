// A store that only looks at what it is given: for runs in which a worker thread per server would be most of the work. What
// really becomes of facts is tested in test/store, and with the whole product in test/e2e/books.e2e.test.ts.
import { expect } from 'vitest';
import type { CallRecord } from '../../src/record/call-record.ts';
import type { StoreEvent } from '../../src/store/events.ts';
import type { Store, StoreHealth } from '../../src/store/store.ts';

export class FactStore implements Store {
  readonly events: StoreEvent[] = [];
  readonly health: StoreHealth = { state: 'ok', lagMs: 0, journalBytes: 0, unflushed: 0, lost: 0, aside: 0, why: '' };

  append(event: StoreEvent): void {
    // As the journal would write it.
    this.events.push(JSON.parse(JSON.stringify(event)) as StoreEvent);
  }

  ask: Store['ask'] = (name) =>
    name === 'readSpend' ? (Promise.resolve([]) as never) : Promise.reject(new Error('there is no database'));

  flushed = (): Promise<void> => Promise.resolve();
  settled = (): Promise<void> => Promise.resolve();
  close = (): Promise<void> => Promise.resolve();

  /** What was kept of a call while it was under way is what its record says at the end. */
  check(callId: string, record: CallRecord): void {
    const own = this.events.filter((event) => 'callId' in event && event.callId === callId);
    const of = <Type extends StoreEvent['type']>(type: Type) =>
      own.filter((event): event is Extract<StoreEvent, { type: Type }> => event.type === type);
    expect(own.map(({ type }) => type).filter((type) => type.startsWith('call.'))).toEqual([
      'call.started',
      'call.ended',
    ]);
    expect(of('call.ended')).toMatchObject([{ reason: record.end.reason }]);
    const lines = new Map(of('line.charged').map(({ line }) => [`${line.what} ${line.source}`, line]));
    expect([...lines.values()]).toEqual(record.cost.lines);
    const turns = new Map(of('turn.kept').map(({ turn, said }) => [turn, said]));
    expect(turns.size).toBe(record.turns.length);
    expect(new Map(of('tool.kept').map(({ tool, run }) => [tool, run.toolCall])).size).toBe(record.tools.length);
  }
}
