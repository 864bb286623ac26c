// WAV in telephone format (8 kHz mu-law, format tag 7): what callers are played from and recordings are written to.

/** One parsed WAV file; `channels[0]` is left. All channels have the same number of PCMU bytes. */
export interface MulawWav {
  channels: Uint8Array[];
  durationMs: number;
}

const FORMAT_NAMES: Record<number, string> = { 1: 'PCM', 3: 'float', 6: 'A-law', 7: 'mu-law', 65_534: 'extensible' };

/** A WAV that is not 8 kHz mu-law; the message says what it is and how to convert it. */
export class WavError extends Error {
  override name = 'WavError';
}

/** The 58-byte header of a mu-law WAV (fmt with extension size, fact, data), for `dataBytes` of interleaved audio. */
export function wavHeader(dataBytes: number, channels: number): Buffer {
  const header = Buffer.alloc(58);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(50 + dataBytes, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(18, 16);
  header.writeUInt16LE(7, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(8000, 24);
  header.writeUInt32LE(8000 * channels, 28);
  header.writeUInt16LE(channels, 32);
  header.writeUInt16LE(8, 34);
  header.writeUInt16LE(0, 36);
  header.write('fact', 38, 'latin1');
  header.writeUInt32LE(4, 42);
  header.writeUInt32LE(Math.floor(dataBytes / channels), 46);
  header.write('data', 50, 'latin1');
  header.writeUInt32LE(dataBytes, 54);
  return header;
}

/** A whole WAV file from one PCMU buffer per channel; shorter channels are filled with silence. */
export function writeWav(channels: readonly Uint8Array[]): Buffer {
  const length = Math.max(0, ...channels.map((c) => c.length));
  const data = Buffer.alloc(length * channels.length, 0xff);
  channels.forEach((bytes, c) => {
    for (let i = 0; i < bytes.length; i++) data[i * channels.length + c] = bytes[i] as number;
  });
  return Buffer.concat([wavHeader(data.length, channels.length), data]);
}

/**
 * Reads an 8 kHz mu-law WAV.
 * @param name used in error texts only
 * @throws WavError naming the format found and the sox line that converts it
 */
export function readWav(file: Buffer, name = 'file'): MulawWav {
  const fix = `convert it with: sox "${name}" -r 8000 -c 1 -e u-law -b 8 "${name.replace(/\.\w+$/, '')}-8k.wav"`;
  if (file.length < 12 || file.toString('latin1', 0, 4) !== 'RIFF' || file.toString('latin1', 8, 12) !== 'WAVE')
    throw new WavError(`${name} is not a WAV file; ${fix}`);
  let offset = 12;
  let format: { tag: number; channels: number; rate: number; bits: number } | undefined;
  while (offset + 8 <= file.length) {
    const id = file.toString('latin1', offset, offset + 4);
    const size = file.readUInt32LE(offset + 4);
    const body = offset + 8;
    if (id === 'fmt ' && body + 16 <= file.length) {
      format = {
        tag: file.readUInt16LE(body),
        channels: file.readUInt16LE(body + 2),
        rate: file.readUInt32LE(body + 4),
        bits: file.readUInt16LE(body + 14),
      };
    } else if (id === 'data') {
      if (!format) break;
      if (format.tag !== 7 || format.rate !== 8000 || format.bits !== 8 || format.channels < 1) {
        const kind = FORMAT_NAMES[format.tag] ?? `format ${format.tag}`;
        throw new WavError(
          `${name} is ${format.rate} Hz ${format.bits}-bit ${kind}, ${format.channels} channel(s); expected 8000 Hz mu-law; ${fix}`,
        );
      }
      const data = file.subarray(body, Math.min(file.length, body + size));
      const frames = Math.floor(data.length / format.channels);
      const channels = Array.from({ length: format.channels }, (_, c) => {
        if (format!.channels === 1) return new Uint8Array(data.subarray(0, frames));
        const bytes = new Uint8Array(frames);
        for (let i = 0; i < frames; i++) bytes[i] = data[i * format!.channels + c] as number;
        return bytes;
      });
      return { channels, durationMs: frames / 8 };
    }
    offset = body + size + (size & 1);
  }
  throw new WavError(`${name} has no audio data; ${fix}`);
}
