// What an operator is told of the prices at start.
import { expect, test } from 'vitest';
import { shippedPrices } from '../../src/ledger/load-prices.ts';
import { modelsOf, priceWarnings } from '../../src/ledger/price-warnings.ts';

const BOOK = shippedPrices();
const agent = (name: string, model: string, transcription: string | null, fallback: string | null) => ({
  name,
  model: { name: model, transcription: transcription === null ? null : { model: transcription } },
  failure: { fallback: fallback === null ? null : { name: fallback } },
});
const MODELS = modelsOf([
  agent('clinic', 'gpt-realtime-2.1', 'whisper-1', 'gpt-realtime'),
  agent('shop', 'my-own', null, 'gpt-realtime-2025-08-28'),
  agent('desk', 'my-own', 'gpt-transcribe', null),
]);

test('every model of every agent is in use: to answer, to take over, to write down', () => {
  expect(MODELS.map(({ model, agent: name }) => `${name} ${model}`)).toEqual([
    'clinic gpt-realtime-2.1',
    'clinic gpt-realtime',
    'clinic whisper-1',
    'shop my-own',
    'shop gpt-realtime-2025-08-28',
    'desk my-own',
    'desk gpt-transcribe',
  ]);
});

test('models that will go and those without a price are told with who uses them', () => {
  expect(priceWarnings(BOOK, MODELS, Date.UTC(2026, 10, 21))).toEqual([
    {
      what: 'model_shutdown',
      about: 'gpt-realtime',
      text: 'the model gpt-realtime goes on 2027-01-20, in 60 days; used by clinic',
    },
    {
      what: 'model_shutdown',
      about: 'whisper-1',
      text: 'the model whisper-1 goes on 2027-02-26, in 97 days; used by clinic',
    },
    {
      what: 'price_unknown',
      about: 'my-own',
      text: 'no price is known for the model my-own: costs are incomplete; used by shop, desk',
    },
    {
      what: 'model_shutdown',
      about: 'gpt-realtime-2025-08-28',
      text: 'the model gpt-realtime-2025-08-28 goes on 2027-01-20, in 60 days; used by shop',
    },
  ]);
});

test.each([
  [Date.UTC(2027, 0, 19, 12), 'goes on 2027-01-20, in 1 day'],
  [Date.UTC(2027, 0, 20), 'went on 2027-01-20'],
])('a model that goes or went (%d)', (now, words) => {
  const [warning] = priceWarnings(BOOK, [{ model: 'gpt-realtime', agent: 'a' }], now).filter(
    ({ what }) => what === 'model_shutdown',
  );
  expect(warning?.text).toBe(`the model gpt-realtime ${words}; used by a`);
});

test('a model that has a day of shutdown and no price has two warnings', () => {
  const warnings = priceWarnings(BOOK, [{ model: 'gpt-4o-realtime-preview', agent: 'a' }], Date.UTC(2026, 10, 21));
  expect(warnings.map(({ what }) => what)).toEqual(['model_shutdown', 'price_unknown']);
});

test('a file of prices is old after 90 days', () => {
  const asOf = Date.UTC(2026, 7, 31);
  const told = (days: number) => priceWarnings(BOOK, [], asOf + days * 86_400_000);
  expect(told(90)).toEqual([]);
  expect(told(91)).toEqual([
    {
      what: 'book_old',
      about: 'twilio.yaml',
      text: 'the prices of twilio.yaml 2026-11-20 were true 91 days ago: costs may differ from the bill',
    },
  ]);
  expect(told(200).map(({ about }) => about)).toEqual(['openai.yaml', 'twilio.yaml']);
});
