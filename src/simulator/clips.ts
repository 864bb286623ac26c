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
 * @throws Error naming the clips that exist
 */
export function clip(name: string): Clip {
  const ready = loaded.get(name);
  if (ready) return ready;
  const text = index()[name]?.text;
  if (text === undefined) throw new Error(`no clip "${name}"; there are: ${clipNames().join(', ')}`);
  const [audio = new Uint8Array()] = readWav(readFileSync(new URL(`${name}.wav`, FOLDER)), `${name}.wav`).channels;
  const read = { text, audio: Buffer.from(audio) };
  loaded.set(name, read);
  return read;
}

/** Names of all clips. */
export const clipNames = (): string[] => Object.keys(index());

function index(): Record<string, { text: string; ms: number }> {
  texts ??= JSON.parse(readFileSync(new URL('clips.json', FOLDER), 'utf8')) as Record<
    string,
    { text: string; ms: number }
  >;
  return texts;
}
