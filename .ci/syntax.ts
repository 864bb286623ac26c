// Reads source text into a syntax tree and walks it. TypeScript 7 has no compiler API; vitest, a dependency anyway,
// passes on a parser that knows types, so that no rule has to guess from regular expressions.
import { parseAst } from 'vitest/node';

/** Any node of the tree. Fields are read by name and checked where they are used. */
export interface SyntaxNode {
  type: string;
  start: number;
  [field: string]: unknown;
}

/** The parsed file; throws on a syntax error. */
export function parse(source: string, path: string): SyntaxNode {
  const lang = path.endsWith('.tsx') ? 'tsx' : /\.[cm]?ts$/.test(path) ? (path.includes('.d.') ? 'dts' : 'ts') : 'js';
  return parseAst(source, { lang }, path) as unknown as SyntaxNode;
}

/** Every node, parents before children, in source order. */
export function* nodes(node: SyntaxNode): Generator<SyntaxNode> {
  yield node;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield* nodes(child);
  }
}

/** Line number of an offset, from 1. */
export const lineAt = (source: string, offset: number): number => source.slice(0, offset).split('\n').length;

export const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === 'object' && value !== null && typeof (value as SyntaxNode).type === 'string';
