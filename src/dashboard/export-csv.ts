// Calls as CSV (RFC 4180): one row each, times in ISO 8601, dollars to the last nano-dollar. Cells that a spreadsheet would
// take for a formula are made harmless: agents and dispositions are named by people, parties' addresses by strangers. Pure.
import type { CallSummary } from '../store/queries/calls.ts';

const time = (wallMs: number | null): string => (wallMs === null ? '' : new Date(wallMs).toISOString());
const seconds = (ms: number | null): string => (ms === null ? '' : (ms / 1_000).toFixed(3));

const COLUMNS: readonly (readonly [string, (call: CallSummary) => string | number | null])[] = [
  ['call_id', ({ callId }) => callId],
  ['admitted', ({ admittedWallMs }) => time(admittedWallMs)],
  ['media_started', ({ mediaStartedWallMs }) => time(mediaStartedWallMs)],
  ['ended', ({ endedWallMs }) => time(endedWallMs)],
  ['duration_seconds', ({ durationMs }) => seconds(durationMs)],
  ['agent', ({ agent }) => agent],
  ['model', ({ model }) => model],
  ['carrier', ({ carrier }) => carrier],
  ['direction', ({ direction }) => direction],
  ['from_kind', ({ from }) => from.kind],
  ['from', ({ from }) => from.value],
  ['to_kind', ({ to }) => to.kind],
  ['to', ({ to }) => to.value],
  ['reason', ({ reason }) => reason],
  ['ended_by', ({ by }) => by],
  ['result', ({ result }) => result],
  ['disposition', ({ disposition }) => disposition],
  ['quality', ({ quality }) => quality],
  ['latency_ms', ({ latencyMs }) => latencyMs],
  ['turns', ({ turnCount }) => turnCount],
  ['barge_ins', ({ bargeIns }) => bargeIns],
  ['cost_usd', ({ cost }) => exactUsd(cost.nanoUsd)],
  ['lines', ({ cost }) => cost.lines],
  ['lines_without_price', ({ cost }) => cost.unpricedLines],
];

export const csvRow = (call: CallSummary): string => line(COLUMNS.map(([, cell]) => cell(call)));

function line(cells: readonly (string | number | null)[]): string {
  return `${cells.map((cell) => quoted(harmless(String(cell ?? '')))).join(',')}\r\n`;
}

/** What begins a formula in one spreadsheet or another, also in full width. */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
/** A telephone number is only a number, and means more without a quote before it. */
const NUMBER = /^[+-]?\d+(?:\.\d+)?$/;

/** Where a comma is for decimals, spreadsheets take a semicolon for the end of a cell: what follows begins another. */
const CELL_WITHIN = /;(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

const harmless = (cell: string): string => {
  const within = cell.replace(CELL_WITHIN, "$&'");
  return FORMULA.test(within) && !NUMBER.test(within) ? `'${within}` : within;
};

const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

/** Nano-dollars as dollars, without a detour over binary fractions. */
function exactUsd(nanoUsd: number): string {
  const digits = String(Math.abs(nanoUsd)).padStart(10, '0');
  return `${nanoUsd < 0 ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

/** The first line. */
export const CSV_HEADING = line(COLUMNS.map(([name]) => name));
