// The sound of keys that an agent presses, for the shelf.
import type { AudioChunk } from '../audio/chunk.ts';
import { dtmfTones } from '../audio/dtmf.ts';
import { BYTES_PER_MS, silence } from '../audio/mulaw.ts';
import { KEY_MS, WAIT_MS } from './built-ins.ts';

/** Of each key, its tone; the rest is silence. */
const TONE_MS = 100;

/** The sound of keys, as one chunk; `w` is half a second of silence. */
export function tonesOf(keys: string): AudioChunk {
  const sounds = keys
    .split('')
    .map((key) =>
      key === 'w' ? silence(WAIT_MS * BYTES_PER_MS) : dtmfTones(key, { toneMs: TONE_MS, gapMs: KEY_MS - TONE_MS }),
    );
  const bytes = Buffer.concat(sounds);
  return { payload: bytes.toString('base64'), bytes: bytes.length };
}
