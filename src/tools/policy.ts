// How a tool is run, where its declaration says nothing; and what is wrong with what it says. Every policy key of every
// kind of tool is checked here, once, when agents are loaded.
import type { Tool, ToolPolicy } from './tool.ts';

/** No tool may show the model more, whatever its declaration says: 16 KiB are about 4,000 tokens on each later turn. */
export const MOST_OUTPUT_BYTES = 16 * 1024;

/** A business answer is a few fields: 4 KiB are about 1,000 tokens, paid for on each later turn. */
const OUTPUT_BYTES = 4 * 1024;

/** Longest deadline: nobody waits longer on the telephone, and a tool that writes outlives its caller by no more. */
const MOST_DEADLINE_MS = 120_000;

/** What the agent says for all its tools. */
export interface PolicyDefaults {
  /** `limits.tool_ms`. */
  deadlineMs: number;
  /** Default 4 KiB; never more than 16 KiB. */
  maxOutputBytes?: number;
}

/** A policy with nothing left open. */
export type SettledPolicy = ToolPolicy & { deadlineMs: number };

/**
 * What holds for a tool. One try more where that is safe: most passing failures are a single lost connection or a node that
 * restarts, and a second repetition would seldom fit into a deadline of 8 s with a caller waiting.
 */
export function policyOf(tool: Tool, { deadlineMs, maxOutputBytes = OUTPUT_BYTES }: PolicyDefaults): SettledPolicy {
  const said = tool.policy ?? {};
  const effect = said.effect ?? 'writes';
  const idempotent = said.idempotent ?? false;
  const safe = effect === 'reads' || idempotent;
  return {
    effect,
    deadlineMs: said.deadlineMs ?? deadlineMs,
    retries: safe ? (said.retries ?? 1) : 0,
    idempotent,
    atOnce: said.atOnce ?? 50,
    perCall: said.perCall ?? null,
    needs: said.needs ?? [],
    fill: said.fill ?? {},
    digits: said.digits ?? [],
    returns: said.returns ?? null,
    maxOutputBytes: Math.min(said.maxOutputBytes ?? maxOutputBytes, MOST_OUTPUT_BYTES),
    onFailure: said.onFailure ?? null,
    redact: said.redact ?? [],
  };
}

/** A path into an answer: names (or list positions) between dots. */
const PATH = /^[^.\s]{1,64}(\.[^.\s]{1,64}){0,15}$/;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

const isWhole = (from: number, to: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= from && (value as number) <= to;
const isSentence = (value: unknown) => typeof value === 'string' && value.trim() !== '' && value.length <= 1_000;
const isListOf = (pattern: RegExp) => (value: unknown) =>
  Array.isArray(value) && value.length <= 100 && value.every((each) => typeof each === 'string' && pattern.test(each));
const isArgument = (name: string) => name !== '' && name.length <= 64 && name !== '__proto__';
const isFill = (value: unknown) =>
  isObject(value) &&
  Object.entries(value).length <= 100 &&
  Object.entries(value).every(
    ([argument, path]) => isArgument(argument) && typeof path === 'string' && path.includes('.') && PATH.test(path),
  );

type Rule = [expected: string, fits: (value: unknown) => boolean];

const RULES: { [Key in keyof ToolPolicy]: Rule } = {
  effect: ['reads, writes or irreversible', (value) => ['reads', 'writes', 'irreversible'].includes(value as string)],
  deadlineMs: [`milliseconds from 100 to ${MOST_DEADLINE_MS}`, orNull(isWhole(100, MOST_DEADLINE_MS))],
  retries: ['a whole number from 0 to 5', isWhole(0, 5)],
  idempotent: ['true or false', (value) => typeof value === 'boolean'],
  atOnce: ['a whole number from 1 to 1000', isWhole(1, 1_000)],
  perCall: ['a whole number from 1 to 1000', orNull(isWhole(1, 1_000))],
  needs: ['a list of tool names', isListOf(NAME)],
  fill: ['argument names, each with tool.path.to.field', isFill],
  digits: ['a list of field names', isListOf(NAME)],
  returns: ['a list of paths such as slots.start', orNull(isListOf(PATH))],
  maxOutputBytes: [`bytes from 64 to ${MOST_OUTPUT_BYTES}`, isWhole(64, MOST_OUTPUT_BYTES)],
  onFailure: ['a sentence of at most 1000 characters', orNull(isSentence)],
  redact: ['a list of argument names', isListOf(/^.{1,64}$/)],
};

function orNull(fits: Rule[1]): Rule[1] {
  return (value) => value === null || fits(value);
}

/** Everything that is wrong with a tool's policy, each as one sentence that begins with `label`. */
export function policyFaults(policy: unknown, label: string, parameters?: Record<string, unknown>): string[] {
  if (policy === undefined) return [];
  if (!isObject(policy)) return [`${label}: expected policy to be an object (found ${shown(policy)})`];
  const faults: string[] = [];
  for (const [key, value] of Object.entries(policy)) {
    if (value === undefined) continue;
    const rule = Object.hasOwn(RULES, key) ? RULES[key as keyof ToolPolicy] : undefined;
    if (!rule) faults.push(`${label}: policy has no ${shown(key)}; there are ${Object.keys(RULES).join(', ')}`);
    else if (!rule[1](value)) faults.push(`${label}: expected policy.${key} to be ${rule[0]} (found ${shown(value)})`);
  }
  if (faults.length > 0) return faults;
  const { effect = 'writes', retries = 0, idempotent = false, fill = {} } = policy as Partial<ToolPolicy>;
  if (retries > 0 && effect !== 'reads' && !idempotent)
    faults.push(
      `${label}: it ${effect === 'writes' ? 'writes' : 'is irreversible'}, so it is tried again only if its service knows the idempotency key: set idempotent, or leave retries out`,
    );
  const properties = parameters?.['properties'];
  for (const argument of Object.keys(fill))
    if (parameters && !(isObject(properties) && Object.hasOwn(properties, argument)))
      faults.push(
        `${label}: policy.fill names ${shown(argument)}, which is not among the properties of its parameters`,
      );
  return faults;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function shown(value: unknown): string {
  try {
    const text = JSON.stringify(value) as string | undefined;
    return text === undefined ? typeof value : text.length > 80 ? `${text.slice(0, 79)}…` : text;
  } catch {
    return typeof value;
  }
}
