// A caller file: one caller as YAML, what it does and when, read together with its clips and turned into a track.
import { readFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { bytesToMs } from '../audio/mulaw.ts';
import { checkYaml } from '../yaml/check.ts';
import type { YamlSource } from '../yaml/source.ts';
import { type CallerYaml, callerSchema, type NetworkYaml, type PersonYaml } from './caller-schema.ts';
import { stepsOf } from './caller-steps.ts';
import { type CallerStep, type CallerTrack, cutClip } from '../phone/caller-track.ts';
import { checkExpected, type Expectation, expectationIn, readYaml } from './expect-file.ts';
import { fileFault, InputError } from './replay-fault.ts';
import { readRecording, soxLine } from './replay-wav.ts';

/** A caller as its file says. */
export interface CallerFile {
  track: CallerTrack;
  from?: string;
  to?: string;
  /** Path of the conversation script that the simulator follows. */
  script?: string;
  maxMs?: number;
  network: NetworkYaml;
  /** Whether the keys of the timeline can be heard; absent: they can. */
  tones?: boolean;
  /** Whom the server may call, and what they do. */
  people: readonly PersonYaml[];
  expectation: Expectation | null;
  /** How long the caller takes at the least: its clips and waits, whatever the agent says. */
  leastMs: number;
}

/** How long the agent may be silent after the last step until the caller hangs up; longer if it never spoke. */
const LISTENS_MS = 4_000;
const PATIENCE_MS = 8_000;

/** What a caller does who has nothing more to say: listens, then hangs up. */
export const HANG_UP_WHEN_SILENT: CallerStep = {
  cue: { after: 'agent_silent', forMs: LISTENS_MS, patienceMs: PATIENCE_MS },
  action: { hangUp: true },
};

/** @throws InputError with `file:line:column: path: what was expected (found …)` */
export function loadCaller(path: string): CallerFile {
  const source = readYaml(path);
  const file = source.faults.length === 0 ? checkYaml(source, callerSchema) : undefined;
  const clips = file ? readClips(source, file) : [];
  const steps = file ? stepsOf(source, file.timeline, clips) : [];
  if (file?.people) checkPeople(source, file.people);
  if (file?.expect) checkExpected(source, file.expect, ['expect']);
  if (!file || source.faults.length > 0) throw new InputError(source.faults.join('\n'));
  const hangsUp = steps.some(({ action }) => 'hangUp' in action);
  return {
    track: { steps: hangsUp ? steps : [...steps, HANG_UP_WHEN_SILENT] },
    ...(file.from === undefined ? {} : { from: file.from }),
    ...(file.to === undefined ? {} : { to: file.to }),
    ...(file.script === undefined ? {} : { script: seenFrom(path, file.script) }),
    ...(file.max_seconds === undefined ? {} : { maxMs: file.max_seconds * 1000 }),
    network: file.network ?? {},
    ...(file.tones === undefined ? {} : { tones: file.tones }),
    people: file.people ?? [],
    expectation: file.expect ? expectationIn(source, file.expect, ['expect']) : null,
    leastMs: steps.reduce(endOf, 0),
  };
}

/** Of two with one number the second would never be called. */
function checkPeople(source: YamlSource, people: readonly PersonYaml[]): void {
  people.forEach(({ to, answers, presses, hangs_up: hangsUp }, i) => {
    if (people.findIndex((other) => other.to === to) < i)
      source.fault(['people', i, 'to'], 'expected a number that is not listed before');
    const unanswered = answers !== undefined && answers !== 'yes' && answers !== true;
    if (unanswered && presses !== undefined)
      source.fault(['people', i, 'presses'], 'expected only with answers: yes', 'key');
    if (unanswered && hangsUp !== undefined)
      source.fault(['people', i, 'hangs_up'], 'expected only with answers: yes', 'key');
    if (hangsUp === 'after_key' && presses === undefined)
      source.fault(['people', i, 'hangs_up'], 'expected after_key only with presses');
  });
}

/** A path that stands in a file, seen from that file. */
const seenFrom = (file: string, path: string): string => (isAbsolute(path) ? path : join(dirname(file), path));

/** When a step is over at the earliest, after one that was over at `fromMs`. */
function endOf(fromMs: number, { cue, action }: CallerStep): number {
  const waitMs = 'atMs' in cue ? 0 : cue.after === 'previous' ? cue.waitMs : cue.forMs;
  const startMs = Math.max(fromMs + waitMs, 'atMs' in cue ? cue.atMs : 0);
  return startMs + ('say' in action ? bytesToMs(action.say.length) : 0);
}

/** The clip of each step that has one, cut; every file is read once. */
function readClips(source: YamlSource, { timeline }: CallerYaml): (Uint8Array | undefined)[] {
  const read = new Map<string, Uint8Array | string>();
  return timeline.map((step, i) => {
    if (step === 'hangup' || step.user === undefined) return undefined;
    const path = seenFrom(source.file, step.user);
    const clip = read.get(path) ?? readClip(path);
    read.set(path, clip);
    if (typeof clip === 'string') {
      source.fault(['timeline', i, 'user'], clip);
      return undefined;
    }
    const { from_ms: fromMs = 0, to_ms: toMs } = step;
    const endMs = bytesToMs(clip.length);
    const ends = `the clip ends at ${endMs} ms`;
    if (fromMs >= endMs) source.fault(['timeline', i, 'from_ms'], `expected a time inside the clip; ${ends}`);
    if (toMs !== undefined && toMs > endMs)
      source.fault(['timeline', i, 'to_ms'], `expected a time inside the clip; ${ends}`);
    if (toMs !== undefined && toMs <= fromMs) source.fault(['timeline', i, 'to_ms'], 'expected a time after from_ms');
    return cutClip(clip, fromMs, toMs ?? endMs);
  });
}

/** The clip, or what was expected instead of this file. */
function readClip(path: string): Uint8Array | string {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    return `${path}: ${fileFault(error)}; expected a WAV file, 8 kHz mu-law; make it with: ${soxLine(`your-${basename(path)}`, path)}`;
  }
  try {
    return readRecording(file, path).bytes;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.message;
  }
}
