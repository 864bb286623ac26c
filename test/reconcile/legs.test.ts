// Legs against the carrier's calls, one by one.
import { expect, test } from 'vitest';
import { type LegsOfDay, settleLegs } from '../../src/reconcile/legs.ts';
import type { CarrierCall } from '../../src/reconcile/twilio-report.ts';
import type { LegToSettle } from '../../src/store/queries/reconcile-lines.ts';
import { dayNo, FIRST, minutesLine } from './ground.ts';

const NOON = FIRST + 12 * 3_600_000;
const MIDNIGHT = FIRST + 24 * 3_600_000;
const sid = (n: number): string => `ca${String(n).padStart(32, '0')}`;

/** A leg of a minute and a half: two minutes, 0.017 dollars by the book. */
const leg = (n: number, facts: Partial<LegToSettle> = {}): LegToSettle => {
  const atMs = facts.at_ms ?? NOON;
  return { ...minutesLine(`call-${n}`, 'leg', `leg-${n}`, atMs, 90_000), carrier_call_id: sid(n), ...facts };
};
const call = (n: number, facts: Partial<CarrierCall> = {}): CarrierCall => ({
  ...{ sid: sid(n), nanoUsd: 17_000_000, endMs: NOON, seconds: 90, free: false },
  ...facts,
});

function settled({
  legs = [],
  calls = [],
  single = {},
  elsewhere = [],
}: {
  legs?: LegToSettle[];
  calls?: CarrierCall[];
  single?: Record<string, CarrierCall | null>;
  elsewhere?: LegToSettle[];
}) {
  const question: LegsOfDay = {
    ...{ day: dayNo(0), legs, elsewhere, patient: true },
    calls: new Map(calls.map((each) => [each.sid, each])),
    single: new Map(Object.entries(single)),
  };
  const { products, billed } = settleLegs('twilio', question);
  const residues = products.flatMap((product) => product.residues);
  return {
    billed: billed.map(({ nanoUsd }) => nanoUsd),
    residues: residues.map(({ cause, nanoUsd, besideNanoUsd }) => [cause, nanoUsd, besideNanoUsd]),
    notes: residues.map(({ note }) => note),
    waiting: products.reduce((sum, product) => sum + product.waitingLines, 0),
  };
}

test('a call is billed at its own price', () => {
  expect(settled({ legs: [leg(1)], calls: [call(1)] })).toEqual({
    billed: [17_000_000],
    residues: [],
    notes: [],
    waiting: 0,
  });
});

test.each<[string, Partial<CarrierCall>, [string, number, number][], RegExp]>([
  ['other minutes', { nanoUsd: 25_500_000, seconds: 121 }, [['rounding', 8_500_000, 0]], /^1 call: other minutes/],
  [
    'another price',
    { nanoUsd: 18_000_000 },
    [['price_change', 1_000_000, 0]],
    /\$0\.009 per minute, the book says \$0\.0085/,
  ],
  ['no charge', { nanoUsd: 0 }, [['free_tier', -17_000_000, 0]], /^1 call: not charged$/],
  ['no answer', { nanoUsd: 0, free: true }, [['free_tier', -17_000_000, 0]], /^1 call: not answered$/],
  ['an amount of no minutes', { nanoUsd: 17_000_123 }, [['unknown', 123, 0]], /fits no minutes/],
])('%s', (_, facts, residues, note) => {
  const found = settled({ legs: [leg(1)], calls: [call(1, facts)] });
  expect(found.billed).toEqual([facts.nanoUsd]);
  expect(found.residues).toEqual(residues);
  expect(found.notes.join('; ')).toMatch(note);
});

test('a leg that the book has no price for costs what the carrier says', () => {
  const legs = [leg(1, { cost_nano_usd: null, unit_price: null })];
  expect(settled({ legs, calls: [call(1)] }).residues).toEqual([['unpriced', 17_000_000, 0]]);
});

test('of two lines of one call the later is billed at nothing', () => {
  const legs = [leg(1), leg(1, { source: 'leg-again', at_ms: NOON + 40 })];
  expect(settled({ legs, calls: [call(1)] })).toMatchObject({
    billed: [17_000_000, 0],
    residues: [['duplicate', -17_000_000, 0]],
  });
});

test('a call that the carrier does not know is not billed', () => {
  expect(settled({ legs: [leg(1)], single: { [sid(1)]: null } })).toMatchObject({
    billed: [0],
    residues: [['duplicate', -17_000_000, 0]],
  });
});

test('a call without a line of ours is lost, whatever it was sold as', () => {
  expect(settled({ calls: [call(1), call(2)] })).toMatchObject({
    billed: [],
    residues: [['lost_event', 34_000_000, 34_000_000]],
    notes: ['2 calls: no line of ours'],
  });
  expect(settled({ calls: [call(1, { nanoUsd: null }), call(2, { nanoUsd: 0 })] }).residues).toEqual([]);
});

test.each<[string, number, number]>([
  ['clock_boundary', MIDNIGHT - 2_000, MIDNIGHT + 1_000],
  ['late_event', MIDNIGHT - 3_600_000, MIDNIGHT + 1_000],
])('a leg of the day before its call is a matter of %s', (cause, atMs, endMs) => {
  const legs = [leg(1, { at_ms: atMs })];
  expect(settled({ legs, single: { [sid(1)]: call(1, { endMs }) } })).toMatchObject({
    billed: [17_000_000],
    residues: [[cause, -17_000_000, -17_000_000]],
  });
});

test('a call whose line is of the following day counts here, and is billed there', () => {
  const elsewhere = [leg(1, { at_ms: MIDNIGHT + 1_000, day: dayNo(1) })];
  expect(settled({ calls: [call(1, { endMs: MIDNIGHT - 1_000 })], elsewhere })).toMatchObject({
    billed: [],
    residues: [['clock_boundary', 17_000_000, 17_000_000]],
  });
});

test('of two lines on two days the one on the day of the call is right', () => {
  const other = leg(1, { source: 'leg-right', day: dayNo(1), at_ms: MIDNIGHT + 1_000 });
  const single = { [sid(1)]: call(1, { endMs: MIDNIGHT + 500 }) };
  const legs = [leg(1, { at_ms: MIDNIGHT - 500 })];
  expect(settled({ legs, single, elsewhere: [...legs, other] })).toMatchObject({
    billed: [0],
    residues: [['duplicate', -17_000_000, 0]],
  });
});

test('calls that are not over, or have no price, are waited for', () => {
  const legs = [leg(1), leg(2)];
  const found = settled({
    legs,
    calls: [call(1, { nanoUsd: null })],
    single: { [sid(2)]: call(2, { nanoUsd: null, endMs: null }) },
  });
  expect(found).toEqual({ billed: [], residues: [], notes: [], waiting: 2 });
});
