// What the caller hears of the carrier itself: Say, Play and Pause. How long a text takes is an estimate; how long a file
// takes is read from the file.
import { BYTES_PER_MS, bytesToMs, encodeSample, msToBytes } from '../audio/mulaw.ts';
import { readWav, WavError } from '../audio/wav.ts';
import type { TwimlElement } from './twiml-reader.ts';
import { aboutVerb } from './verb.ts';
import type { VerbScene } from './verb-scene.ts';

/** 150 words a minute, the usual rate of a reading voice. */
const WORD_MS = 400;
/** A run of more letters than this is read as several words: German compounds, Chinese, numbers. */
const WORD_LETTERS = 12;
const MAX_SAY_LETTERS = 4_096;
/** `loop="0"` plays until the call ends; the carrier counts to this. */
const ENDLESS = 1_000;
/** One key of `<Play digits>`, and the pause of one `w`. */
const DIGIT_MS = 250;
const DIGIT_PAUSE_MS = 500;
const BEEP_HZ = 1_000;
const BEEP_AMPLITUDE = 8_000;
const WAV_TYPES = ['audio/wav', 'audio/wave', 'audio/x-wav'];
const ULAW_TYPES = ['audio/ulaw', 'audio/basic'];
/** Their length is estimated at 128 kbit/s. */
const OTHER_TYPES = 'audio/mpeg audio/aiff audio/x-aifc audio/x-aiff audio/x-gsm audio/gsm'.split(' ');
const OTHER_BYTES_PER_MS = 16;

/** How long a voice needs for a text. */
export function spokenMs(text: string): number {
  const words = text.split(/\s+/).filter(Boolean);
  return words.reduce((sum, word) => sum + WORD_MS * Math.ceil(word.length / WORD_LETTERS), 0);
}

/** Reads a text aloud: voice and language stay in the verb's attributes, the sound itself is nobody's here. */
export async function say(scene: VerbScene, verb: TwimlElement): Promise<void> {
  const text = aboutVerb(verb);
  if (text === '' || text.length > MAX_SAY_LETTERS) {
    scene.warn(13520, text === '' ? 'Say has no text' : `Say has more than ${MAX_SAY_LETTERS} letters`);
    return;
  }
  await scene.announce('Say', text, (spokenMs(text) + breaksMs(verb)) * timesOf(verb));
}

/** Plays a file of the server, or touch tones. */
export async function play(scene: VerbScene, verb: TwimlElement): Promise<void> {
  const digits = verb.attributes['digits'];
  if (digits !== undefined) {
    const ms = digits.split('').reduce((sum, digit) => sum + (/w/i.test(digit) ? DIGIT_PAUSE_MS : DIGIT_MS), 0);
    return scene.announce('Play', digits, ms * timesOf(verb));
  }
  const url = scene.url(verb.text);
  // Files elsewhere are fetched by the carrier; the phone stays on this machine and takes them to be fine.
  if (!url || !scene.reaches(url)) return;
  const file = await scene.requests.file(url, scene.signal);
  if (!file) return;
  const type = file.contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  const sound = soundOf(file.bytes, type);
  if (sound) await scene.announce('Play', verb.text, sound.ms * timesOf(verb), sound.audio);
  else scene.warn(12300, `${url.pathname} is ${type || 'of no content type'}, which cannot be played`);
}

/** Silence of `length` seconds. */
export const pause = (scene: VerbScene, verb: TwimlElement): Promise<void> =>
  scene.wait(1000 * numberOf(verb.attributes['length'], 1));

/** The carrier's own signal: speak now, or somebody came. */
export function beep(ms: number): Buffer {
  const radians = (2 * Math.PI * BEEP_HZ) / (1000 * BYTES_PER_MS);
  const samples = Buffer.alloc(msToBytes(ms));
  for (let i = 0; i < samples.length; i++)
    samples[i] = encodeSample(Math.round(BEEP_AMPLITUDE * Math.sin(i * radians)));
  return samples;
}

/** A number in an attribute; the default where there is none, or nonsense. */
export function numberOf(text: string | undefined, byDefault: number): number {
  const value = Number(text ?? byDefault);
  return Number.isFinite(value) && value >= 0 ? value : byDefault;
}

const timesOf = (verb: TwimlElement): number => numberOf(verb.attributes['loop'], 1) || ENDLESS;

/** SSML breaks with a time of their own. */
function breaksMs({ children }: TwimlElement): number {
  const times = children.flatMap((child) => /^([\d.]+)(ms|s)$/.exec(child.attributes['time'] ?? '') ?? []);
  const [, amount, unit] = times;
  const own = amount === undefined ? 0 : Number(amount) * (unit === 's' ? 1000 : 1);
  return children.reduce((sum, child) => sum + breaksMs(child), own);
}

function soundOf(bytes: Buffer, type: string): { ms: number; audio?: Uint8Array } | undefined {
  if (ULAW_TYPES.includes(type)) return { ms: bytesToMs(bytes.length), audio: bytes };
  if (OTHER_TYPES.includes(type)) return { ms: bytes.length / OTHER_BYTES_PER_MS };
  if (!WAV_TYPES.includes(type)) return undefined;
  try {
    const audio = readWav(bytes).channels[0] ?? new Uint8Array();
    return { ms: audio.length / BYTES_PER_MS, audio };
  } catch (error) {
    if (!(error instanceof WavError)) throw error;
    // Any other WAV is converted by the carrier; its length stands in its header.
    const bytesPerSecond = bytes.indexOf('fmt ') === 12 && bytes.length > 44 ? bytes.readUInt32LE(28) : 0;
    return bytesPerSecond > 0 ? { ms: (1000 * (bytes.length - 44)) / bytesPerSecond } : undefined;
  }
}
