// What a table or a list leaves out, so that nobody takes a part for the whole. Pure.
import { type Column, counted, grouped } from '../replay/text-layout.ts';

/** Names the columns that the table had no room for. @param lines the table, its titles first */
export function leftOutColumns(columns: readonly Pick<Column, 'title'>[], [titles = '']: readonly string[]): string[] {
  const shown = titles.trim().split(/ {2,}/);
  const missing = columns.map(({ title }) => title).filter((title) => !shown.includes(title));
  return missing.length === 0 ? [] : [`No room for: ${missing.join(', ')}. A wider terminal or a pipe has them.`];
}

/** What a list of calls leaves out. */
export function leftOutCalls(shown: number, fitting: number): string[] {
  if (fitting <= shown) return [];
  return [`The newest ${grouped(shown)} of ${counted(fitting, 'call')}; --limit N shows more.`];
}
