// A day's lines of OpenAI's models against its reports: counts by the hour tell which lines differ, costs by item are divided
// among the lines of their model in proportion to what each is worth.
import type { LineSum } from '../store/queries/reconcile-lines.ts';
import { grainOf } from './amounts.ts';
import { type Cause, gather, type Residue } from './causes.ts';
import { DAY_MS, dayAfter, HOUR_MS, startOf } from './days.ts';
import { type Charge, chargesOf, readItemName } from './items.ts';
import { familyOf, usedOf } from './lines.ts';
import { type Archive, type Counts, inPlaces, keyOf, match, type Matched, readAll, SECOND_MS } from './match.ts';
import { countsOf, itemsOf, type OpenAiReport } from './openai-report.ts';
import { PATIENCE_MS, type ProductOutcome, type SellerOutcome, sumBy, waiting } from './outcome.ts';
import { type Otherwise, pricesOfDay, settle } from './settle.ts';
import { isNothing, NOTHING, placeOf, plus, REQUESTS, sumOf, type Vector } from './vector.ts';

export const OPENAI = 'openai';

/** How far back a model may have been used to be known as ours. */
const KNOWN_DAYS = 30;

export interface OpenAiDay {
  day: string;
  nowMs: number;
  /** Whether reports are those of one project: then everything in them is ours. */
  oneProject: boolean;
}

export async function settleOpenAi(
  archive: Archive,
  question: OpenAiDay,
  report: OpenAiReport,
): Promise<SellerOutcome> {
  const { day } = question;
  const days = { seller: OPENAI, fromDay: dayAfter(day, -1), toDay: dayAfter(day, 1) };
  const sums = await archive.ask('sumLines', { ...days, stretchMs: HOUR_MS });
  const bought = await archive.ask('boughtProducts', { ...days, fromDay: dayAfter(day, -KNOWN_DAYS) });
  const outcome: SellerOutcome = { seller: OPENAI, products: [], billed: [], notes: [] };
  const ours = new Set(bought.map(familyOf));
  const { models, foreign } = modelsOf(report, ours, question.oneProject);
  for (const model of models) {
    const names = bought.filter((product) => familyOf(product) === model);
    const product = await settleModel(archive, question, report, model, {
      names,
      sums: sums.filter((sum) => familyOf(sum.product) === model),
      billed: outcome.billed,
    });
    if (product !== null) outcome.products.push(product);
  }
  outcome.products.push(...taxes(report));
  if (foreign.length > 0)
    outcome.notes.push(
      `also used in the organization, and not by Trunkline: ${foreign.join(', ')}; OPENAI_PROJECT_ID leaves it out`,
    );
  return outcome;
}

/** Models that are ours by their lines, or by the project; and the others. */
function modelsOf(report: OpenAiReport, ours: ReadonlySet<string>, oneProject: boolean) {
  const charged = report.items.flatMap(({ name }) => readItemName(name)?.model ?? []);
  const found = new Set([...Object.keys(report.answers), ...Object.keys(report.transcriptions), ...charged]);
  const all = [...new Set([...ours, ...found])].toSorted();
  return {
    models: all.filter((model) => oneProject || ours.has(model)),
    foreign: oneProject ? [] : all.filter((model) => !ours.has(model)),
  };
}

interface Ours {
  names: readonly string[];
  sums: readonly LineSum[];
  billed: SellerOutcome['billed'];
}

