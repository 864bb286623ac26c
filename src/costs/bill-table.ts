// A call's bill line by line: what was used, at which price, what it comes to and how sure that is. Pure.
import type { TokenCount, TokenPrice, UnitPrice } from '../ledger/line.ts';
import { type Column, grouped, plainText, table } from '../replay/text-layout.ts';
import type { Bill, BillLine, LinesSum } from '../store/queries/calls-bill.ts';
import { momentOf } from './days.ts';
import { leftOutColumns } from './left-out.ts';
import { dollars, NONE, sumText, tokenPriceText, unitPriceText } from './money.ts';

const WHAT: Record<BillLine['what'], string> = {
  answer: 'answer',
  transcription: 'transcript',
  session: 'session',
  leg: 'call leg',
  media_stream: 'stream',
  recording: 'recording',
  message: 'message',
  machine_detection: 'AMD',
  tool: 'tool',
};

/** What stands in a column, of each quantity of a line. */
interface BillColumn extends Column {
  cell: (line: BillLine, use: Use, first: boolean) => string;
}

/** Said once, beside the first quantity. */
const once =
  (of: (line: BillLine) => string): BillColumn['cell'] =>
  (line, _use, first) =>
    first ? of(line) : '';

const clockOf = ({ atWallMs }: BillLine): string => momentOf(atWallMs).slice('2026-11-21 '.length);

/** What all lines share is not a column: nobody was asked, or one book has all the prices; the title has the books. */
function columnsOf({ lines }: Bill): BillColumn[] {
  const reconciled = lines.some(({ billedNanoUsd }) => billedNanoUsd !== null);
  const sellerSays: BillColumn = {
    title: 'seller says',
    align: 'right',
    dropped: 1,
    cell: once(({ billedNanoUsd: billed }) => (billed === null ? NONE : dollars(billed))),
  };
  const book: BillColumn = { title: 'book', dropped: 4, cell: once(({ priceBook }) => plainText(priceBook)) };
  return [
    { title: 'when', cell: once(clockOf) },
    { title: 'what', dropped: 2, cell: once(({ what }) => WHAT[what]) },
    { title: 'sold as', shrinks: true, cell: once(({ product }) => plainText(product)) },
    { title: 'units', align: 'right', cell: (_line, use) => use.units },
    { title: 'of', cell: (_line, use) => use.of },
    { title: 'each', align: 'right', dropped: 3, cell: (_line, use) => use.each },
    {
      title: 'cost',
      align: 'right',
      cell: once(({ costNanoUsd: cost }) => (cost === null ? 'no price' : dollars(cost))),
    },
    { title: 'state', cell: once(({ state, doubt }) => (doubt === null ? state : `${state} *`)) },
    ...(reconciled ? [sellerSays] : []),
    ...(booksOf(lines).length > 1 ? [book] : []),
    { title: 'event', dropped: 5, cell: once(({ source }) => plainText(source)) },
  ];
}

/** Every line; of one that has several kinds of quantity, a row each. */
export function billTable(bill: Bill, width: number): string[] {
  const columns = columnsOf(bill);
  const rows = bill.lines.flatMap((line) =>
    usesOf(line).map((use, i) => columns.map(({ cell }) => cell(line, use, i === 0))),
  );
  return table(columns, rows, width);
}

/** The price books of a bill, each once. */
export const booksOf = (lines: readonly Pick<BillLine, 'priceBook'>[]): string[] => [
  ...new Set(lines.map(({ priceBook }) => priceBook)),
];

/** Why lines are doubted, and what the table had no room for. */
export function billNotes(bill: Bill, shown: readonly string[]): string[] {
  const doubts = bill.lines.flatMap((line) =>
    line.doubt === null ? [] : [`* ${clockOf(line)} ${WHAT[line.what]}: ${plainText(line.doubt)}`],
  );
  return [...doubts, ...leftOutColumns(columnsOf(bill), shown)];
}

/** One quantity of a line. */
interface Use {
  units: string;
  of: string;
  each: string;
}

function usesOf({ quantities: q, unitPrice, what }: BillLine): Use[] {
  const each = unitPrice === null || unitPrice.per === 'token' ? NONE : unitPriceText(unitPrice);
  switch (q.unit) {
    case 'tokens': {
      const tokens = (['text', 'audio', 'image'] as const).flatMap((kind) =>
        tokenUses(kind, q[kind], tokenPriceOf(unitPrice, kind) ?? each),
      );
      return tokens.length > 0 ? tokens : [{ units: '0', of: 'tokens', each }];
    }
    case 'seconds':
      return [{ units: q.seconds.toFixed(1), of: 'seconds', each }];
    case 'minutes':
      return [{ units: grouped(q.minutes), of: `min, ${q.seconds.toFixed(1)} s`, each }];
    case 'count':
      return [{ units: grouped(q.count), of: WHAT[what], each }];
    default:
      return q satisfies never;
  }
}

type Modality = 'text' | 'audio' | 'image';

const tokenPriceOf = (price: UnitPrice | null, kind: Modality): TokenPrice | null =>
  price?.per === 'token' ? price[kind] : null;

/** @param price of each part; or, where it is not sold by the token, the price of all of it */
function tokenUses(kind: Modality, count: TokenCount, price: TokenPrice | string): Use[] {
  const parts = [
    ['fresh', kind],
    ['cached', `${kind} cached`],
    ['out', `${kind} out`],
  ] as const;
  return parts
    .filter(([part]) => count[part] !== 0)
    .map(([part, of]) => ({
      units: grouped(count[part]),
      of,
      each: typeof price === 'string' ? price : tokenPriceText(price[part]),
    }));
}

/** What the lines come to, by how sure they are. */
export function sumsTable({ byState, total }: Bill, width: number): string[] {
  const row = (name: string, sum: LinesSum): string[] => [
    name,
    grouped(sum.lines),
    sumText(sum),
    ...(byState.billed.lines > 0 ? [name === 'billed' || name === 'total' ? dollars(sum.billedNanoUsd) : NONE] : []),
  ];
  const states = (['estimated', 'metered', 'billed'] as const).filter((state) => byState[state].lines > 0);
  return table(
    [
      { title: 'state' },
      { title: 'lines', align: 'right' },
      { title: 'cost', align: 'right' },
      ...(byState.billed.lines > 0 ? [{ title: 'seller says', align: 'right' as const }] : []),
    ],
    [...states.map((state) => row(state, byState[state])), ...(states.length === 1 ? [] : [row('total', total)])],
    width,
  );
}
