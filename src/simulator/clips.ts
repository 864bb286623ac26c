// The simulator's voice: short mu-law recordings in ./clips, read from disk when first said.
import { readFileSync } from 'node:fs';
import { readWav } from '../audio/wav.ts';

/** One recording: what it says, and its PCMU bytes. */
export interface Clip {
  text: string;
  audio: Buffer;
}

const FOLDER = new URL('./clips/', import.meta.url);
const loaded = new Map<string, Clip>();
let texts: Record<string, { text: string; ms: number }> | undefined;

/**
 * The clip called `name` in clips.json.
 * @throws Error naming the clip that may have been meant
 */
export function clip(name: string): Clip {
  const ready = loaded.get(name);
  if (ready) return ready;
  const text = index()[name]?.text;
  if (text === undefined) throw new Error(`no clip "${name}"; ${clipHint(name)}`);
  const [audio = new Uint8Array()] = readWav(readFileSync(new URL(`${name}.wav`, FOLDER)), `${name}.wav`).channels;
  const read = { text, audio: Buffer.from(audio) };
  loaded.set(name, read);
  return read;
}

/** Names of all clips. */
export const clipNames = (): string[] => Object.keys(index());

/** Which clip was meant by a name that there is not, or else which there are. */
export function clipHint(name: string): string {
  const names = clipNames();
  const [near] = names.map((known) => ({ known, alike: sharedEnds(name, known) })).sort((a, b) => b.alike - a.alike);
  return near && near.alike * 2 >= name.length ? `did you mean ${near.known}?` : `there are: ${names.join(', ')}`;
}

/** How many letters two names share at their beginnings and ends. */
function sharedEnds(a: string, b: string): number {
  const least = Math.min(a.length, b.length);
  let start = 0;
  while (start < least && a[start] === b[start]) start++;
  let end = 0;
  while (end < least - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return start + end;
}

function index(): Record<string, { text: string; ms: number }> {
  texts ??= JSON.parse(readFileSync(new URL('clips.json', FOLDER), 'utf8')) as Record<
    string,
    { text: string; ms: number }
  >;
  return texts;
}
