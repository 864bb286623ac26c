// A file of prices as YAML: every key and its bounds. What depends on several entries or files is decided in
// load-prices.ts. prices/openai.yaml describes the same keys for operators.
import { z } from 'zod';
import { CARRIER_LINES } from './prices.ts';

/** The only currency there is: a sum over several would be no sum. */
const CURRENCY = 'USD';

// Each schema carries one text, what was expected, whatever rule of it was broken.
const section = <T extends z.core.$ZodLooseShape>(shape: T) =>
  z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'a mapping of keys') });

const DAY = 'a day such as 2026-11-20';
const day = () => z.string(DAY).refine(isDay, DAY);

function isDay(text: string): boolean {
  const atMs = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text);
}

const source = () => z.string('where the prices were read').trim().min(1, 'where the prices were read');

/** @param decimals so many give a whole number of nano-dollars */
function dollars(most: number, per: string, decimals: number) {
  const expected = `dollars per ${per}, from 0 to ${most}, with at most ${decimals} decimals`;
  const scale = 10 ** decimals;
  const isWhole = (usd: number): boolean => Math.abs(usd * scale - Math.round(usd * scale)) < 1e-6;
  return z.number(expected).min(0, expected).max(most, expected).refine(isWhole, expected);
}

const perMillion = () => dollars(10_000, 'million tokens', 3);
const tokens = () => section({ fresh: perMillion(), cached: perMillion(), out: perMillion() }).optional();

/** When an entry is in force, and where it was read if not where the file says. */
const dates = {
  effective_from: day(),
  effective_until: day().optional(),
  source: source().optional(),
  as_of: day().optional(),
};

const NEEDS_PRICE = 'a price: text, audio, image, per_hour, or only the day of shutdown';

const modelEntry = section({
  ...dates,
  text: tokens(),
  audio: tokens(),
  image: tokens(),
  per_hour: dollars(1_000, 'hour', 9).optional(),
  shutdown: day().optional(),
}).refine(
  ({ text, audio, image, per_hour: hour, shutdown }) =>
    [text, audio, image, hour, shutdown].some((p) => p !== undefined),
  { error: NEEDS_PRICE, when: ({ issues }) => issues.length === 0 },
);

const entries = <T extends z.core.SomeType>(entry: T) =>
  z.array(entry, 'a list of entries, each with effective_from').min(1, 'a list with at least one entry');

const minuteEntry = section({ ...dates, per_minute: dollars(100, 'minute', 9) });
const pieceEntry = section({ ...dates, per_piece: dollars(1_000, 'piece', 9) });

const carrier = section(
  Object.fromEntries(
    Object.entries(CARRIER_LINES).map(([line, per]) => [
      line,
      entries(per === 'minute' ? minuteEntry : pieceEntry).optional(),
    ]),
  ),
);

const NAME = /^[\w.:/-]{1,100}$/;

/** What a file of prices may hold. */
export const priceFileSchema = section({
  version: day(),
  currency: z.literal(CURRENCY, `${CURRENCY}: other currencies are not taken`),
  source: source(),
  as_of: day(),
  models: z.record(z.string().regex(NAME, 'a model name'), entries(modelEntry), 'a mapping of models').optional(),
  carriers: z.record(z.string().regex(NAME, 'a carrier name'), carrier, 'a mapping of carriers').optional(),
});

export type PriceFileData = z.infer<typeof priceFileSchema>;
export type ModelEntry = z.infer<typeof modelEntry>;
/** An entry of a carrier's line; one of the two prices is there. */
export type CarrierEntry = Omit<z.infer<typeof minuteEntry>, 'per_minute'> & {
  per_minute?: number;
  per_piece?: number;
};
