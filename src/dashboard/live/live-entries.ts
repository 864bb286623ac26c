// The running transcript of one live call: its latest lines in order, bounded, and which of them somebody has to be told.
import type { LiveEntry } from '../schemas/live.ts';
import { splitHeard } from '../../heard-text.ts';

/** Lines kept of a call; the call's page has them all when it is over. */
const MAX_ENTRIES = 2_000;
/** Characters of one text. */
const MAX_TEXT_CHARS = 2_000;
/** Characters of all texts of a call: as much as is written down for somebody who opens it in a millisecond or so. */
const MAX_CHARS = 150_000;

type Kind = LiveEntry['kind'];

/** A line as it becomes. */
export interface Line {
  readonly entry: number;
  /** Monotonic. */
  readonly atMs: number;
  readonly kind: Kind;
  /** Under which it is found again; null: nothing more comes of it. */
  readonly key: string | null;
  text: string;
  /** Of the agent's words: the share that was heard; null: not known yet. */
  heardShare: number | null;
  tool: LiveEntry['tool'];
  /** As it is told; null: it has changed since. */
  shown: LiveEntry | null;
}

export class LiveEntries {
  /** In order. */
  readonly #lines = new Map<number, Line>();
  readonly #byKey = new Map<string, Line>();
  readonly #changed = new Set<Line>();
  #next = 0;
  #chars = 0;
  #version = 0;

  /** A new line at the end. `key` finds it again. */
  add(kind: Kind, atMs: number, text: string, key: string | null = null, tool: LiveEntry['tool'] = null): Line {
    const line: Line = { entry: this.#next++, atMs, kind, key, text: '', heardShare: null, tool, shown: null };
    this.#lines.set(line.entry, line);
    if (key !== null) this.#byKey.set(key, line);
    this.#chars += charsOf(tool);
    this.setText(line, text);
    return line;
  }

  find(key: string): Line | undefined {
    return this.#byKey.get(key);
  }

  /** The newest line. */
  get latest(): Line | undefined {
    return this.#lines.get(this.#next - 1);
  }

  setText(line: Line, text: string): void {
    const cut = cutText(text);
    this.#chars += cut.length - line.text.length;
    line.text = cut;
    this.touch(line);
    this.#prune();
  }

  setTool(line: Line, tool: NonNullable<LiveEntry['tool']>): void {
    this.#chars += charsOf(tool) - charsOf(line.tool);
    line.tool = tool;
    this.touch(line);
    this.#prune();
  }

  /** It is not as it was told last. */
  touch(line: Line): void {
    line.shown = null;
    this.#version += 1;
    if (this.#lines.has(line.entry)) this.#changed.add(line);
  }

  touchAll(): void {
    for (const line of this.#lines.values()) this.touch(line);
  }

  /** Another after each change. */
  get version(): number {
    return this.#version;
  }

  /** All lines, in a call whose time began at `zeroMs`. */
  all(zeroMs: number): LiveEntry[] {
    return [...this.#lines.values()].map((line) => shown(line, zeroMs));
  }

  /** Takes the lines that are not as they were taken last, in order. */
  takeChanged(zeroMs: number): LiveEntry[] {
    const changed = [...this.#changed].toSorted((a, b) => a.entry - b.entry);
    this.#changed.clear();
    return changed.map((line) => shown(line, zeroMs));
  }

  #prune(): void {
    while (this.#lines.size > MAX_ENTRIES || (this.#chars > MAX_CHARS && this.#lines.size > 1)) {
      const [oldest] = this.#lines.values();
      if (oldest === undefined) return;
      this.#lines.delete(oldest.entry);
      this.#changed.delete(oldest);
      if (oldest.key !== null && this.#byKey.get(oldest.key) === oldest) this.#byKey.delete(oldest.key);
      this.#chars -= oldest.text.length + charsOf(oldest.tool);
    }
  }
}

/** A text as it is kept: one that is too long ends with an ellipsis. */
export const cutText = (text: string): string =>
  text.length > MAX_TEXT_CHARS ? `${text.slice(0, MAX_TEXT_CHARS - 1)}…` : text;

const charsOf = (tool: LiveEntry['tool']): number =>
  tool === null ? 0 : tool.arguments.length + (tool.output?.length ?? 0);

function shown(line: Line, zeroMs: number): LiveEntry {
  if (line.shown !== null) return line.shown;
  const { entry, atMs, kind, text, heardShare, tool } = line;
  const split = heardShare === null ? null : splitHeard(text, heardShare);
  line.shown = {
    entry,
    atMs: Math.round(atMs - zeroMs),
    kind,
    text,
    heard: split?.heard ?? null,
    unheard: split?.unheard ?? null,
    tool,
  };
  return line.shown;
}
