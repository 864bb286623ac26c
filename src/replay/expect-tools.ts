// Judges the tools that a call used: which ones, in which order, with which arguments. Pure.
import type { ResultTool } from './call-result.ts';
import type { Finding } from './expect.ts';
import { type Expected, regularOf } from './expect-schema.ts';
import { matchWithin, REGULAR_WITHIN_MS } from './match-within.ts';

type WantedTool = Exclude<NonNullable<Expected['tools']>, 'none'>[number];

/**
 * Every tool that is named must have been called, in this order; others may lie between unless `other_tools: false`.
 * @param unknown what to say when no record tells of tools
 */
export function judgeTools(expected: Expected, called: readonly ResultTool[] | null, unknown: string): Finding[] {
  const { tools: wanted, other_tools: others } = expected;
  const found = called === null ? unknown : called.length === 0 ? 'no tool called' : called.map(callText).join(', ');
  if (wanted === 'none') return [{ path: ['tools'], ok: called?.length === 0, expected: 'no tool called', found }];
  let from = 0;
  const taken = new Set<number>();
  const findings = (wanted ?? []).map((tool, i): Finding => {
    const at = (called ?? []).findIndex((one, index) => index >= from && fits(one, tool));
    if (at >= 0) {
      from = at + 1;
      taken.add(at);
    }
    return { path: ['tools', i], ok: at >= 0, expected: wantedText(tool) + (i === 0 ? '' : ', in this order'), found };
  });
  if (others !== false) return findings;
  const more = (called ?? []).filter((_, index) => !taken.has(index));
  const ok = called !== null && more.length === 0;
  const extra = called === null ? unknown : ok ? 'no others' : more.map(callText).join(', ');
  return [...findings, { path: ['other_tools'], ok, expected: 'no other tools', found: extra }];
}

/** How a call of a tool ends that never gave its caller anything. */
const NEVER_RAN = ['unsettled', 'aborted'];

/** A tool that never ran fits only who asks for that status. */
function fits(called: ResultTool, wanted: WantedTool): boolean {
  const ran = !NEVER_RAN.includes(called.status);
  if (typeof wanted === 'string') return called.name === wanted && ran;
  if (called.name !== wanted.name) return false;
  if (wanted.status === undefined ? !ran : called.status !== wanted.status) return false;
  if (wanted.output !== undefined && !hasText(called.output ?? '', wanted.output)) return false;
  return wanted.arguments === undefined || isPartOf(wanted.arguments, parsed(called.arguments));
}

/** A text fits itself, or its regular expression; a mapping fits one that has its keys; a list fits item by item. */
function isPartOf(wanted: unknown, found: unknown): boolean {
  if (typeof wanted === 'string' && typeof found === 'string') return fitsRegular(wanted, found) ?? wanted === found;
  if (typeof wanted !== 'object' || wanted === null) return wanted === found;
  if (typeof found !== 'object' || found === null || Array.isArray(wanted) !== Array.isArray(found)) return false;
  if (Array.isArray(wanted) && wanted.length !== (found as unknown[]).length) return false;
  return Object.entries(wanted).every(([key, value]) => isPartOf(value, (found as Record<string, unknown>)[key]));
}

const hasText = (text: string, phrase: string): boolean =>
  fitsRegular(phrase, text) ?? text.toLowerCase().includes(phrase.toLowerCase());

/** Null for a phrase that is no regular expression; one that takes too long fits nothing. */
function fitsRegular(phrase: string, text: string): boolean | null {
  const regular = regularOf(phrase);
  return regular && typeof (matchWithin(regular, text, REGULAR_WITHIN_MS) ?? '') === 'object';
}

/** Undefined for what is no JSON: it then fits nothing. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function callText({ name, arguments: args, status }: ResultTool): string {
  return `${name}(${args})${status === 'ok' ? '' : ` ${status}`}`;
}

function wantedText(wanted: WantedTool): string {
  if (typeof wanted === 'string') return wanted;
  const { name, arguments: args, status, output } = wanted;
  return [
    `${name}${args === undefined ? '' : `(${JSON.stringify(args)})`}`,
    ...(status === undefined ? [] : [`with status ${status}`]),
    ...(output === undefined ? [] : [`with output ${JSON.stringify(output)}`]),
  ].join(' ');
}
