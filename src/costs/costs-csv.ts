// What calls cost as CSV (RFC 4180): one row for each day, agent or model, dollars to the last nano-dollar. Pure.
import type { CostRow, Costs } from '../store/queries/costs.ts';
import { COST_KINDS } from '../store/queries/costs-sums.ts';

const COLUMNS: readonly [string, (row: CostRow) => string | number][] = [
  ['calls', ({ calls }) => calls],
  ['talk_seconds', ({ talkMs }) => (talkMs / 1_000).toFixed(3)],
  ...COST_KINDS.map((kind): [string, (row: CostRow) => string] => [
    `${kind.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_usd`,
    ({ kinds }) => exactUsd(kinds[kind].nanoUsd),
  ]),
  ['total_usd', ({ total }) => exactUsd(total.nanoUsd)],
  ['lines_without_price', ({ total }) => total.unpricedLines],
  ['estimated_usd', ({ states }) => exactUsd(states.estimated.nanoUsd)],
  ['metered_usd', ({ states }) => exactUsd(states.metered.nanoUsd)],
  ['billed_usd', ({ states }) => exactUsd(states.billed.nanoUsd)],
  ['reconciled_usd', ({ reconciled }) => exactUsd(reconciled.nanoUsd)],
  ['sellers_say_usd', ({ reconciled }) => exactUsd(reconciled.billedNanoUsd)],
  ['input_tokens', ({ inputTokens }) => inputTokens],
  ['cached_tokens', ({ cachedTokens }) => cachedTokens],
];

/** With a heading, which is all there is of nothing. */
export function costsCsv({ rows }: Pick<Costs, 'rows'>, by: string): string {
  const lines = [[by, ...COLUMNS.map(([name]) => name)], ...rows.map((row) => [row.key ?? '', ...cellsOf(row)])];
  return lines.map((cells) => cells.map(quoted).join(',')).join('\r\n');
}

const cellsOf = (row: CostRow): string[] => COLUMNS.map(([, cell]) => String(cell(row)));

const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

/** Nano-dollars as dollars, without a detour over binary fractions. */
export function exactUsd(nanoUsd: number): string {
  const digits = String(Math.abs(nanoUsd)).padStart(10, '0');
  return `${nanoUsd < 0 ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}
