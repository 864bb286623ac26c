// One YAML file's text: its values as YAML sees them, whatever is wrong with them, and where each of them stands. Agent files,
// conversation scripts, callers and expectations are read through this.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, Node, Pair } from 'yaml';

type Path = readonly PropertyKey[];

export class YamlSource {
  /** As whoever reads it knows it, for example relative to the agents folder. */
  readonly file: string;
  /** The whole file as plain data; undefined when it is not YAML. */
  readonly value: unknown;
  readonly #faults: { offset: number; text: string }[] = [];
  readonly #shown: string;
  readonly #text: string;
  readonly #lines = new LineCounter();
  readonly #document: Document.Parsed;

  /** @param shown the file's name in error texts */
  constructor(file: string, shown: string, text: string) {
    this.file = file;
    this.#shown = shown;
    this.#text = text;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    for (const { code, message, pos } of [...this.#document.errors, ...this.#document.warnings]) {
      const hint = code === 'BAD_ALIAS' ? '; a lone * must be quoted: "*"' : '';
      this.#add(pos[0], `not valid YAML: ${message}${hint}`);
    }
    if (this.#faults.length > 0) return;
    try {
      this.value = this.#document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      this.#add(0, `not valid YAML: ${(error as Error).message}`);
    }
  }

  /** `file:line:column: path: what was expected (found …)`, from top to bottom. */
  get faults(): string[] {
    return this.#faults
      .toSorted((a, b) => a.offset - b.offset)
      .map(({ offset, text }) => `${this.#position(offset)}: ${text}`);
  }

  /** The raw, unchecked value at a path; undefined where there is none. */
  at(...path: PropertyKey[]): unknown {
    let value = this.value;
    for (const step of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
      value = (value as Record<PropertyKey, unknown>)[step];
    }
    return value;
  }

  /** Adds a fault about the value at `path`, or about the key itself. A missing value is placed at what encloses it. */
  fault(path: Path, expected: string, about: 'value' | 'key' = 'value'): void {
    const { pair, node, offset } = this.#find(path);
    const name = path
      .map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i > 0 ? '.' : ''}${String(step)}`))
      .join('');
    const start = (about === 'key' ? keyNode(pair)?.range?.[0] : node?.range?.[0]) ?? offset;
    const found = about === 'key' ? '' : ` (found ${this.#describe(node)})`;
    this.#add(start, `${name ? `${name}: ` : ''}${expected}${found}`);
  }

  /** Where a value stands, as `file:line:column`. */
  where(path: Path): string {
    const { node, offset } = this.#find(path);
    return this.#position(node?.range?.[0] ?? offset);
  }

  /** A value as it is written. */
  written(path: Path): string {
    return this.#describe(this.#find(path).node);
  }

  #find(path: Path): { pair: Pair | undefined; node: Node | undefined; offset: number } {
    let node: Node | undefined = this.#document.contents ?? undefined;
    let pair: Pair | undefined;
    let offset = 0;
    for (const step of path) {
      const parent: Node | undefined = isAlias(node) ? node.resolve(this.#document) : node;
      pair = undefined;
      node = undefined;
      if (isMap(parent)) {
        pair = parent.items.find((item) => String(keyNode(item)?.value) === String(step));
        node = (pair?.value as Node | null | undefined) ?? undefined;
        offset = keyNode(pair)?.range?.[0] ?? offset;
      } else if (isSeq(parent)) {
        node = parent.items[Number(step)] as Node | undefined;
        offset = node?.range?.[0] ?? offset;
      }
    }
    return { pair, node, offset };
  }

  #add(offset: number, text: string): void {
    this.#faults.push({ offset, text });
  }

  #position(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#shown}:${Math.max(1, line)}:${Math.max(1, col)}`;
  }

  #describe(node: Node | undefined): string {
    const real = isAlias(node) ? node.resolve(this.#document) : node;
    if (isMap(real)) return 'a mapping';
    if (isSeq(real)) return 'a list';
    if (!isScalar(real) || !real.range) return 'nothing';
    const text = this.#text.slice(real.range[0], real.range[1]).replace(/\s+/g, ' ').trim();
    return text === '' ? 'nothing' : text.length > 60 ? `${text.slice(0, 60)}…` : text;
  }
}

function keyNode(pair: Pair | undefined) {
  return isScalar(pair?.key) ? pair.key : undefined;
}
