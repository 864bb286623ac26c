// Text for people in a terminal: widths, wrapping, tables and times. Pure, without colours.

/** Characters that take two columns: CJK, Hangul, full-width forms, pictures. */
const WIDE = /^[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\u3000-\u303f\uff01-\uff60\u{1f300}-\u{1faff}]$/u;
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

/** Columns that a text takes. */
export function widthOf(text: string): number {
  let width = 0;
  for (const char of text) width += NO_WIDTH.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
  return width;
}

/** What others wrote, on one line and without anything that would steer a terminal. */
export const plainText = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();

/** The text in at most `width` columns; what does not fit ends in an ellipsis. */
export function fit(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  return `${head(text, Math.max(0, width - 1)).trimEnd()}…`;
}

/** The end of the text in at most `width` columns; what does not fit begins with an ellipsis. */
export function fitEnd(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const words = text.split(' ');
  while (words.length > 1 && widthOf(words.join(' ')) > width - 2) words.shift();
  return fit(`… ${words.join(' ')}`, width);
}

/** Fills up with spaces to `width` columns. */
export const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)));

const padStart = (text: string, width: number): string => ' '.repeat(Math.max(0, width - widthOf(text))) + text;

/** Rows of at most `width` columns. Rows never change when words are added at the end: only the last one grows. */
export function wrap(text: string, width: number): string[] {
  const rows: string[] = [];
  let row = '';
  for (let word of text.split(' ')) {
    if (row !== '' && widthOf(row) + 1 + widthOf(word) <= width) {
      row += ` ${word}`;
      continue;
    }
    if (row !== '') rows.push(row);
    // A word longer than a row is cut, or a text without spaces would run on.
    while (widthOf(word) > width) {
      const part = head(word, width);
      rows.push(part);
      word = word.slice(part.length);
    }
    row = word;
  }
  if (row !== '' || rows.length === 0) rows.push(row);
  return rows;
}

function head(text: string, width: number): string {
  let taken = '';
  let columns = 0;
  for (const char of text) {
    columns += widthOf(char);
    if (columns > width && taken !== '') break;
    taken += char;
  }
  return taken;
}

export interface Column {
  title: string;
  /** Default left. */
  align?: 'left' | 'right';
  /** The one column that gives way when the table is too wide. */
  shrinks?: true;
  /** Left out when even that is not enough; the highest first. */
  dropped?: number;
}

/** Rows of cells as lines of at most `width` columns, the titles first; what does not fit is cut, then left out. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  const widths = columns.map(({ title }, c) => Math.max(widthOf(title), ...rows.map((row) => widthOf(row[c] ?? ''))));
  const excess = widths.reduce((sum, w) => sum + w + GAP.length, -GAP.length) - width;
  const shrinking = columns.findIndex((column) => column.shrinks);
  const least = Math.min(MIN_SHRUNK, widths[shrinking] ?? 0);
  const last = Math.max(0, ...columns.map((column) => column.dropped ?? 0));
  if (excess > Math.max(0, (widths[shrinking] ?? 0) - least) && last > 0) {
    const stays = (_: unknown, c: number) => columns[c]?.dropped !== last;
    return table(
      columns.filter(stays),
      rows.map((row) => row.filter(stays)),
      width,
    );
  }
  if (shrinking >= 0) widths[shrinking] = Math.max(least, (widths[shrinking] as number) - Math.max(0, excess));
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, c) => {
        const cell = fit(cells[c] ?? '', widths[c] as number);
        return align === 'right' ? padStart(cell, widths[c] as number) : pad(cell, widths[c] as number);
      })
      .join(GAP)
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}

const GAP = '  ';
const MIN_SHRUNK = 20;

/** Minutes, seconds and tenths into a call: `01:02.3`. */
export function callTime(ms: number): string {
  const tenths = Math.max(0, Math.round(ms / 100));
  const minutes = Math.floor(tenths / 600);
  const seconds = ((tenths % 600) / 10).toFixed(1);
  return `${String(minutes).padStart(2, '0')}:${seconds.padStart(4, '0')}`;
}

/** `5.3 s` */
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** `1,234` */
export const grouped = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');

/** `1 call`, `2 calls` */
export const counted = (count: number, noun: string): string => `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
