import { expect, test } from 'vitest';
import {
  accountToCarrier,
  accountToModel,
  delaysToCarrier,
  delaysToModel,
  type Pair,
  pairs,
  stopsOf,
} from '../../bench/accounts.ts';
import type { Answer, CallBooks, CarrierBooks, ModelBooks, ReaderBooks, SessionBooks } from '../../bench/books.ts';

const WINDOW = { fromMs: 0, toMs: 1e9 };
const heard = (given: Partial<ReaderBooks>): ReaderBooks => ({
  line: 0,
  next: 0,
  missing: [],
  repeated: 0,
  disordered: 0,
  strays: 0,
  foreignBytes: 0,
  ...given,
});
const callOf = (given: Partial<CallBooks>): CallBooks => ({
  number: 0,
  sentAtMs: new Float64Array(),
  heard: heard({}),
  arrivedAtMs: new Float64Array(),
  clears: [],
  underruns: 0,
  wrong: null,
  ...given,
});
const sessionOf = (given: Partial<SessionBooks>): SessionBooks => ({
  number: 0,
  sentAtMs: new Float64Array(),
  answers: [],
  heard: heard({}),
  arrivedAtMs: new Float64Array(),
  errors: [],
  ...given,
});
// The two processes began to count at different times.
const carrier = (...calls: CallBooks[]): CarrierBooks => ({ clockOriginMs: 1_000, calls, lateMs: new Float64Array() });
const model = (...sessions: SessionBooks[]): ModelBooks => ({
  clockOriginMs: 400,
  sessions,
  lateMs: new Float64Array(),
});
const answer = (from: number, to: number, interruptedAtMs: number | null = null): Answer => ({
  from,
  to,
  interruptedAtMs,
});
const outOf = (call: Partial<CallBooks>, ...answers: Answer[]): Pair[] => [
  { call: callOf(call), session: sessionOf({ answers }) },
];

test('a call is found by the line that its session heard', () => {
  const found = pairs(
    carrier(callOf({ number: 0 }), callOf({ number: 1 })),
    model(sessionOf({ number: 7, heard: heard({ line: 1 }) })),
  );
  expect(found.map(({ session }) => session?.number)).toEqual([undefined, 7]);
});

test('caller frames that did not come are lost, those before the first told apart', () => {
  const call = callOf({ sentAtMs: new Float64Array(100) });
  const whole = { call, session: sessionOf({ heard: heard({ next: 2_000 }) }) };
  expect(accountToModel([whole])).toMatchObject({ sent: 100, arrived: 100, lost: 0 });
  const missing = [
    { from: 0, to: 60 },
    { from: 400, to: 420 },
  ];
  const holes = { call, session: sessionOf({ heard: heard({ next: 1_960, missing }) }) };
  expect(accountToModel([holes])).toMatchObject({ sent: 100, arrived: 94, lost: 6, lostAtStart: 3 });
  expect(accountToModel([{ call, session: undefined }])).toMatchObject({ lost: 100, lostAtStart: 100 });
});

test('the missing rest of an interrupted answer was dropped, the same of another one is lost', () => {
  const missing = [{ from: 1_000, to: 2_000 }];
  const came = { heard: heard({ next: 3_000, missing }) };
  expect(accountToCarrier(outOf(came, answer(0, 2_000, 5), answer(2_000, 3_000)))).toMatchObject({
    sent: 150,
    arrived: 100,
    dropped: 50,
    lost: 0,
  });
  expect(accountToCarrier(outOf(came, answer(0, 2_000), answer(2_000, 3_000)))).toMatchObject({ dropped: 0, lost: 50 });
});

test('a hole in the middle of an interrupted answer is lost all the same', () => {
  const missing = [{ from: 400, to: 420 }];
  const came = { heard: heard({ next: 1_200, missing }) };
  expect(accountToCarrier(outOf(came, answer(0, 2_000, 5)))).toMatchObject({ dropped: 40, lost: 1, arrived: 59 });
});

test('what never came at the end of a call is lost, unless its answer was interrupted', () => {
  const came = { heard: heard({ next: 1_600 }) };
  expect(accountToCarrier(outOf(came, answer(0, 2_000)))).toMatchObject({ lost: 20, dropped: 0 });
  expect(accountToCarrier(outOf(came, answer(0, 2_000, 5)))).toMatchObject({ lost: 0, dropped: 20 });
});

test('audio on a foreign call is told', () => {
  const came = { heard: heard({ line: 3, next: 200 }) };
  expect(accountToCarrier(outOf(came, answer(0, 200)))).toMatchObject({ strays: 10 });
});

test('delays are by the shared clock, within the window, of frames that came', () => {
  const call = callOf({ sentAtMs: Float64Array.of(10, 30, 50, 70) });
  const missing = [{ from: 20, to: 40 }];
  const session = sessionOf({ heard: heard({ next: 80, missing }), arrivedAtMs: Float64Array.of(611, 652, 652, 674) });
  const ends = [carrier(call), model(session)] as const;
  expect(delaysToModel(pairs(...ends), ...ends, WINDOW)).toEqual([1, 2, 4]);
  expect(delaysToModel(pairs(...ends), ...ends, { fromMs: 1_040, toMs: 1_060 })).toEqual([2]);
});

test('deltas late in an answer may be held back on purpose and are not timed', () => {
  const sentAtMs = Float64Array.from({ length: 21 }, (_, i) => 600 + i);
  const arrivedAtMs = Float64Array.from({ length: 21 }, (_, i) => i + 3);
  const session = sessionOf({ sentAtMs, answers: [answer(0, 4_000), answer(4_000, 4_200)] });
  const ends = [carrier(callOf({ arrivedAtMs })), model(session)] as const;
  // 19 of the first answer's 20, and the one of the second.
  expect(delaysToCarrier(pairs(...ends), ...ends, WINDOW)).toEqual(Array(20).fill(3));
});

test('a stop is the first clear after its interruption, and audio that still comes is noticed', () => {
  const clears = [
    { atMs: 100, next: 400 },
    { atMs: 902, next: 1_000 },
  ];
  const call = callOf({ clears, heard: heard({ next: 1_040 }) });
  const session = sessionOf({ answers: [answer(0, 2_000, 1_500)] });
  const ends = [carrier(call), model(session)] as const;
  expect(stopsOf(pairs(...ends), ...ends, WINDOW)).toEqual({ stopMs: [2], unanswered: 0, framesAfterClear: 2 });
});

test('an interruption that brings no clear within a second is unanswered', () => {
  const call = callOf({ clears: [{ atMs: 2_000, next: 0 }] });
  const ends = [carrier(call), model(sessionOf({ answers: [answer(0, 2_000, 1_500)] }))] as const;
  expect(stopsOf(pairs(...ends), ...ends, WINDOW)).toEqual({ stopMs: [], unanswered: 1, framesAfterClear: 0 });
});
