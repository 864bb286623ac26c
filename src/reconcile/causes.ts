// Why a seller's report differs from our lines. The names are written into the table `residues` and shown to operators;
// docs/costs.md explains them.

export const CAUSES = [
  /** The seller's price of a unit differs from the book's. */
  'price_change',
  /** The book has no price for it, the seller has. */
  'unpriced',
  /** Used, and not charged. */
  'free_tier',
  'tax',
  /** A line within five minutes of midnight (UTC) that the seller counts on the neighbouring day. */
  'clock_boundary',
  /** A line that the seller counts on another day, and that is not near midnight. */
  'late_event',
  /** They billed usage that we lack, or have only reckoned. */
  'lost_event',
  /** We have a line that they do not bill. */
  'duplicate',
  /** Within what rounding explains: of an amount, of a minute or a second of each piece. */
  'rounding',
  'unknown',
] as const;

export type Cause = (typeof CAUSES)[number];

/** One cause of the difference of one product on one day. */
export interface Residue {
  product: string;
  cause: Cause;
  /** The report less our lines. */
  nanoUsd: number;
  /** How much of the report by this cause no line of the day bears, so that Σ billed + Σ beside = report. */
  besideNanoUsd: number;
  note: string;
}

/** One row for each product and cause; notes that say the same are said once. */
export function gather(residues: readonly Residue[]): Residue[] {
  const rows = new Map<string, Residue>();
  for (const residue of residues) {
    const key = `${residue.product} ${residue.cause}`;
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { ...residue });
    else {
      row.nanoUsd += residue.nanoUsd;
      row.besideNanoUsd += residue.besideNanoUsd;
      if (!row.note.split('; ').includes(residue.note))
        row.note = row.note ? `${row.note}; ${residue.note}` : residue.note;
    }
  }
  return [...rows.values()]
    .filter(({ nanoUsd, besideNanoUsd }) => nanoUsd !== 0 || besideNanoUsd !== 0)
    .toSorted((a, b) => (a.product < b.product ? -1 : Number(a.product > b.product)) || order(a) - order(b));
}

const order = ({ cause }: Residue): number => CAUSES.indexOf(cause);
