// Which lines make a difference between a seller's counts and ours.
import { expect, test } from 'vitest';
import { type Bucket, type Evidence, explain } from '../../src/reconcile/explain.ts';
import type { Piece } from '../../src/reconcile/pick.ts';
import { minus, NOTHING, PARTS, placeOf, plus, type Vector } from '../../src/reconcile/vector.ts';

const HOUR = 3_600_000;
const answers: Evidence = { sharp: true, strongTwins: true, requests: true };

const answer = (text: number, out: number): Vector => {
  const used = PARTS.map(() => 0);
  used[placeOf('text_fresh')] = text;
  used[placeOf('audio_out')] = out;
  return [...used, 1];
};
const piece = (id: number, atMs: number, used: Vector, twin = false): Piece => ({
  id,
  atMs,
  used,
  twin,
  reckoned: false,
});

/** Hours with these differences; null is not reported yet. */
const hours = (...differences: (Vector | null)[]): Bucket[] =>
  differences.map((difference, i) => ({ fromMs: i * HOUR, toMs: (i + 1) * HOUR, difference }));

const explained = (buckets: readonly Bucket[], pieces: readonly Piece[], evidence = answers) =>
  explain(buckets, (bucket) => pieces.filter(({ atMs }) => Math.floor(atMs / HOUR) === bucket), evidence);

const minusOne = (used: Vector): Vector => minus(NOTHING, used);
const a = answer(900, 300);
const b = answer(950, 420);

test('what fits needs no explanation, and no line is asked for', () => {
  const none = explain(hours(NOTHING, NOTHING), () => expect.unreachable(), answers);
  expect(none).toEqual({ moved: [], extra: [], left: [NOTHING, NOTHING] });
});

test('a line at the border is moved over it', () => {
  const line = piece(1, HOUR - 2_000, a);
  const { moved, left } = explained(hours(minusOne(a), a), [piece(0, 5_000, b), line]);
  expect(moved).toEqual([{ piece: line, from: 0, to: 1 }]);
  expect(left).toEqual([NOTHING, NOTHING]);
});

test('a line far from its hour is found by its counts alone', () => {
  const line = piece(1, 5 * HOUR + 1_800_000, a);
  const { moved } = explained(hours(a, NOTHING, NOTHING, NOTHING, NOTHING, minusOne(a)), [line]);
  expect(moved).toEqual([{ piece: line, from: 5, to: 0 }]);
});

test('two lines of the same counts: the later is the copy', () => {
  const twin = piece(1, 60_040, a, true);
  const { extra, left } = explained(hours(minusOne(a)), [piece(0, 60_000, a), twin, piece(2, 70_000, b)]);
  expect(extra).toEqual([{ piece: twin, bucket: 0 }]);
  expect(left).toEqual([NOTHING]);
});

test('one lost and one written twice in the same hour are told apart', () => {
  const twin = piece(1, 60_040, a, true);
  const { extra, left } = explained(hours(minus(b, a)), [piece(0, 60_000, a), twin]);
  expect(extra.map((found) => found.piece)).toEqual([twin]);
  expect(left).toEqual([b]);
});

test('a line written twice is not moved to where another one is lost', () => {
  const twin = piece(1, 60_040, a, true);
  const { moved, left } = explained(hours(minusOne(a), plus(a, b)), [piece(0, 60_000, a), twin]);
  expect(moved).toEqual([]);
  expect(left).toEqual([NOTHING, plus(a, b)]);
});

test('a lost line stays lost, whatever lines are near', () => {
  const { moved, extra, left } = explained(hours(a), [piece(0, 1_000, b), piece(1, 2_000, answer(1, 1))]);
  expect([moved, extra, left]).toEqual([[], [], [a]]);
});

test('nothing is moved to a neighbour that has no room for it', () => {
  const lines = [piece(0, HOUR - 1_000, a), piece(1, HOUR + 1_000, b)];
  const { moved, extra } = explained(hours(minusOne(a), minusOne(b)), lines);
  expect(moved).toEqual([]);
  expect(extra.map((found) => found.piece)).toEqual(lines);
});

test('where the following hour is not reported, only a line near its border may have gone there', () => {
  const near = piece(0, HOUR - 200_000, a);
  const weak = { ...answers, sharp: false };
  expect(explained(hours(minusOne(a), null), [near], weak).moved).toEqual([{ piece: near, from: 0, to: 1 }]);
  const far = piece(0, HOUR - 400_000, a);
  const unmoved = explained(hours(minusOne(a), null), [far], weak);
  expect([unmoved.moved, unmoved.left]).toEqual([[], [minusOne(a), NOTHING]]);
});

test('minutes name no line: a stream that is not near the border is not moved, and not dropped', () => {
  const { moved, extra, left } = explained(hours(minusOne(a), a), [piece(0, 60_000, a)], { ...answers, sharp: false });
  expect([moved, extra, left]).toEqual([[], [], [minusOne(a), a]]);
});