async function settleModel(
  archive: Archive,
  { day, nowMs }: OpenAiDay,
  report: OpenAiReport,
  model: string,
  { names, sums, billed }: Ours,
): Promise<ProductOutcome | null> {
  const from = startOf(day);
  const question = { seller: OPENAI, day, products: names.length > 0 ? names : [model] };
  const lines = await readAll(archive, question, from, from + DAY_MS);
  const oursNanoUsd = sumBy(lines, (line) => line.cost_nano_usd ?? 0);
  const items = itemsOf(report, model);
  const tokensOnly = sums.every((sum) => sum.unit === 'tokens');
  const counts = countsOf(report, day, model, tokensOnly);
  const used = counts === null ? NOTHING : usedOn(day, counts.byStretch);
  if (items.length === 0) {
    // Counts are there before costs.
    if (lines.length === 0 && isNothing(used)) return null;
    return waiting(model, lines.length, oursNanoUsd, nowMs < from + DAY_MS + PATIENCE_MS);
  }
  const matched = counts === null ? NONE : await match(archive, question, counts, sums);
  const places = new Map(lines.map((line, place) => [keyOf(line), place]));
  const extra = new Set([...matched.extra].flatMap((key) => places.get(key) ?? []));
  const out = inPlaces(matched.out, places);
  const around = lines.length > 0 ? lines : await readAll(archive, question, from - DAY_MS, from + 2 * DAY_MS);
  const prices = pricesOfDay(around);
  const counted = sumOf(lines.filter((_, place) => !extra.has(place) && !out.has(place)).map(usedOf));
  const all = (others: readonly Otherwise[]): Vector => plus(counted, sumOf(others.map((other) => other.used)));
  const asCounted = all(matched.others);
  const others = asCharged(matched.others, asCounted, chargesOf(items, asCounted, prices), counts);
  const charges = chargesOf(items, all(others), prices);
  const grainNanoUsd = grainOf(report.decimals);
  const settled = settle({ product: model, lines, charges, extra, out, others, prices, spread: null, grainNanoUsd });
  lines.forEach((line, place) => {
    billed.push({ callId: line.call_id, what: line.what, source: line.source, nanoUsd: settled.billed[place] ?? 0 });
  });
  return {
    product: model,
    lines: lines.length,
    oursNanoUsd,
    waitingNanoUsd: 0,
    waitingLines: 0,
    reportedNanoUsd: sumBy(items, (item) => item.nanoUsd),
    residues: gather(settled.residues),
  };
}

const NONE: Matched = { extra: new Set(), out: new Map(), others: [] };

function usedOn(day: string, byStretch: ReadonlyMap<number, Vector>): Vector {
  const first = startOf(day) / HOUR_MS;
  return sumOf([...byStretch].filter(([hour]) => hour >= first && hour < first + 24).map(([, used]) => used));
}

/**
 * Where the counts do not say how many tokens (or how long), the costs do. What they have beyond our lines is that of the
 * requests that differ; where no counts are reported, it is lost or too much by itself.
 */
function asCharged(others: readonly Otherwise[], known: Vector, charges: readonly Charge[], counts: Counts | null) {
  const told = new Set(counts?.places ?? []);
  const beyond = [...NOTHING];
  for (const { parts, quantity } of charges) {
    const part = parts.find((each) => (known[placeOf(each)] ?? 0) !== 0) ?? parts[0];
    if (quantity === null || part === undefined || told.has(placeOf(part))) continue;
    beyond[placeOf(part)] = quantity - sumBy(parts, (each) => known[placeOf(each)] ?? 0);
  }
  if (isNothing(beyond)) return others;
  const host = others.find(({ used }) => used[REQUESTS] !== 0 && used.every((n, i) => n === 0 || i === REQUESTS));
  if (host !== undefined)
    return others.map((other) => (other === host ? { ...other, used: plus(other.used, beyond) } : other));
  // Less is charged than was used: a matter of price.
  if (beyond.every((n) => n <= 0)) return others;
  const rounded = beyond.every((n, i) => n === 0 || (i === placeOf('time') && n < (known[REQUESTS] ?? 0) * SECOND_MS));
  const cause: Cause = rounded ? 'rounding' : counts === null ? 'lost_event' : 'unknown';
  return [...others, { cause, used: beyond }];
}

/** Items that are taxes by their name. */
function taxes({ items }: OpenAiReport): ProductOutcome[] {
  const taxed = items.filter(({ name }) => readItemName(name) === null && /\b(tax|vat|gst)\b/i.test(name));
  if (taxed.length === 0) return [];
  const nanoUsd = sumBy(taxed, (item) => item.nanoUsd);
  const names = [...new Set(taxed.map(({ name }) => name))].join(', ');
  const residue: Residue = { product: 'tax', cause: 'tax', nanoUsd, besideNanoUsd: nanoUsd, note: names };
  return [
    {
      product: 'tax',
      lines: 0,
      oursNanoUsd: 0,
      waitingNanoUsd: 0,
      waitingLines: 0,
      reportedNanoUsd: nanoUsd,
      residues: gather([residue]),
    },
  ];
}
