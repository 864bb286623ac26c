// Puts the conversation on a terminal as it happens. On one that can rewrite its last row, that row shows what is being
// said and how far the call is; elsewhere every row is written once, when no word of it can change any more.
import type { Caption, Moment } from './captions.ts';
import { captionRows, meter, paint, shownWidth, type Surface, usableColumns } from './caption-text.ts';

const ERASE_ROW = '\r\u001b[2K';

export interface ScreenOptions {
  write: (text: string) => void;
  /** Asked whenever something is drawn: terminals are resized. */
  surface: () => Surface;
  /** How long the call will take, for the meter. */
  expectedMs: number;
}

/** Owns the terminal while a call is shown. */
export class Screen {
  readonly #options: ScreenOptions;
  /** Rows of the growing caption that are written and stay, and the surface it was begun on. */
  #begun: { surface: Surface; rows: number } | null = null;
  #live = '';

  constructor(options: ScreenOptions) {
    this.#options = options;
  }

  /** Writes a line of its own, above the row that is being rewritten. */
  line(text = ''): void {
    this.#put(`${text}\n`);
  }

  /** Draws what became complete and what is being said. */
  show({ elapsedMs, finished, growing }: Moment): void {
    for (const caption of finished) this.#caption(caption, true);
    if (growing && growing.kind !== 'caller') this.#caption(growing, false);
    if (elapsedMs !== null) this.#rewrite(growing, elapsedMs);
  }

  /** The last moment: what is complete, and nothing live any more. */
  finish({ finished }: Pick<Moment, 'finished'>): void {
    for (const caption of finished) this.#caption(caption, true);
    this.#put('');
  }

  #caption(caption: Caption, complete: boolean): void {
    // The width stays that of the beginning, or rows already written would have to be broken anew.
    this.#begun ??= { surface: this.#options.surface(), rows: 0 };
    const rows = captionRows(caption, this.#begun.surface);
    const stable = complete ? rows : rows.slice(0, -1);
    const fresh = stable.slice(this.#begun.rows);
    if (fresh.length > 0) this.#put(`${fresh.join('\n')}\n`);
    this.#begun = complete ? null : { ...this.#begun, rows: Math.max(this.#begun.rows, stable.length) };
  }

  #rewrite(growing: Caption | null, elapsedMs: number): void {
    const surface = this.#options.surface();
    if (!surface.rewrites) return;
    const row = growing ? growingRow(growing, elapsedMs, this.#begun?.surface ?? surface) : '';
    const bar = meter(elapsedMs, this.#options.expectedMs, surface);
    const room = usableColumns(surface) - shownWidth(row) - shownWidth(bar);
    // Words come first: the meter waits while there is no room for both.
    const live = bar !== '' && room > 1 ? row + ' '.repeat(room) + bar : row;
    if (live === this.#live) return;
    this.#options.write(`${ERASE_ROW}${shownWidth(live) <= surface.columns - 1 ? live : ''}`);
    this.#live = live;
  }

  #put(text: string): void {
    if (this.#live !== '') this.#options.write(ERASE_ROW);
    this.#live = '';
    if (text !== '') this.#options.write(text);
  }
}

const DOTS = ['·', '· ·', '· · ·'];
const DOT_MS = 400;

function growingRow(caption: Caption, elapsedMs: number, surface: Surface): string {
  if (caption.kind !== 'caller') return captionRows(caption, surface).at(-1) as string;
  const dots = DOTS[Math.floor(elapsedMs / DOT_MS) % DOTS.length] as string;
  const [row = ''] = captionRows({ ...caption, words: 'speaking' }, surface);
  return `${row} ${paint(surface, 'green', dots)}`;
}
