// Calls in virtual time that are watched as operators watch them: what the tests of the live view share.
import type { Agent } from '../../../src/agent/agent.ts';
import type { CallFacts, Onlooker } from '../../../src/call/feed.ts';
import type { IncomingCall } from '../../../src/carrier/carrier.ts';
import { type Followed, LiveCalls } from '../../../src/dashboard/live/live-calls.ts';
import type { Told } from '../../../src/dashboard/live/channel.ts';
import { liveCallEvents, liveEvents, type ServerFacts } from '../../../src/dashboard/schemas/live.ts';
import { answered, type ErrandLineOptions, testPolicy } from '../../support/errand-line.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { NO_ERRANDS } from '../../support/no-errands.ts';
import type { VirtualLine } from '../../support/virtual-line.ts';

export const CALLER = '+15550002222';

export const incoming = (part: Partial<IncomingCall> = {}): IncomingCall => ({
  ...{ carrier: 'twilio', carrierCallId: 'CA1', direction: 'inbound', attestation: null, sipHeaders: {} },
  from: { kind: 'pstn', value: CALLER },
  to: { kind: 'pstn', value: '+15550001111' },
  idempotencyKey: null,
  ...part,
});

/** The facts of a call like those of a virtual line. */
export const factsOf = (
  { errands, policy, handOffs }: ErrandLineOptions = {},
  part: Partial<CallFacts> = {},
): CallFacts => ({
  opening: {
    ...{ callId: 'call-1', direction: 'inbound', on: { leg: 'l1', session: 's1', epoch: 1 }, agent: 'clinic', atMs: 0 },
    policy: testPolicy({ ...policy, errands: { ...NO_ERRANDS, ...errands } }),
    capabilities: { answersTurns: true, detectsTurns: true },
    handOffs: handOffs ?? {},
  },
  incoming: incoming(),
  agent: {
    name: 'clinic',
    greeting: { text: 'Welcome to the clinic.' },
    failure: { apologyText: 'I am sorry.' },
  } as Agent,
  wallMs: Date.UTC(2026, 0, 1),
  sessionConfig: null,
  ...part,
});

export const serverFacts = (): ServerFacts => ({
  ...{ node: 'n1', version: '1', startedWallMs: 0, wallMs: 0, live: 0, maxConcurrentCalls: 10, draining: false },
  ...{ simulated: true, circuits: [], loopDelayMs: 1, spentTodayNanoUsd: 0, dayLimitNanoUsd: null },
  store: { state: 'ok', why: '', lagMs: 0 },
});

export interface Watching {
  line: VirtualLine;
  live: LiveCalls;
  onlooker: Onlooker;
}

/** A call of a hub of its own, on one clock. */
export function watched(options: ErrandLineOptions = {}, part: Partial<CallFacts> = {}): Watching {
  let clock: FakeClock | null = null;
  const late = (): FakeClock => clock as FakeClock;
  const live = new LiveCalls({
    clock: { nowMs: () => late().nowMs(), wallMs: () => late().wallMs(), at: (atMs, fire) => late().at(atMs, fire) },
    nodeId: 'node1',
    server: serverFacts,
  });
  const onlooker = live.onlooker(factsOf(options, part)) as Onlooker;
  const line = answered({ ...options, onlookers: [...(options.onlookers ?? []), onlooker] });
  ({ clock } = line);
  return { line, live, onlooker };
}

/** What one reader was told; every event is held against its schema. */
export class Reader {
  readonly told: Told[] = [];
  readonly #followed: Followed;

  constructor(follow: (listener: (told: Told) => void) => Followed) {
    this.#followed = follow((told) => {
      schemaOf(told).parse(told.data);
      this.told.push(structuredClone(told));
    });
  }

  get refused(): 'gone' | 'full' | null {
    return typeof this.#followed === 'string' ? this.#followed : null;
  }

  close(): void {
    if (typeof this.#followed !== 'string') this.#followed.close();
  }

  /** The names of the events. */
  get names(): string[] {
    return this.told.map(({ event }) => event);
  }

  get lastId(): string | null {
    return this.told.at(-1)?.id ?? null;
  }
}

function schemaOf({ event, data }: Told) {
  const ofCall = typeof data === 'object' && data !== null && ('call' in data || 'callId' in data);
  const schemas: Record<string, { parse(value: unknown): unknown }> = ofCall ? liveCallEvents : liveEvents;
  const schema = schemas[event];
  if (schema === undefined) throw new Error(`no such event: ${event}`);
  return schema;
}
