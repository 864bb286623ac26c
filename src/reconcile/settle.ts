// Divides what a seller charges for one product on one day among our lines of it, and names what is left. Pure.
//
// Quantities are valued at the book's price: usage that they billed and we lack, lines that they do not bill, lines that
// count on another day. Money that is not explained by quantities is a matter of price. So, of each product:
//   Σ cost of our lines + Σ residues = the report,   Σ billed of our lines + Σ beside = the report,
// both to the nano-dollar. A line that they do not bill is billed at 0; one that counts on another day at what it cost.
import type { LineToSettle } from '../store/queries/reconcile-lines.ts';
import type { Cause, Residue } from './causes.ts';
import type { Charge } from './items.ts';
import { usedOf } from './lines.ts';
import { costOf, moneyCause, type Price, type Prices, pricesOf } from './price.ts';
import { share } from './share.ts';
import { describe, type Part, PARTS, placeOf, plus, sumOf, type Vector } from './vector.ts';

/** Usage of the day that is not one of its lines, or less than its lines say. */
export interface Otherwise {
  cause: Cause;
  used: Vector;
  /** It is more than we reckoned for answers that reported nothing. */
  reckoned?: boolean;
}

const WORDS: Partial<Record<Cause, string>> = {
  lost_event: 'billed, and not in our lines',
  duplicate: 'in our lines, and not billed',
  unknown: 'counted otherwise, and no line explains it',
  clock_boundary: 'of lines of the neighbouring day',
  late_event: 'of lines of another day',
  rounding: 'by rounding',
};

const noteOf = ({ cause, used, reckoned }: Otherwise): string =>
  `${describe(used)} ${reckoned ? 'beyond what we reckoned for answers that reported nothing' : (WORDS[cause] ?? '')}`;

export interface ProductDay {
  product: string;
  /** Our lines of the day. */
  lines: readonly LineToSettle[];
  charges: readonly Charge[];
  /** Lines (by place) that the seller does not bill. */
  extra: ReadonlySet<number>;
  /** Lines that the seller counts on another day, and why. */
  out: ReadonlyMap<number, Cause>;
  others: readonly Otherwise[];
  /** Prices of the day; where it has no lines, those of the days beside. */
  prices: Prices;
  /** What a surplus is divided by, for each line; null: by what each line is worth. */
  spread: readonly number[] | null;
  /** The seller's smallest amount: how far one of its sums may be off. */
  grainNanoUsd: number;
}

export interface Settled {
  /** What each line is billed at, in the order of the lines. */
  billed: number[];
  residues: Residue[];
}

export function settle(day: ProductDay): Settled {
  const billed = day.lines.map(() => 0);
  const residues: Residue[] = [];
  const used = day.lines.map(usedOf);
  const costs = day.lines.map((line, i) => costsOf(line, used[i] as Vector));
  for (const charge of day.charges) settleCharge(day, charge, used, costs, billed, residues);
  return { billed, residues };
}

/** What each part of a line cost; nothing where no price is known. */
function costsOf(line: LineToSettle, used: Vector): Map<Part, number> {
  const prices = pricesOf(line.unit_price);
  const costs = new Map<Part, number>();
  for (const part of PARTS) {
    const quantity = used[placeOf(part)] ?? 0;
    if (quantity !== 0) costs.set(part, costOf(quantity, prices[part]));
  }
  // What was written stays the truth, should it ever have been rounded another way.
  const sum = [...costs.values()].reduce((total, cost) => total + cost, 0);
  const [first] = costs.keys();
  if (first !== undefined) costs.set(first, (costs.get(first) ?? 0) + (line.cost_nano_usd ?? 0) - sum);
  return costs;
}

