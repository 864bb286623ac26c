// Legs of calls against the carrier's list of its calls: a leg and a call are matched by the carrier's id, and each call has
// a price of its own, so nothing has to be divided. Pure.
import type { LegToSettle } from '../store/queries/reconcile-lines.ts';
import type { BilledLine } from '../store/queries/reconcile.ts';
import { type Cause, gather, type Residue } from './causes.ts';
import { dayAt } from './days.ts';
import { whyMoved } from './match.ts';
import type { ProductOutcome } from './outcome.ts';
import { priceFitting, pricesOf, priceText } from './price.ts';
import type { CarrierCall } from './twilio-report.ts';

export interface LegsOfDay {
  day: string;
  /** Our legs of the day, by time. */
  legs: readonly LegToSettle[];
  /** The carrier's calls that ended on the day, by id. */
  calls: ReadonlyMap<string, CarrierCall>;
  /** Calls of legs that are not among these; null: the carrier has no such call. */
  single: ReadonlyMap<string, CarrierCall | null>;
  /** Our legs, of whatever day, of calls and legs that the day alone does not match. */
  elsewhere: readonly LegToSettle[];
  /** Whether prices may still come. */
  patient: boolean;
}

/** Product of what the carrier charges a leg for, where we have no line that says which. */
export const UNKNOWN_LEG = 'leg';

/** Legs of forgotten calls have no id any more: the call that ended when they were charged is theirs. */
const FORGOTTEN_WITHIN_MS = 10_000;

/** The carrier's id of a leg's call, in small letters; null: nobody knows it any more. */
export function callIdOf({ source, carrier_call_id: id }: LegToSettle): string | null {
  if (/^CA[0-9a-f]{32}$/i.test(source)) return source.toLowerCase();
  return id ? id.toLowerCase() : null;
}

export function settleLegs(seller: string, question: LegsOfDay): { products: ProductOutcome[]; billed: BilledLine[] } {
  const ledger = new LegLedger(seller, question);
  return { products: ledger.settle(), billed: ledger.billed };
}

class LegLedger {
  readonly billed: BilledLine[] = [];
  readonly #seller: string;
  readonly #question: LegsOfDay;
  readonly #products = new Map<string, ProductOutcome>();
  /** How many calls each note speaks of. */
  readonly #many = new Map<string, number>();
  /** Calls that have their leg. */
  readonly #claimed = new Set<string>();

  constructor(seller: string, question: LegsOfDay) {
    this.#seller = seller;
    this.#question = question;
  }

  settle(): ProductOutcome[] {
    const { legs, calls } = this.#question;
    const nameless: LegToSettle[] = [];
    for (const leg of legs) {
      const id = callIdOf(leg);
      if (id === null) nameless.push(leg);
      else this.#leg(leg, id);
    }
    for (const leg of nameless) this.#nameless(leg);
    for (const call of calls.values()) if (!this.#claimed.has(call.sid)) this.#withoutLeg(call);
    return [...this.#products.values()].map((product) => ({
      ...product,
      residues: gather(product.residues.map((residue) => ({ ...residue, note: this.#counted(residue) }))),
    }));
  }

  #leg(leg: LegToSettle, id: string): void {
    const { calls, single } = this.#question;
    const call = calls.get(id) ?? single.get(id) ?? null;
    if (call === null) return this.#notBilled(leg, 'the carrier has no such call');
    if (this.#claimed.has(id) || this.#hasLegOnItsDay(leg, call))
      return this.#notBilled(leg, 'a second line of one call');
    this.#claimed.add(id);
    if (call.nanoUsd === null) return this.#waits(leg);
    if (calls.has(id)) this.#priced(leg, call, call.nanoUsd);
    else this.#movedOut(leg, call, call.nanoUsd);
  }

  /** Of two lines of one call, the one on the day of the call is right. */
  #hasLegOnItsDay(leg: LegToSettle, { sid, endMs }: CarrierCall): boolean {
    if (endMs === null || this.#question.calls.has(sid)) return false;
    return this.#question.elsewhere.some(
      (other) =>
        callIdOf(other) === sid &&
        other.call_id + other.source !== leg.call_id + leg.source &&
        other.day === dayAt(endMs),
    );
  }

  #nameless(leg: LegToSettle): void {
    const distance = ({ endMs }: CarrierCall): number => Math.abs((endMs ?? 0) - leg.at_ms);
    const [call] = [...this.#question.calls.values()]
      .filter((each) => !this.#claimed.has(each.sid) && distance(each) <= FORGOTTEN_WITHIN_MS)
      .toSorted((a, b) => distance(a) - distance(b));
    if (call === undefined) return this.#waits(leg);
    this.#claimed.add(call.sid);
    if (call.nanoUsd === null) this.#waits(leg);
    else this.#priced(leg, call, call.nanoUsd);
  }

  #priced(leg: LegToSettle, call: CarrierCall, nanoUsd: number): void {
    const product = this.#count(leg);
    product.reportedNanoUsd += nanoUsd;
    this.#bill(leg, nanoUsd);
    for (const { cause, nanoUsd: part, note } of whyPriced(leg, call, nanoUsd))
      this.#add(leg.product, cause, part, 0, note);
  }

  #movedOut(leg: LegToSettle, { endMs }: CarrierCall, nanoUsd: number): void {
    this.#count(leg);
    this.#bill(leg, nanoUsd);
    const cause = whyMoved(leg.at_ms, endMs ?? leg.at_ms);
    this.#add(leg.product, cause, -(leg.cost_nano_usd ?? 0), -nanoUsd, 'ended on another day');
  }

  #notBilled(leg: LegToSettle, note: string): void {
    this.#count(leg);
    this.#bill(leg, 0);
    this.#add(leg.product, 'duplicate', -(leg.cost_nano_usd ?? 0), 0, note);
  }

