// Finds what is kept of one person: the calls that are theirs, by the database and by the files. Changes nothing.
import type { KeptRows } from '../store/queries/privacy-kept.ts';
import type { Store } from '../store/store.ts';
import { type CallFiles, MAX_READ_BYTES } from './call-files.ts';
import type { Entries, FoundEntry } from './entries.ts';
import { type Amount, sum } from './files.ts';
import { otherSide, type Person } from './person.ts';
import { LONGEST_CALL_MS } from './settled.ts';

/** Where to look, and for whom. */
export interface Hunt {
  dataDir: string;
  store: Pick<Store, 'ask'>;
  person: Person;
  nowWallMs: number;
  files: CallFiles;
  entries: Entries;
}

/** What is kept of a person. */
export interface Theirs {
  /** Calls that are over. */
  callIds: string[];
  /** Calls that are live, or ended a moment ago: nothing of them can be removed. */
  running: string[];
  /** Ids of the calls that are over, ours and the carrier's, to ours. */
  callOf: ReadonlyMap<string, string>;
  rows: KeptRows;
  folders: Amount & { folders: number };
  entries: FoundEntry[];
}

/** What a call leaves is finished within this. */
const FINISHED_WITHIN_MS = 10_000;
/** Calls of one question. */
const BATCH = 200;

export async function findTheirs(hunt: Hunt): Promise<Theirs> {
  const known = await callsInDatabase(hunt);
  const inFiles = await callsInFiles(hunt);
  const all = new Set([...known.keys(), ...inFiles.keys()]);
  const isLive = (callId: string): boolean => known.get(callId)?.isLive ?? false;
  const callIds = [...all].filter((callId) => !isLive(callId));
  const callOf = callIds.flatMap((callId): [string, string][] => [
    [callId, callId],
    ...[known.get(callId)?.carrierCallId, inFiles.get(callId)].flatMap((id): [string, string][] =>
      id ? [[id, callId]] : [],
    ),
  ]);
  return {
    callIds,
    callOf: new Map(callOf),
    running: [...all].filter(isLive),
    rows: await rowsOf(hunt, callIds),
    folders: await foldersOf(hunt, callIds),
    entries: await hunt.entries.ofCalls(new Set(callIds)),
  };
}

/** The calls that the database has of a person, the carrier's ids, and whether each is live. */
export async function callsInDatabase({
  store,
  person,
  nowWallMs,
}: Hunt): Promise<Map<string, { carrierCallId: string; isLive: boolean }>> {
  const parties = (await store.ask('partiesLike', { contains: person.contains })).filter((party) => person.is(party));
  const calls = await store.ask('callsOfPerson', { parties });
  const isLive = ({ endedMs, admittedMs }: (typeof calls)[number]): boolean =>
    endedMs === null ? admittedMs > nowWallMs - LONGEST_CALL_MS : endedMs > nowWallMs - FINISHED_WITHIN_MS;
  return new Map(calls.map((call) => [call.callId, { carrierCallId: call.carrierCallId, isLive: isLive(call) }]));
}

/** The calls whose record says that they are the person's: the database may be younger than they, or another one. */
async function callsInFiles({ person, files }: Hunt): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const callIds of files.callIds())
    for (const callId of callIds) {
      // What cannot be read is told by the search that comes afterwards.
      const record = await files.record(callId, MAX_READ_BYTES).catch(() => null);
      if (record?.from && record.to && person.is(otherSide(record))) found.set(callId, record.carrierCallId);
    }
  return found;
}

async function foldersOf({ files }: Hunt, callIds: readonly string[]): Promise<Theirs['folders']> {
  let all: Theirs['folders'] = { folders: 0, files: 0, bytes: 0 };
  for (const callId of callIds) {
    // What cannot be looked at is told when it cannot be removed.
    const facts = await files.facts(callId).catch(() => null);
    if (facts !== null) all = { folders: all.folders + 1, ...sum(all, facts) };
  }
  return all;
}

async function rowsOf({ store }: Hunt, callIds: readonly string[]): Promise<KeptRows> {
  const all = { calls: 0, turns: 0, tools: 0, lines: 0 };
  for (const some of batches(callIds)) {
    const rows = await store.ask('keptOf', { callIds: some });
    for (const key of ['calls', 'turns', 'tools', 'lines'] as const) all[key] += rows[key];
  }
  return all;
}

export const batches = (callIds: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(callIds.length / BATCH) }, (_, i) => callIds.slice(i * BATCH, (i + 1) * BATCH));
