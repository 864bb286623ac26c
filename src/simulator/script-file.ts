// A conversation script from disk: what the model says and how it behaves, as YAML, turned into the options of each session.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { TrunklineError } from '../errors.ts';
import { checkYaml } from '../yaml/check.ts';
import { YamlSource } from '../yaml/source.ts';
import type { Garbage, SessionOptions } from './options.ts';
import { answersOf, checkAnswer, scriptOf } from './script-answers.ts';
import type { Answer, Script } from './script.ts';
import { present } from './present.ts';
import { scriptSchema } from './script-schema.ts';
import type { FaultEntry, ScriptFile, TimingEntry } from './script-schema.ts';

/** The options of the n-th connection attempt, from 1: what `SimulatorOptions.session` takes. */
export type ScriptedSessions = (connection: number) => SessionOptions;

const UNREADABLE: Record<string, string> = {
  ENOENT: 'there is no such file',
  EISDIR: 'this is a folder',
  EACCES: 'it may not be read',
};

/**
 * Reads a script file; docs/simulator.md describes the format.
 * @throws TrunklineError TRK_CONFIG with one line per fault: `file:line:column: path: what was expected (found …)`
 */
export async function loadScript(path: string): Promise<ScriptedSessions> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    const reason = UNREADABLE[code] ?? message;
    throw new TrunklineError('TRK_CONFIG', `${path}: expected a script file; ${reason}`, { cause });
  }
  return parseScript(text, path);
}

/** The same from the text of a script; `path` is what faults are reported under. */
export function parseScript(text: string, path: string): ScriptedSessions {
  const source = new YamlSource(basename(path), path, text);
  const file = source.faults.length === 0 ? checkYaml(source, scriptSchema) : undefined;
  if (file) checkFile(source, file);
  if (!file || source.faults.length > 0) throw new TrunklineError('TRK_CONFIG', source.faults.join('\n'));
  const script = scriptOf(file);
  return (connection) => {
    const faults = file.faults.filter((fault) => [fault.connection ?? connection].flat().includes(connection));
    const garbage = faults.flatMap((fault) => fault.broken_frames ?? []).flatMap(garbageOf);
    return Object.assign({ script, garbage }, timingOf(file.timing), ...faults.map((fault) => faultOf(fault, script)));
  };
}

/** What the schema cannot say: keys that need each other, and faults in turns that there are. */
function checkFile(source: YamlSource, file: ScriptFile): void {
  for (const { path, answer } of answersOf(file)) checkAnswer(source, path, answer);
  for (const [i, { drop }] of file.faults.entries()) {
    const path = ['faults', i, 'drop'];
    if (drop?.reason && drop.code === undefined) source.fault([...path, 'reason'], 'expected only with code', 'key');
    if (drop?.during === 'greeting' && !file.greeting)
      source.fault([...path, 'during'], 'expected a script with a greeting');
    if (typeof drop?.during === 'number' && drop.during > file.turns.length)
      source.fault([...path, 'during'], `expected a turn of this script, which has ${file.turns.length}`);
  }
}

function timingOf(timing: TimingEntry): SessionOptions {
  const { pace, delta_ms, delta_bytes } = timing;
  return {
    ...present({
      pace: pace === 'instant' ? Number.POSITIVE_INFINITY : pace,
      deltaMs: delta_bytes ?? delta_ms,
      firstDelayMs: timing.first_delay_ms,
      transcriptDelayMs: timing.transcript_delay_ms,
    }),
    ...delaysOf(timing),
  };
}

/** What both `timing` and a single fault may set. */
const delaysOf = (entry: TimingEntry | FaultEntry): SessionOptions =>
  present({
    handshakeDelayMs: entry.handshake_delay_ms,
    updateDelayMs: entry.update_delay_ms === 'never' ? Number.POSITIVE_INFINITY : entry.update_delay_ms,
    expiresInMs: entry.expires_in_seconds === undefined ? undefined : entry.expires_in_seconds * 1000,
    expiry: entry.expiry,
  });

function faultOf(fault: FaultEntry, script: Script): SessionOptions {
  const { refuse_handshake: refuse, drop } = fault;
  return {
    ...delaysOf(fault),
    ...present({
      hangHandshake: fault.hang_handshake,
      refuseUpdate: fault.refuse_update,
      mute: fault.mute,
      stall: fault.stall,
      lateDeltas: fault.late_deltas,
      lateDeltasAfterDone: fault.late_deltas_after_done,
      failTranscription: fault.fail_transcription,
    }),
    ...(refuse && {
      refuse: {
        status: refuse.status,
        ...present({ retryAfter: refuse.retry_after, code: refuse.code, message: refuse.message }),
      },
    }),
    ...(drop && dropOf(drop, script)),
  };
}

type BrokenFrames = NonNullable<FaultEntry['broken_frames']>[number];

const garbageOf = ({ at, ...rest }: BrokenFrames): Garbage[] => [at].flat().map((type) => ({ at: type, ...rest }));

function dropOf({ during, after_ms, code, reason }: NonNullable<FaultEntry['drop']>, script: Script): SessionOptions {
  if (during === undefined) return { dropAfterMs: after_ms, ...present({ dropCode: code, dropReason: reason }) };
  const drop = { afterMs: after_ms, ...present({ code, reason }) };
  if (during === 'greeting') return { script: { ...script, greeting: { ...(script.greeting as Answer), drop } } };
  return { script: { ...script, turns: script.turns.map((turn, i) => (i + 1 === during ? { ...turn, drop } : turn)) } };
}
