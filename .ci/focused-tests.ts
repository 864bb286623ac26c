// Finds tests that would not run: `.only`, which silences all others, and `.skip` without a reason that a reader sees.
import { isNode, lineAt, nodes, parse, type SyntaxNode } from './syntax.ts';

const TEST_WORDS = new Set(['test', 'it', 'describe', 'suite', 'bench']);
/** Names that a test's own context goes by; vitest prints the note given to its `skip(note)`. */
const CONTEXT_WORDS = new Set(['context', 'ctx', 't', 'task']);

/** One sentence per test that is switched off or on by hand. */
export function focusedTests(path: string, source: string): string[] {
  if (!/\b(?:only|skip)\b/.test(source)) return [];
  const faults: string[] = [];
  for (const node of nodes(parse(source, path))) {
    const fault =
      node.type === 'MemberExpression'
        ? switchedByHand(node)
        : node.type === 'CallExpression'
          ? unexplained(node)
          : null;
    if (fault !== null) faults.push(`${path}:${lineAt(source, node.start)}: ${fault}`);
  }
  return faults;
}

function switchedByHand(node: SyntaxNode): string | null {
  const word = nameOf(node.property);
  if ((word !== 'only' && word !== 'skip') || !TEST_WORDS.has(rootOf(node) ?? '')) return null;
  return word === 'only'
    ? '.only silences every other test'
    : ".skip hides why; call context.skip('the reason') inside the test";
}

function unexplained(call: SyntaxNode): string | null {
  const callee = call.callee as SyntaxNode;
  const bare = nameOf(callee) === 'skip';
  const ofContext = nameOf(callee.property) === 'skip' && CONTEXT_WORDS.has(rootOf(callee) ?? '');
  if (!bare && !ofContext) return null;
  const args = call.arguments as SyntaxNode[];
  const told = args.some(
    (arg) =>
      arg.type === 'TemplateLiteral' || (arg.type === 'Literal' && typeof arg.value === 'string' && arg.value !== ''),
  );
  return told ? null : 'skip() without a reason string';
}

/** The identifier at the left end of `a.b(…).c`. */
function rootOf(node: SyntaxNode): string | undefined {
  let at = node;
  for (;;) {
    const next = at.type === 'MemberExpression' ? at.object : at.type === 'CallExpression' ? at.callee : null;
    if (!isNode(next)) return nameOf(at);
    at = next;
  }
}

const nameOf = (node: unknown): string | undefined =>
  isNode(node) && node.type === 'Identifier' && typeof node.name === 'string' ? node.name : undefined;
