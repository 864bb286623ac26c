// Recordings for `trunkline replay`: reads an 8 kHz mu-law WAV, and says of any other file what it is and which line makes
// one of it. What a file is, its first bytes say, whatever it is called.
import { basename, extname } from 'node:path';
import { readWav } from '../audio/wav.ts';
import { InputError } from './replay-fault.ts';

export interface Recording {
  /** The left channel, which is the caller's in a recorded call. */
  bytes: Uint8Array;
  durationMs: number;
}

/**
 * The caller's sound in a file.
 * @param path in error texts, and in the line that converts the file
 * @throws InputError
 */
export function readRecording(file: Buffer, path: string): Recording {
  if (file.length === 0) throw new InputError(`${path}: the file is empty`);
  if (!isWav(file)) throw new InputError(`${path}: ${otherKind(file, path)}`);
  const { format, audioBytes } = chunksOf(file);
  if (!format) throw new InputError(`${path}: a WAV file whose header breaks off (${file.length} bytes); get it again`);
  const { tag, rate, channels, bits } = format;
  const fits = tag === MU_LAW && rate === 8000 && bits === 8 && channels > 0;
  if (!fits)
    throw new InputError(`${path}: this is ${formatText(format)}; expected ${WANTED}; ${soxHint(format, path)}`);
  if (!audioBytes) throw new InputError(`${path}: a WAV file without any sound in it (${formatText(format)})`);
  const wav = readWav(file, path);
  return { bytes: wav.channels[0] as Uint8Array, durationMs: wav.durationMs };
}

/** Whether the first bytes are those of a WAV file. */
export const isWav = (file: Buffer): boolean => file.toString('latin1', 0, 4) === 'RIFF';

const WANTED = '8 kHz mu-law';
const MU_LAW = 7;
const EXTENSIBLE = 65_534;
const MP3 = 85;

/** Encodings by their number in the header. */
const ENCODINGS: Record<number, string> = {
  1: 'PCM',
  2: 'ADPCM',
  3: 'float',
  6: 'A-law',
  [MU_LAW]: 'mu-law',
  17: 'IMA ADPCM',
  49: 'GSM',
  [MP3]: 'MP3 in a WAV header',
};

interface Format {
  tag: number;
  channels: number;
  rate: number;
  bits: number;
}

/** What the header says, as far as it goes. */
function chunksOf(file: Buffer): { format?: Format; audioBytes: number } {
  let format: Format | undefined;
  for (let at = 12; at + 8 <= file.length; ) {
    const id = file.toString('latin1', at, at + 4);
    const size = file.readUInt32LE(at + 4);
    const body = at + 8;
    if (id === 'fmt ' && body + 16 <= file.length) format = formatAt(file, body, size);
    if (id === 'data') return { ...(format ? { format } : {}), audioBytes: Math.min(size, file.length - body) };
    at = body + size + (size & 1);
  }
  return { ...(format ? { format } : {}), audioBytes: 0 };
}

function formatAt(file: Buffer, body: number, size: number): Format {
  const tag = file.readUInt16LE(body);
  // An extensible header holds the encoding proper further behind.
  const inner = tag === EXTENSIBLE && size >= 26 && body + 26 <= file.length ? file.readUInt16LE(body + 24) : tag;
  return {
    tag: inner,
    channels: file.readUInt16LE(body + 2),
    rate: file.readUInt32LE(body + 4),
    bits: file.readUInt16LE(body + 14),
  };
}

function formatText({ tag, rate, channels, bits }: Format): string {
  const encoding = ENCODINGS[tag] ?? `format ${tag}`;
  const sound = channels === 1 ? 'mono' : channels === 2 ? 'stereo' : `${channels} channels`;
  return `${rate} Hz, ${sound}, ${bits > 0 ? `${bits}-bit ` : ''}${encoding}`;
}

/** The line that converts a WAV: only what has to change. Of several channels the left one is the caller's. */
function soxHint({ tag, rate, channels }: Format, path: string): string {
  if (tag === MP3) return `convert it with: ${ffmpegLine(path)}`;
  const line = ['sox', quoted(path), ...(rate === 8000 ? [] : ['-r 8000']), TO_MU_LAW, quoted(converted(path))];
  if (channels <= 1) return `convert it with: ${line.join(' ')}`;
  return `convert it with: ${line.join(' ')} remix 1   (the left channel; remix 2 takes the right)`;
}

/** The line that makes an 8 kHz mu-law WAV of any sound. */
export const soxLine = (from: string, to: string, type = ''): string =>
  `sox ${type}${quoted(from)} -r 8000 -c 1 ${TO_MU_LAW} ${quoted(to)}`;

const TO_MU_LAW = '-e u-law -b 8';

const ffmpegLine = (path: string): string =>
  `ffmpeg -i ${quoted(path)} -ar 8000 -ac 1 -c:a pcm_mulaw ${quoted(converted(path))}`;

const MP3_NOTE = '   (needs the package libsox-fmt-mp3)';

/** Other containers by their first bytes; `sox` is the type to name where the extension says another one. */
const CONTAINERS: readonly { what: string; starts: RegExp; sox?: string; extensions: readonly string[] }[] = [
  { what: 'an MP3', starts: /^(?:ID3|\xff[\xe2-\xfb])/, sox: 'mp3', extensions: ['.mp3'] },
  { what: 'an Ogg file', starts: /^OggS/, sox: 'ogg', extensions: ['.ogg', '.oga'] },
  { what: 'a FLAC file', starts: /^fLaC/, sox: 'flac', extensions: ['.flac'] },
  { what: 'an AIFF file', starts: /^FORM.{4}AIF/s, sox: 'aiff', extensions: ['.aiff', '.aif'] },
  { what: 'an AU file', starts: /^\.snd/, sox: 'au', extensions: ['.au', '.snd'] },
  { what: 'an AMR file', starts: /^#!AMR/, sox: 'amr-nb', extensions: ['.amr'] },
  { what: 'a 64-bit WAV file', starts: /^(?:RF64|riff)/, extensions: [] },
  { what: 'an MP4 or M4A file', starts: /^.{4}ftyp/s, extensions: [] },
  { what: 'a WebM or Matroska file', starts: /^[^ -~]\x45\xdf\xa3/, extensions: [] },
];

/** Endings of files without a header. */
const HEADERLESS = /^\.(?:ul|ulaw|mulaw|raw|pcm|al|alaw)$/i;

function otherKind(file: Buffer, path: string): string {
  const start = file.toString('latin1', 0, 16);
  const known = CONTAINERS.find(({ starts }) => starts.test(start));
  if (!known) {
    if (HEADERLESS.test(extname(path)))
      return `sound without a header; if it is 8 kHz mu-law, wrap it with: sox -t ul -r 8000 -c 1 ${quoted(path)} ${quoted(converted(path))}`;
    return `neither a WAV file, a caller file nor a tape (it begins with ${JSON.stringify(start.slice(0, 8))})`;
  }
  const expected = `this is ${known.what}; expected a WAV file, ${WANTED}; convert it with: `;
  if (known.sox === undefined) return expected + ffmpegLine(path);
  const type = known.extensions.includes(extname(path).toLowerCase()) ? '' : `-t ${known.sox} `;
  return expected + soxLine(path, converted(path), type) + (known.sox === 'mp3' ? MP3_NOTE : '');
}

function converted(path: string): string {
  const ending = extname(path);
  return `${path.slice(0, path.length - (basename(path) === ending ? 0 : ending.length))}-8k.wav`;
}

/** As a shell takes it for one word. */
const quoted = (path: string): string =>
  /^[\w./+,:@-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
