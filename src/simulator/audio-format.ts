// The three audio formats a session may ask for, seen from mu-law: how long bytes last, how loud they are, and how the
// simulator's own mu-law recordings are turned into them.
import { BYTES_PER_MS, decode, levelDbfs } from '../audio/mulaw.ts';

/** A format object as the protocol writes it. */
export type FormatObject = { type: 'audio/pcm'; rate?: number } | { type: 'audio/pcmu' } | { type: 'audio/pcma' };

/** What the simulator needs to know of one format. */
export interface AudioFormat {
  type: FormatObject['type'];
  bytesPerMs: number;
  /** dBFS of one window, -100 at the least. */
  level(window: Uint8Array): number;
  /** The same sound from PCMU bytes. */
  fromMulaw(bytes: Buffer): Buffer;
}

const PCMU: AudioFormat = {
  type: 'audio/pcmu',
  bytesPerMs: BYTES_PER_MS,
  level: levelDbfs,
  fromMulaw: (bytes) => bytes,
};

const PCMA: AudioFormat = {
  type: 'audio/pcma',
  bytesPerMs: 8,
  level: (window) => level(Int16Array.from(window, alawToLinear)),
  fromMulaw: (bytes) => Buffer.from(Uint8Array.from(decode(bytes), linearToAlaw)),
};

const PCM: AudioFormat = {
  type: 'audio/pcm',
  bytesPerMs: 48,
  level(window) {
    const samples = new Int16Array(window.length >> 1);
    const view = new DataView(window.buffer, window.byteOffset, window.byteLength);
    for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(i * 2, true);
    return level(samples);
  },
  // 8 to 24 kHz by straight lines between samples: enough for a test voice.
  fromMulaw(bytes) {
    const samples = decode(bytes);
    const wide = Buffer.alloc(samples.length * 6);
    samples.forEach((sample, i) => {
      const step = ((samples[i + 1] ?? sample) - sample) / 3;
      for (let third = 0; third < 3; third++) wide.writeInt16LE(Math.round(sample + step * third), i * 6 + third * 2);
    });
    return wide;
  },
};

/** The format that a session's format object names; the API's default, 24 kHz PCM, when there is none. */
export const audioFormat = (format: FormatObject | null | undefined): AudioFormat =>
  format?.type === 'audio/pcmu' ? PCMU : format?.type === 'audio/pcma' ? PCMA : PCM;

function level(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = samples.length > 0 ? Math.sqrt(sum / samples.length) / 32_768 : 0;
  return rms > 0.00001 ? 20 * Math.log10(rms) : -100;
}

// ITU-T G.711 A-law, written out here because the product itself only speaks mu-law.
function alawToLinear(byte: number): number {
  const value = byte ^ 0x55;
  const segment = (value >> 4) & 7;
  const step = (value & 0x0f) * 16 + 8;
  const magnitude = segment === 0 ? step : (step + 256) << (segment - 1);
  return value & 0x80 ? magnitude : -magnitude;
}

function linearToAlaw(sample: number): number {
  const magnitude = Math.min(32_767, sample < 0 ? -sample - 1 : sample);
  const segment = Math.max(0, 24 - Math.clz32(magnitude));
  const step = (magnitude >> (segment === 0 ? 4 : segment + 3)) & 0x0f;
  return ((sample < 0 ? 0 : 0x80) | (segment << 4) | step) ^ 0x55;
}
