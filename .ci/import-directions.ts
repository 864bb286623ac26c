// Who may import whom inside `src`. The table is the truth: what it does not list is refused, `import type` included.
import { posix } from 'node:path';
import { importsOf } from './imports.ts';
import { lineAt, nodes, parse } from './syntax.ts';

/** One area of `src` and what it may import besides itself. */
export interface Row {
  /** The name that other rows use. */
  area: string;
  /** Files of the area, below `src`: a file, or a folder when it ends in a slash. The first row that matches a file owns it. */
  files: readonly string[];
  /** Areas, or single files below `src`; `type x` allows only `import type` of x; `*` allows everything. */
  may: readonly string[];
  /** false: neither packages nor Node's built-in modules. Default true. */
  packages?: boolean;
  /** Why the area may import a path that only running tells; without a reason it may not. */
  computed?: string;
}

/** Files of `src/call` that touch sockets, timers or the log. Every other file there is pure. */
const CALL_SHELL = [
  'call',
  'calls',
  'make-call',
  'gate',
  'following',
  'holdings',
  'sweep',
  'shelf',
  'feed',
  'spending',
  'people',
  'hidden',
  'next-steps',
].map((name) => `call/${name}.ts`);

/** The model side's own machine: as pure as the call core. */
const DIALOGUE = [
  ...[
    'dialogue',
    'dialogue-state',
    'answering',
    'responses',
    'speech',
    'tool-calls',
    'billing',
    'wanted',
    'usage',
    'json',
  ],
  ...['items', 'error-codes', 'messages', 'recall', 'summary'],
].map((name) => `realtime/openai/${name}.ts`);

