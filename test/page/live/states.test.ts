// States, lights and the server's facts in words.
import { expect, test } from 'vitest';
import { LIVE_STATES } from '../../../src/dashboard/schemas/live.ts';
import { usd } from '../../../src/page/format.ts';
import { answerLight, serverFactsInWords, stateInWords, stateRank } from '../../../src/page/live/states.ts';
import { serverFacts } from './facts.ts';

const fact = (name: string, changes: Parameters<typeof serverFacts>[0]) =>
  serverFactsInWords(serverFacts(changes), usd).find((one) => one.name === name);

test('every state of the API has words and a rank of its own', () => {
  const words = LIVE_STATES.map((state) => stateInWords(state));
  expect(new Set(words.map(({ word }) => word)).size).toBe(LIVE_STATES.length);
  expect(words.filter(({ meaning }) => meaning === '')).toEqual([]);
  expect(new Set(LIVE_STATES.map(stateRank)).size).toBe(LIVE_STATES.length);
});

test('a state of a later server is shown as it is, and sorted last', () => {
  expect(stateInWords('humming').word).toBe('humming');
  expect(Math.max(...LIVE_STATES.map(stateRank))).toBeLessThan(stateRank('humming'));
});

test('an answer is quick up to one second, slow up to two', () => {
  expect([null, 0, 1_000, 1_001, 2_000, 2_001].map((ms) => answerLight(ms).light)).toEqual([
    'quiet',
    'good',
    'good',
    'warn',
    'warn',
    'bad',
  ]);
});

test('a full server says that it refuses, a draining one that it drains', () => {
  expect(fact('New calls', { live: 3, maxConcurrentCalls: 3 })).toMatchObject({
    value: 'refused: full',
    light: 'warn',
  });
  expect(fact('New calls', { draining: true })).toMatchObject({ value: 'none: draining', light: 'warn' });
  expect(fact('New calls', {})).toMatchObject({ value: 'taken', light: 'good' });
  expect([95, 96, 120].map((live) => fact('Calls', { live, maxConcurrentCalls: 120 })?.light)).toEqual([
    'good',
    'warn',
    'bad',
  ]);
});

test('the worst circuit is told, and all of them on hover', () => {
  const model = fact('Model', {
    circuits: [
      { name: 'one', state: 'closed' },
      { name: 'two', state: 'half_open' },
      { name: 'three', state: 'open' },
    ],
  });
  expect(model).toMatchObject({ value: 'three: given up for now', light: 'bad' });
  expect(model?.meaning).toContain('one reachable, two being tried, three given up for now');
  expect(fact('Model', { simulated: true })).toMatchObject({ value: 'simulator', light: 'warn' });
});

test('spend is told against its limit, without one, and when nobody knows', () => {
  const dollar = 1_000_000_000;
  expect(fact('Spent today', { spentTodayNanoUsd: 9 * dollar, dayLimitNanoUsd: 10 * dollar })).toMatchObject({
    value: '$9.00 of $10.00',
    light: 'warn',
  });
  expect(fact('Spent today', { spentTodayNanoUsd: dollar, dayLimitNanoUsd: null })).toMatchObject({
    value: '$1.00',
    light: 'good',
  });
  expect(fact('Spent today', { spentTodayNanoUsd: null })).toMatchObject({ value: 'not known', light: 'quiet' });
});

test('every fact says what it means', () => {
  expect(serverFactsInWords(serverFacts({ circuits: [] }), usd).filter(({ meaning }) => meaning.length < 20)).toEqual(
    [],
  );
});
