// What a reconciliation with one seller came to, product by product.
import type { BilledLine } from '../store/queries/reconcile.ts';
import type { Residue } from './causes.ts';

export interface ProductOutcome {
  product: string;
  lines: number;
  oursNanoUsd: number;
  /** Cost of lines that the seller has not priced yet; part of ours. */
  waitingNanoUsd: number;
  waitingLines: number;
  reportedNanoUsd: number;
  residues: Residue[];
}

export interface SellerOutcome {
  seller: string;
  products: ProductOutcome[];
  billed: BilledLine[];
  /** What else an operator should know, a sentence each. */
  notes: string[];
}

/** How long prices may take; what is not priced by then is not explained. */
export const PATIENCE_MS = 3 * 86_400_000;

/** A product's lines that no report speaks of yet; after three days that is a residue. */
export function waiting(product: string, lines: number, oursNanoUsd: number, patient: boolean): ProductOutcome {
  const late: Residue = {
    product,
    cause: 'unknown',
    nanoUsd: -oursNanoUsd,
    besideNanoUsd: 0,
    note: `${lines.toLocaleString('en-US')} lines that the seller has not priced in three days`,
  };
  return {
    product,
    lines,
    oursNanoUsd,
    waitingNanoUsd: patient ? oursNanoUsd : 0,
    waitingLines: lines,
    reportedNanoUsd: 0,
    residues: patient || oursNanoUsd === 0 ? [] : [late],
  };
}

/** Whether everything has its price. */
export const isDone = ({ products }: SellerOutcome): boolean => products.every((product) => product.waitingLines === 0);

export const sumBy = <T>(list: readonly T[], of: (each: T) => number): number =>
  list.reduce((sum, each) => sum + of(each), 0);
