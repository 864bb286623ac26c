// Lists what a source file imports, in every form that the language has.
import { isNode, lineAt, nodes, parse } from './syntax.ts';

/** One import or re-export. */
export interface Import {
  /** The specifier as written; null when it is computed and nobody can tell. */
  from: string | null;
  /** Gone at run time: `import type`, `export type … from`, `import('…').T`. An inline `{ type A }` still loads the file. */
  typeOnly: boolean;
  /** From 1. */
  line: number;
}

/** All imports of one file, in source order. */
export function importsOf(source: string, path: string): Import[] {
  const found: Import[] = [];
  for (const node of nodes(parse(source, path))) {
    const kind = FORMS[node.type];
    if (kind === undefined || node.source === null || node.source === undefined) continue;
    const from = isNode(node.source) && typeof node.source.value === 'string' ? node.source.value : null;
    const typeOnly = kind === 'type' || node.importKind === 'type' || node.exportKind === 'type';
    found.push({ from, typeOnly, line: lineAt(source, node.start) });
  }
  return found;
}

const FORMS: Record<string, 'by keyword' | 'value' | 'type'> = {
  ImportDeclaration: 'by keyword',
  ExportNamedDeclaration: 'by keyword',
  ExportAllDeclaration: 'by keyword',
  ImportExpression: 'value',
  TSImportType: 'type',
};
