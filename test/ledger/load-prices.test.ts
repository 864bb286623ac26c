// Price files: what is shipped, how an operator's own win over it, prices that change at midnight, and files that are wrong.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TrunklineError } from '../../src/errors.ts';
import { usageLine } from '../../src/ledger/cost.ts';
import { loadPrices, shippedPrices } from '../../src/ledger/load-prices.ts';
import { CARRIER_LINES, linePrice, modelPrice, type PriceBook, shutdownOf } from '../../src/ledger/prices.ts';

const AT = Date.UTC(2026, 10, 20, 12);
const HEAD = 'version: 2026-11-01\ncurrency: USD\nsource: our contract\nas_of: 2026-11-01\n';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trunkline-prices-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFile(join(dir, name), text);
const tokens = (usd: number) => `{ fresh: ${usd}, cached: ${usd}, out: ${usd} }`;
const textOf = (book: PriceBook, model: string, atMs = AT) => modelPrice(book, model, atMs)?.price.tokens?.text;

async function refusal(text: string, name = 'ours.yaml'): Promise<string[]> {
  await write(name, text);
  try {
    loadPrices(dir);
  } catch (error) {
    expect(error).toBeInstanceOf(TrunklineError);
    expect((error as TrunklineError).code).toBe('TRK_CONFIG');
    const [head, ...faults] = (error as Error).message.split('\n');
    expect(head).toBe(`The price files have ${faults.length} fault${faults.length === 1 ? '' : 's'}:`);
    return faults.map((fault) => fault.trim().replace(`${dir}/`, ''));
  }
  throw new Error('the prices were accepted');
}

describe('what is shipped', () => {
  test('has the list prices of the models, in whole nano-dollars', () => {
    const priceOf = (model: string) => modelPrice(shippedPrices(), model, AT)?.price;
    const full = { fresh: 32_000, cached: 400, out: 64_000 };
    const image = { fresh: 5_000, cached: 500, out: 0 };
    expect(priceOf('gpt-realtime-2.1')).toEqual({
      tokens: { text: { fresh: 4_000, cached: 400, out: 24_000 }, audio: full, image },
      nanoUsdPerHour: null,
    });
    expect(priceOf('gpt-realtime')).toEqual({
      tokens: { text: { fresh: 4_000, cached: 400, out: 16_000 }, audio: full, image },
      nanoUsdPerHour: null,
    });
    expect(priceOf('gpt-realtime-2.1-mini')?.tokens).toEqual({
      text: { fresh: 600, cached: 60, out: 2_400 },
      audio: { fresh: 10_000, cached: 300, out: 20_000 },
      image: { fresh: 800, cached: 80, out: 0 },
    });
    expect(priceOf('gpt-4o-mini-transcribe')?.tokens).toMatchObject({ audio: { fresh: 3_000 }, image: null });
    const hours = ['gpt-live-1', 'gpt-realtime-translate', 'gpt-realtime-whisper', 'gpt-transcribe', 'whisper-1'];
    expect(hours.map((model) => priceOf(model)?.nanoUsdPerHour)).toEqual([
      3_000_000_000, 2_040_000_000, 1_020_000_000, 270_000_000, 360_000_000,
    ]);
  });

  test('has all that the carrier sells, and when models will go', () => {
    const book = shippedPrices();
    const lines = Object.keys(CARRIER_LINES).map((line) => linePrice(book, `twilio/${line}`, AT)?.price);
    expect(lines).toEqual([
      8_500_000, 22_000_000, 14_000_000, 4_000_000, 4_000_000, 4_400_000, 2_500_000, 8_300_000, 7_500_000,
    ]);
    expect(['gpt-realtime-2025-08-28', 'whisper-1', 'gpt-realtime-2.1'].map((m) => shutdownOf(book, m))).toEqual([
      '2027-01-20',
      '2027-02-26',
      null,
    ]);
  });

  test('is read once where the operator’s folder is the shipped one, and may be all there is', () => {
    expect(loadPrices('prices')).toEqual(shippedPrices());
    expect(shippedPrices().version).toBe('openai.yaml 2026-11-20, twilio.yaml 2026-11-20');
    expect(loadPrices(dir)).toMatchObject({ version: shippedPrices().version });
  });
});

