// What Chromium's fake microphone plays: a recorded human as the linear 16-bit WAV that it reads.
import { decode } from '../../src/audio/mulaw.ts';

const HEAD_BYTES = 44;
const RATE = 8_000;

/** @param mulaw PCMU, 8 kHz */
export function microphoneWav(mulaw: Uint8Array): Buffer {
  const samples = decode(mulaw);
  const wav = Buffer.alloc(HEAD_BYTES + 2 * samples.length);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(RATE, 24);
  wav.writeUInt32LE(2 * RATE, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(2 * samples.length, 40);
  for (const [i, sample] of samples.entries()) wav.writeInt16LE(sample, HEAD_BYTES + 2 * i);
  return wav;
}
