import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { levelDbfs } from '../../src/audio/mulaw.ts';
import { readWav } from '../../src/audio/wav.ts';
import { audioFormat } from '../../src/simulator/audio-format.ts';
import { clip, clipNames } from '../../src/simulator/clips.ts';

const folders = ['../../src/simulator/clips/', '../../agents/clips/'].map((path) => new URL(path, import.meta.url));

for (const folder of folders) {
  test(`every clip in ${folder.pathname.split('/').slice(-4, -1).join('/')} is telephone audio at speaking level, as listed`, () => {
    const listed = JSON.parse(readFileSync(new URL('clips.json', folder), 'utf8')) as Record<
      string,
      { text: string; ms: number }
    >;
    const files = readdirSync(folder).filter((name) => name.endsWith('.wav'));
    expect(files.map((name) => name.replace('.wav', '')).sort()).toEqual(Object.keys(listed).sort());
    for (const [name, { ms }] of Object.entries(listed)) {
      const wav = readWav(readFileSync(new URL(`${name}.wav`, folder)));
      expect(wav.channels).toHaveLength(1);
      expect(Math.floor(wav.durationMs)).toBe(ms);
      expect(Math.abs(levelDbfs(wav.channels[0] as Uint8Array) + 20)).toBeLessThan(2);
    }
  });
}

test('names the clips there are when one is missing', () => {
  expect(() => clip('nonsense')).toThrow(/clinic_greeting/);
  expect(clipNames()).toContain('long_story');
});

test('the three formats of one clip are equally long and about equally loud', () => {
  const { audio } = clip('short_ok');
  for (const type of ['audio/pcmu', 'audio/pcma', 'audio/pcm'] as const) {
    const format = audioFormat({ type });
    const converted = format.fromMulaw(audio);
    expect(converted.length / format.bytesPerMs).toBe(audio.length / 8);
    expect(Math.abs(format.level(converted) - levelDbfs(audio))).toBeLessThan(1);
  }
});
