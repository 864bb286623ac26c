// A day's lines of Twilio against its reports: legs call by call, and what is sold beside them by usage records of its
// category, divided among the lines by how long each lasted.
import type { LineSum } from '../store/queries/reconcile-lines.ts';
import { grainOf, toNano } from './amounts.ts';
import { gather } from './causes.ts';
import { dayAfter, dayAt, DAY_MS, startOf } from './days.ts';
import { callIdOf, settleLegs } from './legs.ts';
import { type Archive, type Counts, keyOf, inPlaces, match, readAll } from './match.ts';
import { PATIENCE_MS, type ProductOutcome, type SellerOutcome, sumBy, waiting } from './outcome.ts';
import { pricesOfDay, settle } from './settle.ts';
import { CATEGORIES, type CarrierUsage, type TwilioReport, writtenId } from './twilio-report.ts';
import { NOTHING, type Part, PARTS, placeOf, REQUESTS, type Vector } from './vector.ts';

export const TWILIO = 'twilio';

export interface TwilioDay {
  day: string;
  nowMs: number;
}

/** How many legs the day has, and the ids of those whose calls are not in the carrier's list: they are looked up one by one. */
export async function legsToLookUp(
  archive: Archive,
  day: string,
  report: TwilioReport,
): Promise<{ legs: number; missing: string[] }> {
  const legs = await archive.ask('readLegs', { seller: TWILIO, day, carrierCallIds: null });
  const known = new Set(report.calls.map(({ sid }) => sid));
  const ids = [...new Set(legs.flatMap((leg) => callIdOf(leg) ?? []))];
  return { legs: ids.length, missing: ids.filter((id) => !known.has(id)).toSorted() };
}

export async function settleTwilio(
  archive: Archive,
  { day, nowMs }: TwilioDay,
  report: TwilioReport,
): Promise<SellerOutcome> {
  const patient = nowMs < startOf(day) + DAY_MS + PATIENCE_MS;
  const legs = await archive.ask('readLegs', { seller: TWILIO, day, carrierCallIds: null });
  const calls = new Map(report.calls.map((call) => [call.sid, call]));
  const single = new Map(Object.entries(report.single));
  const withLeg = new Set(legs.map(callIdOf));
  const odd = [...calls.keys(), ...single.keys()].filter((id) => single.has(id) || !withLeg.has(id));
  const elsewhere = await legsOf(archive, odd);
  const settled = settleLegs(TWILIO, { day, legs, calls, single, elsewhere, patient });
  const outcome: SellerOutcome = { seller: TWILIO, ...settled, notes: [] };
  // What is sold beside a leg is counted on the day of its call.
  const daysOfCalls = new Map(
    [...legs, ...elsewhere].flatMap((leg): [string, string][] => {
      const id = callIdOf(leg) ?? '';
      const endMs = (calls.get(id) ?? single.get(id))?.endMs ?? null;
      return endMs === null || dayAt(endMs) === leg.day ? [] : [[leg.call_id, dayAt(endMs)]];
    }),
  );
  const days = { seller: TWILIO, fromDay: dayAfter(day, -1), toDay: dayAfter(day, 1) };
  const sums = await archive.ask('sumLines', { ...days, stretchMs: DAY_MS });
  const usage = report.usage[day] ?? {};
  for (const name of Object.values(CATEGORIES)) {
    const product = `${TWILIO}/${name}`;
    const found = await settleUsage(archive, day, report, {
      product,
      sums: sums.filter((sum) => sum.product === product),
      daysOfCalls,
      patient,
      billed: outcome.billed,
    });
    if (found !== null) outcome.products.push(found);
  }
  for (const [product, { usd }] of Object.entries(usage))
    if (product.startsWith('tax') && usd !== 0) outcome.products.push(tax(product, toNano(usd)));
  return outcome;
}

/** Questions of a thousand ids at most. */
const AT_ONCE = 1_000;

