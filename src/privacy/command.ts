// `trunkline forget --caller NUMBER`: removes every trace of a person, and tells what was removed, what was searched
// afterwards, and what is left. Nothing that it prints holds the number.
import { realpath } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { TrunklineError } from '../errors.ts';
import { CallFiles } from './call-files.ts';
import type { ForgetDesk } from './desk.ts';
import { Entries } from './entries.ts';
import { forgetPerson } from './forget.ts';
import { foundLines, forgottenLines } from './forget-lines.ts';
import { type Person, personOf } from './person.ts';
import { findTheirs } from './theirs.ts';

/** Something of the person is still there. */
export const TRACES_LEFT = 3;

export const FORGET_USAGE = `usage: trunkline forget --caller NUMBER [--dry-run]
  --caller N   who is to be forgotten: +15551234567, sip:alice@pbx.example.com or client:alice
  --dry-run    only tells what would be removed
Ends with ${TRACES_LEFT} while something is left, such as a call that is still live: then run it again.`;

/**
 * The command.
 * @returns its exit code
 * @throws TrunklineError for wrong flags, and when the database cannot be asked
 */
export async function forget(args: string[], desk: ForgetDesk): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    desk.out(FORGET_USAGE);
    return 0;
  }
  const { person, dryRun } = readOptions(args);
  const dataDir = await realpath(desk.dataDir).catch(() => null);
  if (dataDir === null)
    throw new TrunklineError('TRK_DATA_DIR', `there is no data folder ${desk.dataDir}; set DATA_DIR`);
  const store = await desk.open();
  try {
    await store.settled();
    const nowWallMs = desk.wallMs();
    const hunt = { dataDir, store, person, nowWallMs, files: new CallFiles(dataDir), entries: new Entries(dataDir) };
    if (dryRun) {
      desk.out(foundLines(await findTheirs(hunt)).join('\n'));
      return 0;
    }
    const forgotten = await forgetPerson(hunt);
    desk.out(forgottenLines(forgotten, desk.dataDir).join('\n'));
    return forgotten.traces.length + forgotten.notRemoved.length > 0 ? TRACES_LEFT : 0;
  } finally {
    await store.close();
  }
}

function readOptions(args: string[]): { person: Person; dryRun: boolean } {
  const options = { caller: { type: 'string' }, 'dry-run': { type: 'boolean', default: false } } as const;
  try {
    const { caller, 'dry-run': dryRun } = parseArgs({ args, options }).values;
    if (caller === undefined) throw new Error('--caller: expected whom to forget');
    return { person: personOf(caller), dryRun };
  } catch (cause) {
    throw new TrunklineError('TRK_CONFIG', `${(cause as Error).message}\n${FORGET_USAGE}`, { cause });
  }
}
