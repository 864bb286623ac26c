// What calls cost, as tables: the costs, the model's part of them by kind, and how sure they are. Pure.
import { type Column, counted, grouped, plainText, table, wrap } from '../replay/text-layout.ts';
import { leftOutColumns } from './left-out.ts';
import type { CostRow, Costs } from '../store/queries/costs.ts';
import type { CostSums, Sum } from '../store/queries/costs-sums.ts';
import type { CostsOptions } from './costs-options.ts';
import { differenceText, dollars, minutes, NONE, percent, perMinute, sumCell } from './money.ts';

/** A column of money or counts, and what stands in it; `decimals` is for dollars. */
interface SumColumn extends Column {
  cell: (sums: CostSums, decimals: number) => string;
}

/** All of it; nothing where there is no row. */
export function costsTables(costs: Costs, { from, to, by }: CostsOptions, columns: number): string[] {
  if (costs.rows.length === 0) return [];
  const days = from === to ? from : `${from} to ${to}`;
  const titled = (title: string, rows: readonly string[]) => ['', title, ...rows.map((row) => INDENT + row)];
  const width = columns - INDENT.length;
  const parts = [
    { title: `Costs by ${by}, ${days} (UTC, list prices)`, of: COSTS },
    { title: "The model's part of it", of: MODEL },
    { title: 'How sure it is', of: costs.total.reconciled.lines === 0 ? STATES : [...STATES, ...RECONCILED] },
  ];
  const told = parts.flatMap(({ title, of }) => {
    const rows = sumTable(costs, by, of, width);
    return titled(title, [...rows, ...leftOutColumns(of, rows).flatMap((note) => wrap(note, width))]);
  });
  return [
    ...told,
    ...notes(costs).flatMap((note) => wrap(note, Math.min(width, NOTE_COLUMNS)).map((row) => INDENT + row)),
    ...(costs.residues.length === 0 ? [] : titled('Where reports and lines differ', residueTable(costs, width))),
  ];
}

const INDENT = '  ';
/** Longer rows are hard to read. */
const NOTE_COLUMNS = 100;

/** From here on hundredths of a cent are only in the way; CSV and JSON have them. */
const MUCH_NANO_USD = 100e9;

function sumTable({ rows, total }: Costs, by: string, of: readonly SumColumn[], width: number): string[] {
  const decimals = total.total.nanoUsd < MUCH_NANO_USD ? 4 : 2;
  const row = (name: string, sums: CostSums) => [name, ...of.map(({ cell }) => cell(sums, decimals))];
  const right = of.map(({ cell: _, ...column }): Column => ({ ...column, align: 'right' }));
  return table(
    [{ title: by, shrinks: true }, ...right],
    [...rows.map((one) => row(nameOf(one), one)), ...(rows.length > 1 ? [row('total', total)] : [])],
    width,
  );
}

const nameOf = ({ key }: CostRow): string => (key === null ? '(unknown call)' : plainText(key));

const money = (title: string, of: (sums: CostSums) => Sum, dropped?: number): SumColumn => ({
  title,
  cell: (sums, decimals) => sumCell(of(sums), decimals),
  ...(dropped === undefined ? {} : { dropped }),
});

const NOTHING: Sum = { nanoUsd: 0, unpricedLines: 0 };

const COSTS: readonly SumColumn[] = [
  { title: 'calls', cell: ({ calls }) => grouped(calls) },
  { title: 'minutes', cell: ({ talkMs }) => minutes(talkMs) },
  money('model', ({ model }) => model, 1),
  money('transcripts', ({ kinds }) => kinds.transcription, 3),
  money('carrier', ({ kinds }) => kinds.carrier, 2),
  money('tools', ({ kinds }) => kinds.tools, 3),
  money('cost', ({ total }) => total),
  { title: '$/min', cell: ({ total, talkMs }) => sumCell(perMinute(total, talkMs) ?? NOTHING) },
  { title: 'cached', cell: ({ cachedTokens, inputTokens }) => percent(cachedTokens, inputTokens) },
];

const MODEL: readonly SumColumn[] = [
  money('text in', ({ kinds }) => kinds.textIn),
  money('cached', ({ kinds }) => kinds.textCached, 1),
  money('out', ({ kinds }) => kinds.textOut),
  money('audio in', ({ kinds }) => kinds.audioIn),
  money('cached', ({ kinds }) => kinds.audioCached, 1),
  money('out', ({ kinds }) => kinds.audioOut),
  money('other', ({ kinds }) => kinds.modelOther, 2),
];

const STATES: readonly SumColumn[] = [
  money('estimated', ({ states }) => states.estimated),
  money('metered', ({ states }) => states.metered),
  money('billed', ({ states }) => states.billed),
];

const RECONCILED: readonly SumColumn[] = [
  {
    title: 'sellers say',
    cell: ({ reconciled }, decimals) => (reconciled.lines === 0 ? NONE : dollars(reconciled.billedNanoUsd, decimals)),
  },
  {
    title: 'difference',
    dropped: 1,
    cell: ({ reconciled }, decimals) => differenceText(reconciled.billedNanoUsd - reconciled.nanoUsd, decimals),
  },
];

const PRODUCTS_NAMED = 5;

function notes({ total, unpriced }: Costs): string[] {
  const told = [
    'estimated: Trunkline counted; metered: the seller counted; billed: the seller’s report was seen. cached: share of what ' +
      'went into answers.',
  ];
  if (total.states.billed.lines === 0)
    told.push('No line has met its seller’s report yet: trunkline costs reconcile --day D');
  if (unpriced.length > 0) {
    const shown = unpriced
      .slice(0, PRODUCTS_NAMED)
      .map(({ product, lines }) => `${plainText(product)} (${counted(lines, 'line')})`);
    const left = unpriced.length - shown.length;
    told.push(
      `No price is known of ${shown.join(', ')}${left > 0 ? ` and ${left} more` : ''}: ≥ says that a sum is at least that.`,
    );
  }
  return told;
}

function residueTable({ residues }: Costs, width: number): string[] {
  const sums = { nanoUsd: 0, besideNanoUsd: 0 };
  for (const { nanoUsd, besideNanoUsd } of residues) {
    sums.nanoUsd += nanoUsd;
    sums.besideNanoUsd += besideNanoUsd;
  }
  const money = (of: typeof sums) => [differenceText(of.nanoUsd), differenceText(of.besideNanoUsd)];
  return table(
    [
      { title: 'seller' },
      { title: 'product', shrinks: true },
      { title: 'cause' },
      { title: 'difference', align: 'right' },
      { title: 'on no line', align: 'right' },
    ],
    [
      ...residues.map((residue) => [
        ...[residue.seller, residue.product, residue.cause].map(plainText),
        ...money(residue),
      ]),
      ...(residues.length > 1 ? [['total', '', '', ...money(sums)]] : []),
    ],
    width,
  );
}
