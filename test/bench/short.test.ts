import { describe, expect, test } from 'vitest';
import { spreadOf } from '../../bench/percentiles.ts';
import { Samples } from '../../bench/prometheus.ts';
import { markdown } from '../../bench/report.ts';
import { StampReader, StampWriter } from '../../bench/stamps.ts';

describe('percentiles', () => {
  test('are values that were measured, by nearest rank', () => {
    const values = Array.from({ length: 1_000 }, (_, i) => 1_000 - i);
    expect(spreadOf(values)).toEqual({ count: 1_000, p50: 500, p95: 950, p99: 990, max: 1_000 });
    expect(spreadOf([7])).toEqual({ count: 1, p50: 7, p95: 7, p99: 7, max: 7 });
  });

  test('sort by number, not by text', () => {
    expect(spreadOf([9, 10, 100]).max).toBe(100);
    expect(spreadOf([9, 10, 100]).p50).toBe(10);
  });

  test('of nothing are no numbers', () => {
    expect(spreadOf([])).toEqual({ count: 0, p50: Number.NaN, p95: Number.NaN, p99: Number.NaN, max: Number.NaN });
  });
});

describe('stamps', () => {
  const frames = (line: number, count: number): Buffer[] => {
    const writer = new StampWriter(line);
    return Array.from({ length: count }, () => writer.take(20));
  };
  const account = (reader: StampReader) => {
    const { line, next, missing, repeated, disordered, strays, foreignBytes } = reader;
    return { line, next, missing, repeated, disordered, strays, foreignBytes };
  };
  const clean = { line: 300, next: 100, missing: 0, repeated: 0, disordered: 0, strays: 0, foreignBytes: 0 };
  const readAll = (pieces: Buffer[]): StampReader => {
    const reader = new StampReader();
    for (const piece of pieces) reader.read(piece);
    return reader;
  };

  test('come through whole, however they are cut', () => {
    const sent = frames(300, 5);
    expect(account(readAll(sent))).toEqual(clean);
    const all = Buffer.concat(sent);
    expect(account(readAll([all.subarray(0, 163), all.subarray(163, 170), all.subarray(170)]))).toEqual(clean);
  });

  test('number past seven and fourteen bits', () => {
    const writer = new StampWriter(16_383);
    writer.next = 2_097_150;
    const reader = new StampReader();
    reader.next = 2_097_150;
    reader.read(writer.take(20));
    expect(account(reader)).toEqual({ ...clean, line: 16_383, next: 2_097_170 });
  });

  test('tell what was lost', () => {
    const sent = frames(300, 5);
    sent.splice(2, 1);
    expect(account(readAll(sent))).toEqual({ ...clean, missing: 20 });
  });

  test('tell what came twice, and what came late', () => {
    const [a, b, c, d, e] = frames(300, 5) as [Buffer, Buffer, Buffer, Buffer, Buffer];
    expect(account(readAll([a, b, b, c, d, e]))).toEqual({ ...clean, repeated: 20 });
    expect(account(readAll([a, c, b, d, e]))).toEqual({ ...clean, disordered: 20 });
  });

  test('tell audio of another line, and bytes that nobody stamped', () => {
    const sent = frames(300, 5);
    const [stray] = frames(7, 1) as [Buffer];
    expect(account(readAll([...sent, stray]))).toEqual({ ...clean, strays: 20 });
    expect(account(readAll([...sent.slice(0, 2), Buffer.alloc(160, 0xff), ...sent.slice(2)]))).toEqual({
      ...clean,
      foreignBytes: 160,
    });
    (sent[3] as Buffer)[9] = 0x11;
    expect(account(readAll(sent))).toEqual({ ...clean, missing: 1, foreignBytes: 8 });
  });
});

describe('Prometheus text', () => {
  const samples = new Samples(
    [
      '# HELP frames Frames.',
      'frames{path="in"} 10',
      'frames{path="out"} 5',
      'ended{reason="caller_hung_up"} 3',
      'ended{reason="drained"} 0',
      'stop_bucket{le="+Inf"} 4',
      'stop_bucket{le="0.001"} 3',
      'plain 1.5e3',
    ].join('\n'),
  );

  test('is summed by label', () => {
    expect(samples.sum('frames')).toBe(15);
    expect(samples.sum('frames', 'path="in"')).toBe(10);
    expect(samples.sum('plain')).toBe(1_500);
    expect(samples.sum('absent')).toBeNaN();
  });

  test('is listed by label, zeros left out', () => {
    expect(samples.by('ended', 'reason')).toEqual({ caller_hung_up: 3 });
  });

  test('gives a histogram its buckets in order', () => {
    expect(samples.buckets('stop')).toEqual([
      { le: 0.001, count: 3 },
      { le: Number.POSITIVE_INFINITY, count: 4 },
    ]);
  });
});

test('a table is as wide as its widest cells', () => {
  expect(markdown({ title: '', columns: ['a', 'long'], rows: [['wide cell', '1']] })).toBe(
    ['| a         | long |', '| --------- | ---- |', '| wide cell | 1    |'].join('\n'),
  );
});
