// The index of words holds no word longer than the turn in which it was said: whatever removes the turn, and before the file
// is built anew. SQLite only: PostgreSQL's index goes with its rows when it is vacuumed.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ANY_CALL } from '../../src/store/queries/call-filter.ts';
import { countCalls } from '../../src/store/queries/calls-list.ts';
import type { StoreEvent } from '../../src/store/events.ts';
import { QUERIES } from '../../src/store/queries.ts';
import { agentSaid, callerSaid, started } from '../store/facts.ts';
import { KeptFolder } from './kept.ts';
import fc from '../support/fast-check.ts';

let kept: KeptFolder;
beforeEach(async () => {
  kept = await KeptFolder.make();
});
afterEach(() => kept.remove());

/** Every word of the index, and what `said` holds told once more: words in small letters. */
async function terms(): Promise<string[]> {
  const { rows } = await sql<{ term: string }>`select term from turns_words_terms order by term`.execute(kept.db);
  return rows.map(({ term }) => term);
}
async function wordsSaid(): Promise<string[]> {
  const rows = await kept.db
    .selectFrom('turns')
    .innerJoin('calls', 'calls.call_id', 'turns.call_id')
    .select('said')
    .execute();
  const words = rows.flatMap(({ said }) => (said ?? '').toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  return [...new Set(words)].toSorted();
}
const fileHolds = async (text: string): Promise<boolean> => {
  await sql`pragma wal_checkpoint(truncate)`.execute(kept.db);
  return readFileSync(kept.path('trunkline.sqlite')).includes(text);
};
/** Refuses when what is in the index is not what it says of itself. */
const checked = () => sql`insert into turns_words(turns_words) values ('integrity-check')`.execute(kept.db);
const count = (words: string) => countCalls(kept.db, { ...ANY_CALL, words });

/** The index writes of a word only what it has not in common with the one before: here that is never the end. */
const wordOf = (i: number): string => `${createHash('md5').update(`${i}`).digest('hex').slice(0, 8)}quokka${i}`;

test.each(['text', 'metadata'] as const)('a word goes with the %s of its call, to the last byte', async (part) => {
  const callIds = Array.from({ length: 120 }, (_, i) => `c${i}`);
  await kept.keep(...callIds.map((callId, i) => ({ callId, from: '+15550000001', words: `my code is ${wordOf(i)}` })));
  expect(await count(wordOf(77))).toBe(1);
  const gone = callIds.filter((_, i) => i !== 5);
  await QUERIES.removeKept(kept.db, { part, callIds: gone });
  expect(await count(wordOf(77))).toBe(0);
  expect(await count(wordOf(5))).toBe(1);
  expect((await terms()).filter((term) => term.includes('quokka'))).toEqual([wordOf(5)]);
  const held = await Promise.all(callIds.map((_, i) => fileHolds(`quokka${i}`)));
  expect(held.flatMap((holds, i) => (holds ? [i] : []))).toEqual([5]);
  await checked();
});

test('whoever looks for a number that was said finds it in the index as well', async () => {
  await kept.keep({ callId: 'anna', from: '+15550000001', words: 'call me at 4155550142 please' });
  const found = await kept.store.ask('textsLike', { contains: '4155550142' });
  expect(found.map(({ table, column }) => `${table}.${column}`)).toContain('turns_words_terms.term');
  await QUERIES.removeKept(kept.db, { part: 'text', callIds: ['anna'] });
  expect(await kept.store.ask('textsLike', { contains: '4155550142' })).toEqual([]);
});

test('whatever is told, told again and removed, the index holds the words that are kept, and it is whole', async () => {
  const callId = fc.constantFrom('c1', 'c2', 'c3');
  const words = fc.constantFrom('hello', 'hello there', 'Über uns', "don't", 'a\ud800b', '', '🎉', null);
  const deed = fc.oneof(
    fc
      .record({ callId, turn: fc.nat(2), words })
      .map(({ callId: id, turn, words: said }): StoreEvent[] => [callerSaid(id, turn, said)]),
    fc
      .record({ callId, turn: fc.nat(2), words })
      .map(({ callId: id, turn, words: said }): StoreEvent[] => [agentSaid(id, turn, said ?? '', ' rest')]),
    callId.map((id): StoreEvent[] => [started(id)]),
    callId.map((id): StoreEvent[] => [callerSaid(id, 8_192, 'beyond'), callerSaid(id, 8_191, 'last')]),
    fc.record({ callId, part: fc.constantFrom('text', 'metadata', 'audio') }),
    fc.constant('vacuum' as const),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 20 }), async (deeds) => {
      for (const what of deeds)
        if (what === 'vacuum') await QUERIES.scrub(kept.db, null);
        else if (Array.isArray(what)) await QUERIES.applyEvents(kept.db, what);
        else await QUERIES.removeKept(kept.db, { part: what.part as 'text', callIds: [what.callId] });
      const said = new Set(await wordsSaid());
      said.delete('beyond');
      // The index of words has no accents.
      const bare = [...said].map((word) => word.normalize('NFD').replace(/\p{M}/gu, ''));
      expect(await terms()).toEqual(bare.toSorted());
      await checked();
      for (const table of ['calls', 'turns', 'tools'] as const) await kept.db.deleteFrom(table).execute();
      expect(await terms()).toEqual([]);
      await checked();
    }),
    { numRuns: 80 },
  );
});