async function legsOf(archive: Archive, ids: readonly string[]) {
  const legs = [];
  for (let i = 0; i < ids.length; i += AT_ONCE) {
    const carrierCallIds = ids.slice(i, i + AT_ONCE).map(writtenId);
    legs.push(...(await archive.ask('readLegs', { seller: TWILIO, day: null, carrierCallIds })));
  }
  return legs;
}

interface Sold {
  product: string;
  sums: readonly LineSum[];
  daysOfCalls: ReadonlyMap<string, string>;
  patient: boolean;
  billed: SellerOutcome['billed'];
}

async function settleUsage(
  archive: Archive,
  day: string,
  report: TwilioReport,
  sold: Sold,
): Promise<ProductOutcome | null> {
  const { product, sums, patient, billed } = sold;
  const from = startOf(day);
  const question = { seller: TWILIO, day, products: [product] };
  const lines = await readAll(archive, question, from, from + DAY_MS);
  const oursNanoUsd = sumBy(lines, (line) => line.cost_nano_usd ?? 0);
  const usage = report.usage[day]?.[product.slice(TWILIO.length + 1)];
  if (usage === undefined || usage.count === 0)
    return lines.length === 0 ? null : waiting(product, lines.length, oursNanoUsd, patient);
  const part: Part = product.endsWith('/sms') || product.endsWith('/machine_detection') ? 'pieces' : 'minutes';
  const counts = countsOf(report, product, day, part, sold.daysOfCalls);
  const matched = await match(archive, question, counts, sums);
  const places = new Map(lines.map((line, place) => [keyOf(line), place]));
  const nanoUsd = toNano(usage.usd);
  const settled = settle({
    product,
    lines,
    charges: [{ parts: [part], nanoUsd, quantity: null }],
    extra: new Set([...matched.extra].flatMap((key) => places.get(key) ?? [])),
    out: inPlaces(matched.out, places),
    others: matched.others,
    prices: pricesOfDay(lines.length > 0 ? lines : await readAll(archive, question, from - DAY_MS, from + 2 * DAY_MS)),
    grainNanoUsd: grainOf(report.decimals),
    spread: part === 'minutes' ? lines.map((line) => line.duration_ms) : null,
  });
  lines.forEach(({ call_id: callId, what, source }, place) => {
    billed.push({ callId, what, source, nanoUsd: settled.billed[place] ?? 0 });
  });
  const told = { lines: lines.length, oursNanoUsd, waitingNanoUsd: 0, waitingLines: 0, reportedNanoUsd: nanoUsd };
  return { product, ...told, residues: gather(settled.residues) };
}

function countsOf(
  report: TwilioReport,
  product: string,
  day: string,
  part: Part,
  daysOfCalls: ReadonlyMap<string, string>,
): Counts {
  const name = product.slice(TWILIO.length + 1);
  const byStretch = new Map<number, Vector>();
  for (const asked of [-1, 0, 1].map((days) => dayAfter(day, days))) {
    const usage = report.usage[asked];
    if (usage !== undefined) byStretch.set(startOf(asked) / DAY_MS, vectorOf(usage[name], part));
  }
  return {
    places: [placeOf(part), REQUESTS],
    byStretch,
    stretchMs: DAY_MS,
    sharp: false,
    strongTwins: part === 'minutes',
    daysOfCalls,
  };
}

function vectorOf(usage: CarrierUsage | undefined, part: Part): Vector {
  if (usage === undefined) return NOTHING;
  const used = PARTS.map((each) => (each === part ? usage.usage || usage.count : 0));
  return [...used, usage.count];
}

const tax = (product: string, nanoUsd: number): ProductOutcome => ({
  product: 'tax',
  lines: 0,
  oursNanoUsd: 0,
  waitingNanoUsd: 0,
  waitingLines: 0,
  reportedNanoUsd: nanoUsd,
  residues: [{ product: 'tax', cause: 'tax', nanoUsd, besideNanoUsd: nanoUsd, note: product.slice('tax '.length) }],
});