  #waits(leg: LegToSettle): void {
    const product = this.#count(leg);
    const cost = leg.cost_nano_usd ?? 0;
    product.waitingLines += 1;
    if (this.#question.patient) product.waitingNanoUsd += cost;
    else this.#add(leg.product, 'unknown', -cost, 0, 'no price after three days');
  }

  #withoutLeg(call: CarrierCall): void {
    if (call.nanoUsd === null || call.nanoUsd === 0) return;
    const leg = this.#question.elsewhere.find((other) => callIdOf(other) === call.sid);
    const product = this.#product(leg?.product ?? `${this.#seller}/${UNKNOWN_LEG}`);
    product.reportedNanoUsd += call.nanoUsd;
    if (leg === undefined) this.#add(product.product, 'lost_event', call.nanoUsd, call.nanoUsd, 'no line of ours');
    else {
      const cause = whyMoved(leg.at_ms, call.endMs ?? leg.at_ms);
      this.#add(product.product, cause, call.nanoUsd, call.nanoUsd, 'our line is of another day');
    }
  }

  #count(leg: LegToSettle): ProductOutcome {
    const product = this.#product(leg.product);
    product.lines += 1;
    product.oursNanoUsd += leg.cost_nano_usd ?? 0;
    return product;
  }

  #product(name: string): ProductOutcome {
    let product = this.#products.get(name);
    if (product === undefined) {
      const none = { lines: 0, oursNanoUsd: 0, waitingNanoUsd: 0, waitingLines: 0, reportedNanoUsd: 0 };
      this.#products.set(name, (product = { product: name, ...none, residues: [] }));
    }
    return product;
  }

  #bill({ call_id: callId, what, source }: LegToSettle, nanoUsd: number): void {
    this.billed.push({ callId, what, source, nanoUsd });
  }

  #add(product: string, cause: Cause, nanoUsd: number, besideNanoUsd: number, note: string): void {
    const residue: Residue = { product, cause, nanoUsd, besideNanoUsd, note };
    this.#product(product).residues.push(residue);
    const about = noteKey(residue);
    this.#many.set(about, (this.#many.get(about) ?? 0) + 1);
  }

  #counted(residue: Residue): string {
    const many = this.#many.get(noteKey(residue)) ?? 0;
    return `${many.toLocaleString('en-US')} call${many === 1 ? '' : 's'}: ${residue.note}`;
  }
}

const noteKey = ({ product, cause, note }: Residue): string => `${product} ${cause} ${note}`;

/** Why the price of a call is not what its leg cost by the book. */
export function whyPriced(
  leg: LegToSettle,
  call: CarrierCall,
  nanoUsd: number,
): { cause: Cause; nanoUsd: number; note: string }[] {
  const cost = leg.cost_nano_usd;
  if (cost === null) return [{ cause: 'unpriced', nanoUsd, note: 'the price book does not know it' }];
  if (nanoUsd === cost) return [];
  if (nanoUsd === 0) return [{ cause: 'free_tier', nanoUsd: -cost, note: call.free ? 'not answered' : 'not charged' }];
  const price = pricesOf(leg.unit_price).minutes;
  const minutes = Math.max(1, Math.ceil(call.seconds / 60));
  if (price === undefined) return [{ cause: 'unknown', nanoUsd: nanoUsd - cost, note: 'the price fits no minutes' }];
  const expected = minutes * price.nanoUsd;
  const rounded = { cause: 'rounding' as const, nanoUsd: expected - cost, note: 'other minutes than we measured' };
  const changed = priceFitting(
    { nanoUsd, expectedNanoUsd: expected, quantity: minutes, price, chargedQuantity: null, slackNanoUsd: 0 },
    price,
  );
  const rest = nanoUsd - expected;
  const named: { cause: Cause; nanoUsd: number; note: string } =
    changed === null
      ? { cause: 'unknown', nanoUsd: rest, note: 'the price fits no minutes' }
      : { cause: 'price_change', nanoUsd: rest, note: `${priceText(changed)}, the book says ${priceText(price)}` };
  return [rounded, named].filter((part) => part.nanoUsd !== 0);
}
