// Forgets one person: removes everything that is kept of their calls but the numbers of the bills, and then proves it by
// looking for the person in every file of the data folder. Others' data is not touched.
import { heldAside, removeBadLines } from './journals.ts';
import { prove, type Proof } from './proof.ts';
import { batches, findTheirs, type Hunt, type Theirs } from './theirs.ts';

/** What was removed, and what was found afterwards. */
export interface Forgotten extends Proof {
  /** What there was. */
  theirs: Theirs;
  /** Lines of journals that had been put aside. */
  badLines: number;
  notRemoved: { path: string; why: string }[];
}

/** Its row stays, but for the words: it alone tells the next try whose the lines are. */
const HELD_ASIDE = 'a live process has lines of it that were put aside';

/** @throws TrunklineError TRK_STORE when the database does not answer; what was removed until then is gone */
export async function forgetPerson(hunt: Hunt): Promise<Forgotten> {
  const { store, files, entries, nowWallMs } = hunt;
  const theirs = await findTheirs(hunt);
  const notRemoved = new Map<string, string>();
  // The entry of a call, its folder, its row: what tells whose call it is goes last, so that another try finds it again.
  for (const callId of theirs.callIds) {
    const names = theirs.entries.flatMap((entry) => (entry.callId === callId ? [entry.name] : []));
    await entries
      .removeNamed(names)
      .then(() => files.remove('metadata', callId))
      .catch((error: Error) => notRemoved.set(callId, error.message));
  }
  const wanted = { marks: hunt.person.marks, callOf: theirs.callOf };
  const badLines = await removeBadLines(hunt.dataDir, wanted);
  const held = await heldAside(hunt.dataDir, wanted);
  for (const callId of held) if (!notRemoved.has(callId)) notRemoved.set(callId, HELD_ASIDE);
  for (const callIds of batches(held)) await store.ask('removeKept', { part: 'text', callIds });
  const gone = theirs.callIds.filter((callId) => !notRemoved.has(callId));
  for (const callIds of batches(gone)) await store.ask('removeKept', { part: 'metadata', callIds });
  await store.ask('auditPrivacy', {
    ...{ atMs: nowWallMs, actor: 'operator', action: 'forget' },
    note: noteOf(theirs, gone.length, notRemoved.size),
  });
  const scrubbed = await scrubbedOr(hunt);
  const proof = await prove({ ...hunt, theirs, notRemoved, scrubbed });
  return {
    ...{ theirs, badLines },
    notRemoved: [...notRemoved].map(([callId, why]) => ({ path: `calls/${callId}`, why })),
    ...proof,
  };
}

function noteOf({ rows, folders, entries, running }: Theirs, gone: number, notRemoved: number): string {
  const of = `${rows.turns} turns, ${rows.tools} tool runs, ${folders.files} files, ${entries.length} entries`;
  return `${gone} calls of one caller: ${of}; ${running.length} live, ${notRemoved} not removed`;
}

/** Why free pages may still hold something. A database too large to be built anew in time is searched like any other. */
async function scrubbedOr({ store }: Hunt): Promise<string> {
  try {
    return (await store.ask('scrub', null)).why;
  } catch (error) {
    return (error as Error).message;
  }
}