/** What a pure file may not know of: time, chance, the process. */
const IMPURE = new Set([
  ...['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'crypto', 'process'],
  ...['console', 'fetch', 'globalThis'],
]);

const CALL_TYPES = ['type call', 'type call/feed.ts'];

// biome-ignore format: one row, one line, so that a change of direction is one line of a diff.
export const TABLE: readonly Row[] = [
  { area: 'audio', files: ['audio/'], may: [] },
  { area: 'clock', files: ['clock.ts'], may: [] },
  { area: 'errors', files: ['errors.ts'], may: [] },
  { area: 'spelling', files: ['spelling.ts'], may: [] },
  { area: 'heard-text', files: ['heard-text.ts'], may: [] },
  { area: 'yaml', files: ['yaml/'], may: ['spelling'] },
  { area: 'config', files: ['config.ts', 'env-file.ts'], may: ['errors', 'spelling'] },
  { area: 'log', files: ['log.ts'], may: ['errors'] },
  { area: 'coordination', files: ['coordination/'], may: ['type carrier/carrier.ts', 'clock'] },
  { area: 'carrier/twilio', files: ['carrier/twilio/'], may: ['carrier', 'audio', 'config', 'errors', 'log', 'clock'] },
  { area: 'carrier', files: ['carrier/carrier.ts'], may: ['audio', 'errors'] },
  { area: 'tools', files: ['tools/'], may: ['type carrier/carrier.ts', 'errors', 'clock', 'yaml', 'spelling', 'type log'] },
  { area: 'agent', files: ['agent/'], may: ['tools', 'errors', 'audio', 'yaml'], computed: 'the tools file that an agent file names' },
  { area: 'agent tools', files: ['agent-tools.ts'], may: ['agent', 'errors', 'tools', 'type carrier/carrier.ts', 'clock', 'type log'] },
  { area: 'dialogue', files: DIALOGUE, may: ['realtime', 'audio'], packages: false },
  { area: 'realtime/openai', files: ['realtime/openai/'], may: ['dialogue', 'realtime', 'agent', 'tools/parameters.ts', 'audio', 'config', 'errors', 'log', 'clock'] },
  { area: 'realtime', files: ['realtime/'], may: ['agent', 'audio', 'errors', 'clock'] },
  { area: 'ledger', files: ['ledger/'], may: ['carrier/carrier.ts', 'realtime/session.ts', 'clock', 'errors', 'yaml'] },
  { area: 'call shell', files: CALL_SHELL, may: ['call', 'carrier/carrier.ts', 'type coordination', 'realtime/session.ts', 'agent', 'tools', 'ledger', 'audio', 'clock', 'errors', 'log'] },
  { area: 'call', files: ['call/'], may: ['tools/built-in.ts', 'heard-text', 'carrier/carrier.ts', 'type coordination', 'realtime/session.ts', 'type agent/agent.ts', 'audio'], packages: false },
  { area: 'peers', files: ['peers/'], may: ['carrier/carrier.ts', 'type call', 'type call shell', 'clock', 'errors', 'log'] },
  { area: 'simulator', files: ['simulator/'], may: ['audio', 'clock', 'errors', 'yaml'] },
  { area: 'phone', files: ['phone/'], may: ['audio', 'clock'] },
  { area: 'tape', files: ['tape/'], may: [...CALL_TYPES, 'audio', 'clock', 'errors', 'log', 'ledger'] },
  { area: 'metrics', files: ['metrics/'], may: [...CALL_TYPES, 'audio', 'clock', 'errors', 'log', 'ledger'] },
  { area: 'record', files: ['record/'], may: ['type realtime/session.ts', 'heard-text', 'type store', 'type call', 'call/feed.ts', 'ledger', 'metrics', 'audio', 'clock', 'errors', 'log', 'carrier/carrier.ts'] },
  { area: 'store', files: ['store/'], may: ['type call', 'carrier/carrier.ts', 'ledger', 'type record', 'clock', 'errors'] },
  { area: 'reconcile', files: ['reconcile/'], may: ['replay/text-layout.ts', 'store', 'ledger', 'config', 'clock', 'errors'] },
  { area: 'privacy', files: ['privacy/'], may: ['store', 'record', 'tape/call-file.ts', 'call/caller.ts', 'type call', 'type carrier/carrier.ts', 'carrier/twilio/incoming.ts', 'type agent', 'config', 'clock', 'errors'] },
  { area: 'costs', files: ['costs/'], may: ['store', 'reconcile', 'ledger', 'record', 'call/termination.ts', 'type carrier/carrier.ts', 'replay/text-layout.ts', 'config', 'clock', 'errors', 'spelling'] },
  { area: 'dashboard', files: ['dashboard/'], may: ['phone', 'carrier/carrier.ts', 'carrier/twilio/incoming.ts', 'carrier/twilio/signature.ts', 'type agent', 'heard-text', 'audio', 'store', 'clock', 'call', 'call shell', 'ledger', 'metrics', 'tape', 'record', 'config', 'errors', 'log'] },
  { area: 'page', files: ['page/'], may: ['type dashboard'] },
  { area: 'replay', files: ['replay/'], may: ['*'] },
  { area: 'chaos', files: ['chaos/'], may: ['*'] },
  { area: 'process', files: ['server.ts', 'operators.ts', 'books.ts', 'main.ts', 'cli.ts', 'demo.ts', 'demo/', 'trunkline.mjs'], may: ['*'] },
];

/** Refused whatever the table says, so that no added row can open it by accident. */
const NEVER: readonly { from: string; to: string; why: string }[] = [
  { from: 'carrier/', to: 'call/', why: 'a carrier reports to the call, it never knows it' },
  { from: 'call/', to: 'carrier/twilio/', why: 'vendors stay at the edge' },
  { from: 'call/', to: 'realtime/openai/', why: 'vendors stay at the edge' },
];

/** Vendors that code in `src/call` may not name; comments may, to say whose habit a rule answers. */
const VENDORS = /twilio|openai/i;

/** One sentence per import that is not allowed. `files` maps paths below the repository root to their text. */
export function refusedImports(files: ReadonlyMap<string, string>, table: readonly Row[] = TABLE): string[] {
  const faults: string[] = [];
  for (const [path, source] of files) {
    const file = path.replace(/^src\//, '');
    const row = rowOf(file, table);
    if (row === undefined) {
      faults.push(`${path}: no row of the table owns this file; add one to .ci/import-directions.ts`);
      continue;
    }
    for (const found of importsOf(source, path)) {
      const fault = refusal(file, row, found.from, found.typeOnly, table);
      if (fault !== null) faults.push(`${path}:${found.line}: ${fault}`);
    }
    if (file.startsWith('call/')) faults.push(...vendorNames(path, source));
    if (row.packages === false) faults.push(...impureNames(path, source));
  }
  return faults;
}

function refusal(file: string, row: Row, from: string | null, typeOnly: boolean, table: readonly Row[]): string | null {
  if (from === null)
    return row.may.includes('*') || row.computed !== undefined
      ? null
      : 'a computed import cannot be checked; write the path';
  if (!from.startsWith('.')) {
    if (/^(?:[#/]|file:|data:)/.test(from)) return `'${from}' goes round the table; write a relative path`;
    return row.packages === false ? `'${from}': ${row.area} imports no packages and no built-in modules` : null;
  }
  const target = posix.join('src', posix.dirname(file), from);
  if (!target.startsWith('src/')) return row.may.includes('*') ? null : `'${from}' leaves src`;
  const to = target.slice('src/'.length);
  const never = NEVER.find((rule) => file.startsWith(rule.from) && to.startsWith(rule.to));
  if (never !== undefined) return `'${from}': ${never.why}`;
  const owner = rowOf(to, table);
  if (owner === row) return null;
  for (const allowed of row.may) {
    const name = allowed.replace(/^type /, '');
    if (name !== '*' && name !== owner?.area && name !== to) continue;
    if (!allowed.startsWith('type ') || typeOnly) return null;
    return `'${from}': ${row.area} may only \`import type\` from ${name}`;
  }
  return `'${from}': ${row.area} may not import ${owner?.area ?? to} (may: ${row.may.join(', ') || 'nothing'})`;
}

const rowOf = (file: string, table: readonly Row[]): Row | undefined =>
  table.find((row) => row.files.some((own) => (own.endsWith('/') ? file.startsWith(own) : file === own)));

function vendorNames(path: string, source: string): string[] {
  const faults: string[] = [];
  for (const node of nodes(parse(source, path))) {
    const value = node.type === 'TemplateElement' ? (node.value as { raw: string }).raw : (node.name ?? node.value);
    if (typeof value !== 'string' || !VENDORS.test(value)) continue;
    faults.push(`${path}:${lineAt(source, node.start)}: call names a vendor ('${value}')`);
  }
  return faults;
}

/** Identifiers that tell time, chance or the process; `Math.random` by its property. Imports have a rule of their own. */
function impureNames(path: string, source: string): string[] {
  const faults: string[] = [];
  const lines = source.split('\n');
  for (const node of nodes(parse(source, path))) {
    const name = node.type === 'Identifier' ? String(node.name) : '';
    if (!IMPURE.has(name) && name !== 'random') continue;
    const line = lineAt(source, node.start);
    if (!lines[line - 1]?.startsWith('import')) faults.push(`${path}:${line}: '${name}' is not for a pure file`);
  }
  return faults;
}
