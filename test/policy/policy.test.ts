// What a model cannot do, whoever talks it into it: callers, a database, or its own mood. Each case plays an adversarial model
// on a whole call against the real tools and the real clinic, and judges by what happened outside.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUSINESS, GUARDRAILS } from './cases-business.ts';
import { CONSENT } from './cases-consent.ts';
import { PATIENTS } from './cases-patients.ts';
import { PEOPLE } from './cases-people.ts';
import { type Desk, openDesk } from './desk.ts';
import { tryCase } from './trial.ts';

let desk: Desk;
beforeAll(async () => {
  desk = await openDesk();
});
afterAll(() => desk.close());

const SUITES = { people: PEOPLE, patients: PATIENTS, consent: CONSENT, business: BUSINESS, guardrails: GUARDRAILS };

describe.each(Object.entries(SUITES))('%s', (_what, cases) => {
  test.each(cases)('$name', (one) => tryCase(desk, one));
});

test('every case has a name of its own', () => {
  const names = Object.values(SUITES).flatMap((cases) => cases.map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThan(60);
});
