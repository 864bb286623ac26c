// Looks for somebody who was forgotten, everywhere: in every byte of the data folder and in every text of the database. What
// is found is a trace, unless it stands in what is somebody else's: their words, or a longer number of theirs.
import { sep } from 'node:path';
import { MAX_READ_BYTES } from './call-files.ts';
import { tracesInJournals } from './journals.ts';
import { otherSide } from './person.ts';
import { search, type Searched } from './search.ts';
import { callsInDatabase, type Hunt, type Theirs } from './theirs.ts';

export interface Proof {
  searched: Pick<Searched, 'files' | 'bytes'>;
  /** Where the person still stands, and why. */
  traces: { path: string; why: string }[];
  /** Where the same text stands in what is somebody else's. */
  elsewhere: string[];
}

export interface ProofRun extends Hunt {
  theirs: Pick<Theirs, 'callIds' | 'callOf' | 'running'>;
  /** Calls whose folder is still there, and why. */
  notRemoved: ReadonlyMap<string, string>;
  /** Why free pages of the database may still hold something; empty: they do not. */
  scrubbed: string;
}

const LIVE = 'a call that is live, or ended a moment ago';
const CAME_MEANWHILE = 'it came meanwhile';

export async function prove(run: ProofRun): Promise<Proof> {
  const { files, bytes, found, databases, unseen } = await search(run.dataDir, run.person.marks);
  const traces = unseen.map(({ path, why }) => ({ path, why: `not searched: ${why}` }));
  const elsewhere: string[] = [];
  const wanted = { marks: run.person.marks, callOf: run.theirs.callOf };
  // Words are journalled under the id of their call alone.
  const byCall = (await tracesInJournals(run.dataDir, wanted)).map(({ path }) => path);
  for (const path of new Set([...found, ...byCall])) {
    const why = await whyIn(path, run);
    if (why === null) elsewhere.push(path);
    else traces.push({ path, why });
  }
  const left = await callsInDatabase(run);
  for (const [callId, { isLive }] of left)
    if (!run.notRemoved.has(callId))
      traces.push({ path: `database: call ${callId}`, why: isLive ? LIVE : CAME_MEANWHILE });
  if (left.size > 0) return { searched: { files, bytes }, traces, elsewhere };
  try {
    const others = await textsOfOthers(run);
    elsewhere.push(...others);
    // Where others have it too nobody can tell whose bytes they are, but that nothing was left behind is known.
    if (others.length === 0 || run.scrubbed !== '')
      for (const path of databases) traces.push({ path, why: run.scrubbed || 'its free pages hold it' });
  } catch (error) {
    traces.push({ path: 'database', why: `not searched: ${(error as Error).message}` });
  }
  return { searched: { files, bytes }, traces, elsewhere };
}

/** Why the person stands in this file; null: it is somebody else's. */
async function whyIn(path: string, run: ProofRun): Promise<string | null> {
  const [folder, name = ''] = path.split(sep);
  if (folder === 'calls') return whyOf(name, run);
  if (folder === 'entries') return whyOf((await run.entries.read(name))?.callId ?? '', run);
  if (folder === 'journal') return 'not in the database yet, or not cleared away by its process';
  return 'nothing of ours is known to lie there';
}

async function whyOf(callId: string, { theirs, notRemoved, files, person, store }: ProofRun): Promise<string | null> {
  const failed = notRemoved.get(callId);
  if (failed !== undefined) return failed;
  if (theirs.running.includes(callId)) return LIVE;
  const record = await files.record(callId, MAX_READ_BYTES).catch(() => null);
  if (record?.from && record.to) return person.is(otherSide(record)) ? CAME_MEANWHILE : null;
  const call = await store.ask('readCall', { callId });
  const party = call && otherSide(call);
  // Were the party this person, the call would be among theirs.
  const isKnown = party !== null && (party.value !== null || party.kind === 'withheld');
  return isKnown ? null : 'nobody knows whose call it is';
}

/** Texts of the database, none of which is in a call of this person any more. */
async function textsOfOthers({ person, store }: Hunt): Promise<string[]> {
  const found = new Set<string>();
  for (const { text } of person.marks)
    for (const { table, column, rows } of await store.ask('textsLike', { contains: text }))
      found.add(`database: ${table}.${column}, ${rows} row${rows === 1 ? '' : 's'}`);
  return [...found];
}
