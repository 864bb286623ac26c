// The playback ledger by itself: send clock, whole frames, marks, stops.
import { describe, expect, test } from 'vitest';
import * as ledger from '../../src/call/playback.ts';
import type { Playback } from '../../src/call/playback.ts';

const MS = 8;
const track = (utterance: string, receivedMs: number, complete = true) => ({
  utterance,
  answer: 'r1',
  protected: false,
  received: receivedMs * MS,
  sent: 0,
  complete,
  lost: null,
});

/** Sends all that may be sent at `atMs`; returns what went out. */
function send(p: Playback, atMs: number, maxAheadMs = 4_000): [Playback, ledger.Range[], string[]] {
  const ranges: ledger.Range[] = [];
  const marks: string[] = [];
  for (;;) {
    const marked = ledger.markIfDue(p);
    if (marked) {
      p = marked[0];
      marks.push(marked[1]);
      continue;
    }
    const sent = ledger.sendNext(p, atMs, maxAheadMs);
    if (!sent) return [p, ranges, marks];
    p = sent[0];
    ranges.push(sent[1]);
  }
}

const heardMs = (p: Playback, utterance: string, atMs: number): number => {
  const found = ledger.findTrack(p, utterance);
  return found ? ledger.heardBytes(p, found, atMs) / MS : Number.NaN;
};

describe('the send clock', () => {
  test('audio starts at the later of now and the end of what is queued', () => {
    let p = ledger.openTrack(ledger.emptyPlayback(), track('u1', 1_000));
    [p] = send(p, 100);
    p = ledger.openTrack(p, track('u2', 500));
    const [, ranges] = send(p, 300);
    expect(ranges[0]).toMatchObject({ utterance: 'u2', startsAtMs: 1_100 });
  });

  test('heard grows with time and stops at what was sent', () => {
    const [p] = send(ledger.openTrack(ledger.emptyPlayback(), track('u1', 1_000)), 0);
    expect([0, 250.5, 999, 5_000].map((at) => heardMs(p, 'u1', at))).toEqual([0, 250.5, 999, 1_000]);
  });

  test('a pause of the model inside an utterance does not count as heard', () => {
    let p = ledger.openTrack(ledger.emptyPlayback(), { ...track('u1', 200), complete: false });
    [p] = send(p, 0);
    p = ledger.updateTrack(p, 'u1', { received: 600 * MS });
    const [next, ranges] = send(p, 1_000);
    expect(ranges[0]).toMatchObject({ startsAtMs: 1_000, underrunMs: 800 });
    expect(heardMs(next, 'u1', 1_100)).toBe(300);
  });

  test('a new utterance ends the one before, whose end was lost: its tail goes out, its mark follows', () => {
    let p = ledger.openTrack(ledger.emptyPlayback(), { ...track('u1', 137), complete: false });
    [p] = send(p, 0);
    p = ledger.openTrack(p, { ...track('u2', 200), complete: false });
    const [, ranges, marks] = send(p, 10);
    expect(ranges).toMatchObject([
      { utterance: 'u1', fromByte: 120 * MS, toByte: 137 * MS },
      { utterance: 'u2', fromByte: 0 },
    ]);
    expect(marks).toEqual(['g1.1']);
  });

  test('the last frame is padded, and what follows starts after the padding', () => {
    const [p, ranges] = send(ledger.openTrack(ledger.emptyPlayback(), track('u1', 30)), 0);
    expect(ranges).toMatchObject([{ toByte: 240, padBytes: 80 }]);
    expect(p.queueEndsAtMs).toBe(40);
  });

  test('an unfinished utterance goes out in whole frames only', () => {
    const [p, ranges] = send(ledger.openTrack(ledger.emptyPlayback(), { ...track('u1', 137), complete: false }), 0);
    expect(ranges).toMatchObject([{ fromByte: 0, toByte: 120 * MS, padBytes: 0 }]);
    expect(ledger.hasUnsent(p)).toBe(false);
  });

  test('no more than the allowed time is sent ahead', () => {
    let p = ledger.openTrack(ledger.emptyPlayback(), track('u1', 60_000));
    [p] = send(p, 0);
    expect(p.queueEndsAtMs).toBe(4_000);
    [p] = send(p, 600);
    expect(p.queueEndsAtMs).toBe(4_600);
  });
});

