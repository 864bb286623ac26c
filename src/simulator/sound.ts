// Turns an answer's speech items into bytes of the session's output format. Rendered clips are shared by all sessions.
import type { AudioFormat } from './audio-format.ts';
import { clip } from './clips.ts';
import type { ReadySpeech } from './ready-items.ts';
import { MAX_STAMP_ITEM, stampedAudio } from './stamp.ts';

/** Rendered sayings kept; beyond it they are rendered again each time. */
const KEPT = 200;
const rendered = new Map<string, Buffer>();

/** The audio, words and stamp of one speech item. `nextStamp` numbers the stamped items of a session from 1. */
export function speechOf(
  item: ReadySpeech,
  format: AudioFormat,
  nextStamp: () => number,
): { audio: Buffer; transcript: string; stamp: number | null } {
  if ('stampedMs' in item) {
    const stamp = nextStamp() % (MAX_STAMP_ITEM + 1);
    // Stamps are bytes, not sound: they go out as they are whatever the format (and make sense only in G.711).
    return {
      audio: stampedAudio(stamp, item.stampedMs),
      transcript: item.transcript ?? `Stamped audio ${stamp}.`,
      stamp,
    };
  }
  const words = item.transcript ?? item.say.map((name) => clip(name).text).join(' ');
  return { audio: render(item.say, format), transcript: words, stamp: null };
}

function render(names: readonly string[], format: AudioFormat): Buffer {
  const key = `${format.type} ${names.join(' ')}`;
  const ready = rendered.get(key);
  if (ready) return ready;
  const audio = format.fromMulaw(Buffer.concat(names.map((name) => clip(name).audio)));
  if (rendered.size < KEPT) rendered.set(key, audio);
  return audio;
}