function settleCharge(
  day: ProductDay,
  charge: Charge,
  used: readonly Vector[],
  costs: readonly Map<Part, number>[],
  billed: number[],
  residues: Residue[],
): void {
  const { product, prices, others, extra, out } = day;
  const costIn = (line: number): number => charge.parts.reduce((sum, part) => sum + (costs[line]?.get(part) ?? 0), 0);
  const worth = (vector: Vector): number =>
    charge.parts.reduce((sum, part) => sum + costOf(vector[placeOf(part)] ?? 0, prices[part]), 0);
  const add = (cause: Cause, nanoUsd: number, besideNanoUsd: number, note: string): void => {
    residues.push({ product, cause, nanoUsd, besideNanoUsd, note });
  };

  const counted = used.map((_, line) => line).filter((line) => !extra.has(line) && !out.has(line));
  const otherNano = others.map((other) => worth(other.used));
  const otherSum = otherNano.reduce((sum, nano) => sum + nano, 0);
  // By worth; where no price is known, by quantity.
  const known = charge.parts.some((part) => prices[part] !== undefined && prices[part].nanoUsd > 0);
  const weigh = (vector: Vector): number =>
    known ? worth(vector) : charge.parts.reduce((sum, part) => sum + (vector[placeOf(part)] ?? 0), 0);
  const otherWeight = Math.max(0, weigh(sumOf(others.map((other) => other.used))));
  const weights = counted.map((line) => weigh(used[line] as Vector));
  const weight = weights.reduce((sum, each) => sum + each, 0);
  const [ofLines = 0] = weight + otherWeight === 0 ? [0] : share(charge.nanoUsd, [weight, otherWeight]);
  const besideShare = charge.nanoUsd - ofLines;
  // Each line what it cost, and its part of the difference; nobody's part takes off more than that.
  const difference = ofLines - counted.reduce((sum, line) => sum + costIn(line), 0);
  const by =
    difference < 0
      ? counted.map(costIn)
      : day.spread === null
        ? weights
        : counted.map((line) => day.spread?.[line] ?? 0);
  const parts = share(difference, by);
  counted.forEach((line, i) => {
    billed[line] = (billed[line] ?? 0) + costIn(line) + (parts[i] ?? 0);
  });

  let quantities = 0;
  const told = (which: readonly number[]): string => describe(sumOf(which.map((line) => used[line] as Vector)));
  for (const line of extra) add('duplicate', -costIn(line), 0, `${told([...extra])} that they do not bill`);
  for (const [line, cause] of out) {
    const cost = costIn(line);
    billed[line] = (billed[line] ?? 0) + cost;
    const alike = [...out.keys()].filter((other) => out.get(other) === cause);
    add(cause, -cost, -cost, `${told(alike)} that they count on another day`);
  }
  const bornBeside = otherSum >= 0 && otherWeight > 0;
  others.forEach((other, i) => {
    const nano = otherNano[i] ?? 0;
    quantities += nano;
    add(other.cause, nano, bornBeside ? nano : 0, noteOf(other));
  });

  const uncounted = [...extra, ...out.keys()].reduce((sum, line) => sum + costIn(line), 0);
  const ours = used.reduce((sum, _, line) => sum + costIn(line), 0);
  const expected = ours - uncounted + quantities;
  const money = charge.nanoUsd - expected;
  const beside = besideShare - (bornBeside ? otherSum : 0);
  if (money === 0 && beside === 0) return;
  const quantity = plus(sumOf(counted.map((line) => used[line] as Vector)), sumOf(others.map((other) => other.used)));
  const { cause, note } = whyMoney(day, charge, expected, quantity);
  add(cause, money, beside, note);
}

/** What the money of a charge has to do with: the price, or with nothing of ours at all. */
function whyMoney(
  { lines, others, prices, grainNanoUsd }: ProductDay,
  charge: Charge,
  expectedNanoUsd: number,
  used: Vector,
): { cause: Cause; note: string } {
  const parts = charge.parts.filter((part) => (used[placeOf(part)] ?? 0) !== 0);
  if (parts.length === 0) return { cause: 'unknown', note: 'charged for what nobody counts' };
  const missing = parts.filter((part) => prices[part] === undefined);
  if (missing.length > 0) {
    const lost = others.find(({ cause }) => cause === 'lost_event');
    if (lines.length === 0 && lost !== undefined) return { cause: 'lost_event', note: noteOf(lost) };
    return { cause: 'unpriced', note: 'the price book does not know it' };
  }
  const time = parts.includes('time');
  return (
    moneyCause({
      nanoUsd: charge.nanoUsd,
      expectedNanoUsd,
      quantity: parts.reduce((sum, part) => sum + (used[placeOf(part)] ?? 0), 0),
      price: onePrice(parts, prices),
      chargedQuantity: charge.quantity,
      // Each line that is sold by time was rounded for itself.
      slackNanoUsd: grainNanoUsd + (time ? Math.ceil(lines.length / 2) : 0),
    }) ?? { cause: 'rounding', note: 'shares of an amount' }
  );
}

/** The price of parts that cost the same; null where they do not. */
function onePrice(parts: readonly Part[], prices: Prices): Price | null {
  const [first] = parts;
  const price = first === undefined ? undefined : prices[first];
  if (price === undefined) return null;
  const alike = parts.every((part) => prices[part]?.nanoUsd === price.nanoUsd && prices[part]?.unit === price.unit);
  return alike ? price : null;
}

/** The prices of the latest lines, for each part that one of them sold. */
export function pricesOfDay(lines: readonly LineToSettle[]): Prices {
  const prices: Prices = {};
  const seen = new Set<string>();
  for (const { unit_price: unitPrice } of lines.toSorted((a, b) => b.at_ms - a.at_ms)) {
    if (unitPrice === null || seen.has(unitPrice)) continue;
    seen.add(unitPrice);
    for (const [part, price] of Object.entries(pricesOf(unitPrice))) prices[part as Part] ??= price;
  }
  return prices;
}