describe('an operator’s own files', () => {
  test('win over what is shipped, for what they name and as long as they say', async () => {
    await write(
      'ours.yaml',
      `${HEAD}models:
  gpt-realtime:
    - { effective_from: 2026-11-10, effective_until: 2026-11-30, text: ${tokens(1)}, audio: ${tokens(2)} }
carriers:
  twilio: { outbound: [{ effective_from: 2026-01-01, per_minute: 0.01203 }] }
  other.example: { sip: [{ effective_from: 2026-01-01, per_minute: 0 }] }
`,
    );
    const book = loadPrices(dir);
    expect(book.version).toBe('ours.yaml 2026-11-01 (own), openai.yaml 2026-11-20, twilio.yaml 2026-11-20');
    const [before, start, end] = [Date.UTC(2026, 10, 10) - 1, Date.UTC(2026, 10, 10), Date.UTC(2026, 10, 30)];
    expect([before, start, end - 1, end].map((ms) => textOf(book, 'gpt-realtime', ms)?.out)).toEqual([
      16_000, 1_000, 1_000, 16_000,
    ]);
    // A snapshot is sold under the contract of its family, and is still announced to go.
    expect(textOf(book, 'gpt-realtime-2025-08-28')?.out).toBe(1_000);
    expect(shutdownOf(book, 'gpt-realtime')).toBe('2027-01-20');
    expect(linePrice(book, 'twilio/outbound', AT)).toMatchObject({ price: 12_030_000 });
    expect(linePrice(book, 'twilio/inbound_local', AT)).toMatchObject({ price: 8_500_000 });
    expect(linePrice(book, 'other.example/sip', AT)).toMatchObject({ price: 0 });
  });

  test('name the file and its date on the line', async () => {
    await write('new.yaml', `${HEAD}models:\n  gpt-live-1:\n    - { effective_from: 2026-12-01, per_hour: 2.40 }\n`);
    const usage = { source: 's', what: 'session', model: 'gpt-live-1', unit: 'seconds', seconds: 3_600 } as const;
    const midnight = Date.UTC(2026, 11, 1);
    const lines = [midnight - 1, midnight].map((atWallMs) =>
      usageLine(usage, { seller: 'openai', atWallMs }, loadPrices(dir)),
    );
    expect(lines.map(({ priceBook, costNanoUsd }) => [priceBook, costNanoUsd])).toEqual([
      ['openai.yaml 2026-11-20', 3_000_000_000],
      ['new.yaml 2026-11-01 (own)', 2_400_000_000],
    ]);
  });

  test('change a price at midnight UTC by a further entry, in whatever order and file they stand', async () => {
    const entry = (from: string, usd: number) => `    - { effective_from: ${from}, text: ${tokens(usd)} }\n`;
    await write('a.yaml', `${HEAD}models:\n  m-1:\n${entry('2026-11-21', 3)}${entry('2026-11-01', 1)}`);
    await write('b.yml', `${HEAD}models:\n  m-1:\n${entry('2026-11-11', 2)}`);
    const book = loadPrices(dir);
    const days = [Date.UTC(2026, 9, 31, 23), Date.UTC(2026, 10, 1), Date.UTC(2026, 10, 20, 23), Date.UTC(2026, 10, 21)];
    expect(days.map((ms) => textOf(book, 'm-1', ms)?.fresh)).toEqual([undefined, 1_000, 2_000, 3_000]);
  });
});

const MODEL = `${HEAD}models:\n  m-1:\n    - `;
const LINE = `${HEAD}carriers:\n  twilio:\n    `;

