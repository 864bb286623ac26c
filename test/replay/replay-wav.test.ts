// Recordings: what is not 8 kHz mu-law is called what it is, with the line that converts this very file.
import { describe, expect, test } from 'vitest';
import { wavHeader, writeWav } from '../../src/audio/wav.ts';
import { readRecording } from '../../src/replay/replay-wav.ts';

/** A WAV of this format with `bytes` of sound. */
function wav(tag: number, rate: number, channels: number, bits: number, bytes = 1_600): Buffer {
  const header = wavHeader(bytes, channels);
  header.writeUInt16LE(tag, 20);
  header.writeUInt32LE(rate, 24);
  header.writeUInt16LE(bits, 34);
  return Buffer.concat([header, Buffer.alloc(bytes, 0x55)]);
}

/** The subtype of an extensible header stands 24 bytes into it. */
function extensible(tag: number): Buffer {
  const fmt = Buffer.alloc(48);
  fmt.write('fmt ', 0, 'latin1');
  fmt.writeUInt32LE(40, 4);
  fmt.writeUInt16LE(65_534, 8);
  fmt.writeUInt16LE(2, 10);
  fmt.writeUInt32LE(48_000, 12);
  fmt.writeUInt16LE(24, 22);
  fmt.writeUInt16LE(tag, 32);
  const data = Buffer.concat([Buffer.from('data\x08\0\0\0', 'latin1'), Buffer.alloc(8)]);
  return Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE', 'latin1'), fmt, data]);
}

const fault = (file: Buffer, name = 'in.wav'): string => {
  try {
    readRecording(file, name);
    return 'no fault';
  } catch (error) {
    return (error as Error).message;
  }
};

test('8 kHz mu-law is read; of two channels the left one', () => {
  const left = Buffer.alloc(800, 1);
  const { bytes, durationMs } = readRecording(writeWav([left, Buffer.alloc(800, 2)]), 'in.wav');
  expect([Buffer.from(bytes), durationMs]).toEqual([left, 100]);
});

test('sound that is cut off is taken as far as it goes', () => {
  const cut = writeWav([Buffer.alloc(1_600)]).subarray(0, 58 + 800);
  expect(readRecording(cut, 'in.wav').durationMs).toBe(100);
});

describe('another WAV', () => {
  test.each([
    [wav(1, 8000, 1, 16), '8000 Hz, mono, 16-bit PCM', 'sox in.wav -e u-law -b 8 in-8k.wav'],
    [
      wav(1, 44_100, 2, 16),
      '44100 Hz, stereo, 16-bit PCM',
      'sox in.wav -r 8000 -e u-law -b 8 in-8k.wav remix 1   (the left channel; remix 2 takes the right)',
    ],
    [wav(3, 16_000, 1, 32), '16000 Hz, mono, 32-bit float', 'sox in.wav -r 8000 -e u-law -b 8 in-8k.wav'],
    [wav(6, 8000, 1, 8), '8000 Hz, mono, 8-bit A-law', 'sox in.wav -e u-law -b 8 in-8k.wav'],
    [wav(7, 16_000, 1, 8), '16000 Hz, mono, 8-bit mu-law', 'sox in.wav -r 8000 -e u-law -b 8 in-8k.wav'],
    [
      wav(1, 48_000, 6, 24),
      '48000 Hz, 6 channels, 24-bit PCM',
      'sox in.wav -r 8000 -e u-law -b 8 in-8k.wav remix 1   (the left channel; remix 2 takes the right)',
    ],
    [
      extensible(3),
      '48000 Hz, stereo, 24-bit float',
      'sox in.wav -r 8000 -e u-law -b 8 in-8k.wav remix 1   (the left channel; remix 2 takes the right)',
    ],
    [
      wav(85, 8000, 1, 0),
      '8000 Hz, mono, MP3 in a WAV header',
      'ffmpeg -i in.wav -ar 8000 -ac 1 -c:a pcm_mulaw in-8k.wav',
    ],
  ])('%#: %s', (file, what, line) => {
    expect(fault(file)).toBe(`in.wav: this is ${what}; expected 8 kHz mu-law; convert it with: ${line}`);
  });

  test('whose header breaks off, or that holds no sound, is said to', () => {
    const whole = writeWav([Buffer.alloc(1_600)]);
    expect(fault(whole.subarray(0, 20))).toBe('in.wav: a WAV file whose header breaks off (20 bytes); get it again');
    expect(fault(whole.subarray(0, 50))).toMatch(/^in\.wav: a WAV file without any sound in it/);
    expect(fault(writeWav([Buffer.alloc(0)]))).toBe(
      'in.wav: a WAV file without any sound in it (8000 Hz, mono, 8-bit mu-law)',
    );
    expect(fault(Buffer.alloc(0))).toBe('in.wav: the file is empty');
  });
});

describe('no WAV at all', () => {
  test.each([
    [
      'ID3\x04',
      'talk.wav',
      'an MP3',
      'sox -t mp3 talk.wav -r 8000 -c 1 -e u-law -b 8 talk-8k.wav   (needs the package libsox-fmt-mp3)',
    ],
    [
      '\xff\xfb\x90\x64',
      'talk.mp3',
      'an MP3',
      'sox talk.mp3 -r 8000 -c 1 -e u-law -b 8 talk-8k.wav   (needs the package libsox-fmt-mp3)',
    ],
    ['OggS\0', 'talk.opus.wav', 'an Ogg file', 'sox -t ogg talk.opus.wav -r 8000 -c 1 -e u-law -b 8 talk.opus-8k.wav'],
    ['fLaC', 'a/b.flac', 'a FLAC file', 'sox a/b.flac -r 8000 -c 1 -e u-law -b 8 a/b-8k.wav'],
    [
      '\0\0\0 ftypM4A ',
      'memo.m4a',
      'an MP4 or M4A file',
      'ffmpeg -i memo.m4a -ar 8000 -ac 1 -c:a pcm_mulaw memo-8k.wav',
    ],
    [
      '\x1a\x45\xdf\xa3',
      'memo.webm',
      'a WebM or Matroska file',
      'ffmpeg -i memo.webm -ar 8000 -ac 1 -c:a pcm_mulaw memo-8k.wav',
    ],
  ])('%j as %s is %s', (start, name, what, line) => {
    const file = Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(100)]);
    expect(fault(file, name)).toBe(
      `${name}: this is ${what}; expected a WAV file, 8 kHz mu-law; convert it with: ${line}`,
    );
  });

  test('sound without a header, and what is nothing that we know', () => {
    expect(fault(Buffer.alloc(100, 0xff), 'x.ulaw')).toBe(
      'x.ulaw: sound without a header; if it is 8 kHz mu-law, wrap it with: sox -t ul -r 8000 -c 1 x.ulaw x-8k.wav',
    );
    expect(fault(Buffer.from('hello, this is text'), 'x.wav')).toBe(
      'x.wav: neither a WAV file, a caller file nor a tape (it begins with "hello, t")',
    );
  });

  test('names that a shell would take apart are quoted', () => {
    expect(fault(wav(1, 8000, 1, 16), "it's a call.wav")).toContain(
      String.raw`sox 'it'\''s a call.wav' -e u-law -b 8 'it'\''s a call-8k.wav'`,
    );
  });
});
