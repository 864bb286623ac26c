// What a reconciliation came to, for people: one row for each product, the named causes below it. Pure.
import { type Column, table } from '../replay/text-layout.ts';
import type { Residue } from './causes.ts';
import { isDone, type SellerOutcome, sumBy } from './outcome.ts';

/** How much of a report may stay unexplained. */
const TOLERATED = 0.005;

const COLUMNS: readonly Column[] = [
  { title: 'product', shrinks: true },
  { title: 'lines', align: 'right', dropped: 1 },
  { title: 'ours', align: 'right' },
  { title: 'reported', align: 'right' },
  { title: 'difference', align: 'right' },
];

export function outcomeText(day: string, outcomes: readonly SellerOutcome[], columns: number): string {
  return outcomes.map((outcome) => sellerText(day, outcome, columns).join('\n')).join('\n\n');
}

function sellerText(day: string, outcome: SellerOutcome, columns: number): string[] {
  const { seller, products, notes } = outcome;
  if (products.length === 0) return [`${seller}, ${day}: nothing was used, and nothing is reported`, ...notes];
  const row = (name: string, of: SellerOutcome['products']): string[] => {
    const ours = sumBy(of, (product) => product.oursNanoUsd);
    const reported = sumBy(of, (product) => product.reportedNanoUsd);
    const waits = sumBy(of, (product) => product.waitingNanoUsd);
    const lines = sumBy(of, (product) => product.lines).toLocaleString('en-US');
    return [name, lines, dollars(ours), dollars(reported), signed(reported - ours + waits)];
  };
  const rows = products.flatMap((product) => [
    row(product.product, [product]),
    ...product.residues.map((residue) => [`  ${residue.cause}`, '', '', '', signed(residue.nanoUsd)]),
  ]);
  const all = products.length > 1 ? [row('together', products)] : [];
  return [
    `${seller}, ${day} (UTC)`,
    ...table(COLUMNS, [...rows, ...all], columns),
    ...products.flatMap(({ residues }) => residues.map(explained)),
    ...products.flatMap(({ product, waitingLines: lines, waitingNanoUsd: nano }) =>
      lines === 0
        ? []
        : [`${product}: ${count(lines, 'line')} (${dollars(nano)}) without a price yet; run it again later`],
    ),
    ...notes,
    verdict(outcome),
  ];
}

const explained = ({ product, cause, nanoUsd, note }: Residue): string =>
  `${product}: ${cause} ${signed(nanoUsd)}${note === '' ? '' : `: ${note}`}`;

function verdict(outcome: SellerOutcome): string {
  const unknown = unexplained(outcome);
  if (unknown === 0) return isDone(outcome) ? 'Everything is explained.' : 'What has its price is explained.';
  return `${(unknown * 100).toFixed(2)} % of the report is not explained${unknown > TOLERATED ? '' : ', which is within 0.5 %'}.`;
}

/** What has no cause, as a part of the report. */
export function unexplained({ products }: SellerOutcome): number {
  const unknown = sumBy(products, ({ residues }) =>
    sumBy(residues, ({ cause, nanoUsd }) => (cause === 'unknown' ? Math.abs(nanoUsd) : 0)),
  );
  if (unknown === 0) return 0;
  const reported = sumBy(products, (product) => Math.abs(product.reportedNanoUsd));
  return reported === 0 ? 1 : unknown / reported;
}

/** 0: explained; 2: too much is not. */
export const exitCodeOf = (outcomes: readonly SellerOutcome[]): 0 | 2 =>
  outcomes.some((outcome) => unexplained(outcome) > TOLERATED) ? 2 : 0;

const count = (n: number, what: string): string => `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`;

/** To the hundredth of a cent; what is less is told to the nano-dollar, or a difference would look like none. */
const dollars = (nanoUsd: number): string => {
  const decimals = nanoUsd !== 0 && Math.abs(nanoUsd) < 50_000 ? 9 : 4;
  return `$${(nanoUsd / 1e9).toFixed(decimals)}`;
};

const signed = (nanoUsd: number): string =>
  nanoUsd === 0 ? '-' : `${nanoUsd < 0 ? '-' : '+'}${dollars(Math.abs(nanoUsd))}`;
