// A tool as its file exports it, checked when agents are loaded: behind this the runner trusts it.
import { BUILT_IN_TOOLS } from './built-in.ts';
import { compileParameters } from './parameters.ts';
import { policyFaults } from './policy.ts';
import type { Tool, ToolKind, ToolPolicy } from './tool.ts';

const KEYS = ['name', 'description', 'parameters', 'run'];

/** What a declaration may call itself; built-in tools are ours alone. */
const KINDS: readonly ToolKind[] = ['function', 'http', 'openapi', 'mcp'];

/** Dearer than any look-up: a slip of the decimal point. */
const MAX_PRICE_USD = 1_000;

/** One exported value as a tool, or everything that is wrong with it. */
export function checkTool(value: unknown): { tool: Tool } | { faults: string[] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { faults: [`expected a tool: an object with ${KEYS.join(', ')} (found ${kindOf(value)})`] };
  const { name, description, parameters, priceUsd, kind, policy, run } = value as Record<string, unknown>;
  const label = typeof name === 'string' && name !== '' ? `tool ${name.slice(0, 64)}` : 'a tool';
  const faults: string[] = [];
  if (typeof name !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(name))
    faults.push(
      `${label}: expected a name of 1 to 64 letters, digits, _ and - (found ${JSON.stringify(name) ?? kindOf(name)})`,
    );
  else if (BUILT_IN_TOOLS.includes(name)) faults.push(`${label}: the name is taken by a built-in tool`);
  if (typeof description !== 'string' || description.trim() === '')
    faults.push(`${label}: expected a description that tells the model when to use it`);
  if (typeof run !== 'function') faults.push(`${label}: expected run to be a function (found ${kindOf(run)})`);
  if (priceUsd !== undefined && !isPrice(priceUsd))
    faults.push(
      `${label}: expected priceUsd to be US dollars per run, from 0 to ${MAX_PRICE_USD} (found ${JSON.stringify(priceUsd) ?? kindOf(priceUsd)})`,
    );
  if (kind !== undefined && !KINDS.includes(kind as ToolKind))
    faults.push(`${label}: expected kind to be left out (found ${JSON.stringify(kind) ?? kindOf(kind)})`);
  const schema = plain(parameters);
  if (!schema || schema['type'] !== 'object')
    faults.push(`${label}: expected parameters to be a JSON Schema of type object`);
  else
    try {
      compileParameters(schema);
    } catch (error) {
      faults.push(
        `${label}: parameters are not a JSON Schema (2020-12) that can be checked: ${String((error as Error).message)}`,
      );
    }
  faults.push(...policyFaults(policy, label, schema));
  if (faults.length > 0) return { faults };
  const original = value as Tool;
  return {
    tool: {
      name: original.name,
      description: original.description,
      parameters: schema!,
      ...(original.priceUsd === undefined ? {} : { priceUsd: original.priceUsd }),
      ...(kind === undefined ? {} : { kind: kind as ToolKind }),
      // A copy: what the module does to its own object afterwards changes no rule.
      ...(policy === undefined ? {} : { policy: structuredClone(policy) as Partial<ToolPolicy> }),
      run: (args, context) => original.run(args, context),
    },
  };
}

/** What no tool can say of itself: its rules name tools that are there, each before the other. */
export function toolSetFaults(tools: readonly Tool[]): string[] {
  const names = new Set(tools.map(({ name }) => name));
  const first = new Map(tools.map((tool) => [tool.name, toolsBefore(tool)]));
  const faults: string[] = [];
  for (const [name, before] of first) {
    for (const other of before)
      if (!names.has(other)) faults.push(`tool ${name}: its policy needs ${other}, which this agent does not have`);
    if (leadsTo(name, name, first)) faults.push(`tool ${name}: its policy needs that it has succeeded before itself`);
  }
  return faults;
}

/** The tools that must have succeeded before this one can run. */
const toolsBefore = ({ policy }: Tool): string[] => [
  ...new Set([...(policy?.needs ?? []), ...Object.values(policy?.fill ?? {}).map((path) => path.split('.', 1)[0]!)]),
];

function leadsTo(from: string, to: string, first: ReadonlyMap<string, readonly string[]>): boolean {
  const seen = new Set<string>();
  const open = [...(first.get(from) ?? [])];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === to) return true;
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(first.get(name) ?? []));
  }
  return false;
}

const isPrice = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= MAX_PRICE_USD;

/** A copy of a JSON object, so that freezing it touches nobody else's; undefined when it is not one. */
function plain(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  try {
    return JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const kindOf = (value: unknown) =>
  value === undefined ? 'nothing' : value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;