describe('marks', () => {
  test('one follows each utterance, and one each second of a long one', () => {
    const [, , marks] = send(ledger.openTrack(ledger.emptyPlayback(), track('u1', 300)), 0);
    expect(marks).toEqual(['g1.1']);
  });

  test('the mark behind the last byte settles the utterance as heard, once', () => {
    const [sent] = send(ledger.openTrack(ledger.emptyPlayback(), track('u1', 300)), 0);
    const [p, notes] = ledger.markPlayed(sent, 'g1.1', 310);
    expect(notes).toEqual([{ utterance: 'u1', outcome: 'heard', heardMs: 300, sentMs: 300, receivedMs: 300 }]);
    expect(p.tracks).toEqual([]);
    expect(ledger.markPlayed(p, 'g1.1', 320)[1]).toEqual([]);
  });

  test('a mark of an earlier queue says nothing', () => {
    let [p] = send(ledger.openTrack(ledger.emptyPlayback(), track('u1', 300)), 0);
    p = ledger.stopAll(p, 100).playback;
    expect(ledger.markPlayed(p, 'g1.1', 310)).toEqual([p, []]);
    [p] = send(ledger.openTrack(p, track('u2', 300)), 400);
    expect(p.marks[0]?.mark).toBe('g2.2');
  });

  test('a mark that comes early moves the clock: the queue ran ahead', () => {
    let p = ledger.openTrack(ledger.emptyPlayback(), track('u1', 3_000));
    p = ledger.updateTrack(p, 'u1', { received: 1_000 * MS, complete: false });
    [p] = send(p, 0);
    p = ledger.updateTrack(p, 'u1', { received: 3_000 * MS, complete: true });
    [p] = send(p, 10);
    [p] = ledger.markPlayed(p, 'g1.1', 900);
    expect(p.queueEndsAtMs).toBe(2_900);
    expect(heardMs(p, 'u1', 1_000)).toBe(1_100);
  });

  test('one late mark is jitter, two far too late in a row are a queue that stood still', () => {
    let p = ledger.openTrack(ledger.emptyPlayback(), track('u1', 8_000, false));
    for (let second = 1; second <= 8; second++) {
      p = ledger.updateTrack(p, 'u1', { received: second * 1_000 * MS });
      [p] = send(p, 0, 60_000);
    }
    [p] = ledger.markPlayed(p, 'g1.1', 1_050);
    [p] = ledger.markPlayed(p, 'g1.2', 2_550);
    expect(p.queueEndsAtMs).toBe(8_000);
    [p] = ledger.markPlayed(p, 'g1.3', 3_550);
    expect(p.queueEndsAtMs).toBe(8_500);
    expect(heardMs(p, 'u1', 4_500)).toBe(4_000);
  });
});

describe('a stop', () => {
  test('names what was not fully heard, to the millisecond, and what was never heard as zero', () => {
    let p = ledger.openTrack(ledger.emptyPlayback(), track('u1', 500));
    p = ledger.openTrack(p, track('u2', 1_000));
    p = ledger.openTrack(p, track('u3', 1_000));
    [p] = send(p, 0);
    const stopped = ledger.stopAll(p, 777.7);
    expect(stopped.heard).toEqual([
      { utterance: 'u2', heardMs: 277 },
      { utterance: 'u3', heardMs: 0 },
    ]);
    expect(stopped.notes.map((n) => n.outcome)).toEqual(['heard', 'interrupted', 'unheard']);
    expect(stopped.unheardMs).toBe(723 + 1_000);
    expect(stopped.playback).toMatchObject({ generation: 2, tracks: [], marks: [], queueEndsAtMs: 777.7 });
  });

  test('cuts an utterance that is still being produced even when all of it so far was heard', () => {
    let p = ledger.openTrack(ledger.emptyPlayback(), track('u1', 400, false));
    [p] = send(p, 0);
    expect(ledger.stopAll(p, 2_000).heard).toEqual([{ utterance: 'u1', heardMs: 400 }]);
  });

  test('does not tell the model of recorded clips', () => {
    let p = ledger.openTrack(ledger.emptyPlayback(), { ...track('clip:greeting', 400), answer: null });
    [p] = send(p, 0);
    expect(ledger.stopAll(p, 100)).toMatchObject({ heard: [], notes: [{ outcome: 'interrupted', heardMs: 100 }] });
  });
});
