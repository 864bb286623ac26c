// The plan of chaos: drawn from the seed before anything happens, so that any call can be had again by its number.
import { expect, test } from 'vitest';
import { FAULT_NAMES, faultKind } from '../../src/chaos/fault-kinds.ts';
import { Plans } from '../../src/chaos/plan.ts';

const first = (count: number, options: ConstructorParameters<typeof Plans>[0]) => {
  const plans = new Plans(options);
  return Array.from({ length: count }, (_, i) => plans.of(i + 1));
};

test('the same seed draws the same plan, another seed another', () => {
  expect(first(200, { seed: 6 })).toEqual(first(200, { seed: 6 }));
  expect(first(20, { seed: 7 })).not.toEqual(first(20, { seed: 6 }));
});

test('a call drawn alone is the call that it was among all', () => {
  const all = first(400, { seed: 6 });
  for (const number of [400, 163, 5, 1]) expect(new Plans({ seed: 6 }).of(number)).toEqual(all[number - 1]);
});

test('how many faults are wanted changes how many calls there are, not what they are', () => {
  const few = new Plans({ seed: 3 }).forFaults(40);
  const many = new Plans({ seed: 3 }).forFaults(400);
  expect(many.slice(0, few.length)).toEqual(few);
  const strikes = many.reduce((sum, plan) => sum + plan.strikes.length, 0);
  expect(strikes).toBeGreaterThanOrEqual(400 * 1.4);
  expect(strikes).toBeLessThan(400 * 1.4 + 3);
});

test('one call in five is a control', () => {
  const controls = first(100, { seed: 2 }).filter(({ strikes }) => strikes.length === 0);
  expect(controls.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, i) => (i + 1) * 5));
});

test('every kind of fault comes once before any comes again', () => {
  const struck = first(Math.ceil((FAULT_NAMES.length * 5) / 4), { seed: 9 }).filter(
    ({ strikes }) => strikes.length > 0,
  );
  const round = struck.slice(0, FAULT_NAMES.length).map(({ strikes }) => strikes[0]?.fault);
  expect(round).toHaveLength(FAULT_NAMES.length);
  expect(new Set(round)).toEqual(new Set(FAULT_NAMES));
});

test('some calls are struck twice, by faults of two families that do not hide each other', () => {
  const twice = first(500, { seed: 4 }).filter(({ strikes }) => strikes.length === 2);
  expect(twice.length).toBeGreaterThan(50);
  for (const { strikes } of twice) {
    const families = strikes.map(({ fault }) => faultKind(fault).family);
    expect(families[0]).not.toBe(families[1]);
    expect(families.filter((family) => family === 'carrier' || family === 'rest').length).toBeLessThan(2);
  }
});

test('a fault strikes at one of its moments', () => {
  for (const { strikes } of first(500, { seed: 5 }))
    for (const { fault, moment } of strikes) expect(faultKind(fault).moments).toContain(moment);
});

test('a fault of a tool strikes a call that has one to run', () => {
  const shapes = first(300, { seed: 8, kinds: ['tool_throws'] })
    .filter(({ strikes }) => strikes.length > 0)
    .map(({ scene }) => scene.shape);
  expect(new Set(shapes)).toEqual(new Set(['tool']));
});

test('brief calls are the same calls with less talk, and faults of the first moments', () => {
  const whole = first(200, { seed: 6 });
  const brief = first(200, { seed: 6, brief: true });
  const faults = (plans: typeof whole) => plans.map(({ strikes }) => strikes.map(({ fault }) => fault));
  expect(faults(brief)).toEqual(faults(whole));
  expect(brief.every(({ scene }) => scene.brief)).toBe(true);
  const strikes = brief.flatMap((plan) => plan.strikes);
  expect(strikes.every(({ nth, delayMs }) => nth === 1 && delayMs <= 5_000)).toBe(true);
});