test.each([
  ['version: 1.0\n', 'ours.yaml:1:10: version: expected a day such as 2026-11-20'],
  [HEAD.replace('USD', 'EUR'), 'ours.yaml:2:11: currency: expected USD: other currencies are not taken (found EUR)'],
  [HEAD.replace('as_of', 'asof'), 'ours.yaml:4:1: asof: no such key; did you mean as_of?'],
  [
    HEAD.replace('2026-11-01', '2026-02-30'),
    'ours.yaml:1:10: version: expected a day such as 2026-11-20 (found 2026-02-30)',
  ],
  [`${HEAD}modles: {}\n`, 'ours.yaml:5:1: modles: no such key; did you mean models?'],
  [
    `${MODEL}{ effective_from: 2026-01-01, txt: ${tokens(1)} }\n`,
    'ours.yaml:7:37: models.m-1[0].txt: no such key; did you mean text?',
  ],
  [
    `${MODEL}{ effective_from: 2026-01-01, text: { fresh: -1, cached: 1, out: 1 } }\n`,
    'ours.yaml:7:52: models.m-1[0].text.fresh: expected dollars per million tokens, from 0 to 10000, with at most 3 decimals (found -1)',
  ],
  [
    `${MODEL}{ effective_from: 2026-01-01, text: { fresh: 0.0005, cached: 1, out: 1 } }\n`,
    'ours.yaml:7:52: models.m-1[0].text.fresh: expected dollars per million tokens, from 0 to 10000, with at most 3 decimals (found 0.0005)',
  ],
  [
    `${MODEL}{ effective_from: 2026-01-01, per_hour: 4000 }\n`,
    'ours.yaml:7:47: models.m-1[0].per_hour: expected dollars per hour, from 0 to 1000, with at most 9 decimals (found 4000)',
  ],
  [
    `${MODEL}{ effective_from: 2026-01-01, per_hour: .nan }\n`,
    'ours.yaml:7:47: models.m-1[0].per_hour: expected dollars per hour, from 0 to 1000, with at most 9 decimals (found .nan)',
  ],
  [
    `${MODEL}{ effective_from: 2026-01-01 }\n`,
    'ours.yaml:7:7: models.m-1[0]: expected a price: text, audio, image, per_hour, or only the day of shutdown (found a mapping)',
  ],
  [
    `${MODEL}{ per_hour: 1 }\n`,
    'ours.yaml:7:7: models.m-1[0].effective_from: expected a day such as 2026-11-20 (found nothing)',
  ],
  [
    `${MODEL}{ effective_from: 2026-03-01, effective_until: 2026-03-01, per_hour: 1 }\n`,
    'ours.yaml:7:54: models.m-1[0].effective_until: expected a day after effective_from (found 2026-03-01)',
  ],
  [`${HEAD}models:\n  m-1: []\n`, 'ours.yaml:6:8: models.m-1: expected a list with at least one entry (found a list)'],
  [
    `${LINE}inbound_locl: []\n`,
    'ours.yaml:7:5: carriers.twilio.inbound_locl: no such key; did you mean inbound_local?',
  ],
  [
    `${LINE}sms: [{ effective_from: 2026-01-01, per_piece: 1000.5 }]\n`,
    'ours.yaml:7:52: carriers.twilio.sms[0].per_piece: expected dollars per piece, from 0 to 1000, with at most 9 decimals (found 1000.5)',
  ],
  ['models: [\n', 'ours.yaml:2:1: not valid YAML'],
])('a file that is wrong stops the start with its place: %j', async (text, fault) => {
  expect((await refusal(text)).join('\n')).toContain(fault);
});

test('a price by the piece where minutes are sold is not taken', async () => {
  expect(await refusal(`${LINE}sip: [{ effective_from: 2026-01-01, per_piece: 1 }]\n`)).toEqual([
    'ours.yaml:7:11: carriers.twilio.sip[0].per_minute: expected dollars per minute, from 0 to 100, with at most 9 decimals (found nothing)',
    'ours.yaml:7:41: carriers.twilio.sip[0].per_piece: no such key; known here: effective_from, effective_until, source, as_of, per_minute',
  ]);
});

test.each([
  ['the same day', '2026-01-01', '2026-01-01'],
  ['a day in between', '2026-01-01, effective_until: 2026-06-01', '2026-05-31'],
  ['a day before, to one in between', '2026-05-31', '2026-01-01, effective_until: 2026-06-01'],
])('two prices of one thing at one time stop the start: %s', async (_, first, second) => {
  const entry = (from: string) => `    - { effective_from: ${from}, per_hour: 1 }\n`;
  await write('a.yaml', `${HEAD}models:\n  m-1:\n${entry(first)}`);
  expect(await refusal(`${HEAD}models:\n  m-1:\n${entry(second)}`, 'b.yaml')).toEqual([
    `b.yaml:7:25: models.m-1[0].effective_from: expected a time of its own; at that time the price at ${dir}/a.yaml:7:25 is in force (found ${second.slice(0, 10)})`,
  ]);
});

test('entries that meet at midnight do not overlap', async () => {
  const entry = (from: string) => `    - { effective_from: ${from}, per_hour: 1 }\n`;
  await write(
    'a.yaml',
    `${HEAD}models:\n  m-1:\n${entry('2026-01-01, effective_until: 2026-06-01')}${entry('2026-06-01')}`,
  );
  expect(modelPrice(loadPrices(dir), 'm-1', Date.UTC(2026, 5, 1))?.price.nanoUsdPerHour).toBe(1_000_000_000);
});

test('all faults of all files are told at once, and a folder that was asked for must be there', async () => {
  await write('a.yaml', 'version: 1\n');
  expect(await refusal(`${HEAD}model: {}\n`)).toHaveLength(5);
  const nowhere = join(dir, 'nowhere');
  expect(() => loadPrices(nowhere)).toThrow(`${nowhere}: expected a folder of price files (ENOENT)`);
});
