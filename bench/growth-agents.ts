// Many agents, and an agent with many tools: how long a server needs to start, to find the agent of a number, and what the
// first message to the model becomes.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Agent } from '../src/agent/agent.ts';
import { chooseAgent } from '../src/agent/choose.ts';
import { loadAgents } from '../src/agent/load.ts';
import { openAgentTools } from '../src/agent-tools.ts';
import { realClock } from '../src/clock.ts';
import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/log.ts';
import { createMetrics } from '../src/metrics/metrics.ts';
import { dialogueConfig } from '../src/realtime/openai/session-config.ts';
import type { BootFigures } from './growth-boot.ts';
import { brief, type PartOptions, PartReport, whole } from './growth-report.ts';
import { median } from './slope.ts';

export const agentSizes = (short: boolean): number[] => (short ? [1, 10] : [1, 10, 100, 1_000]);
export const toolSizes = (short: boolean): number[] => (short ? [1, 10] : [1, 10, 100, 200]);

/** A number of its own for each; E.164 allows fifteen digits. */
const numberOf = (agent: number): string => `+1555${String(1_000_000 + agent)}`;

/** The bench's agent, so often. */
export function writeAgents(dir: string, count: number): void {
  mkdirSync(dir, { recursive: true });
  for (let agent = 0; agent < count; agent++)
    writeFileSync(
      join(dir, `agent-${agent}.yaml`),
      [
        `name: Agent ${agent}`,
        `answers: ["${numberOf(agent)}"]`,
        'greeting: { text: "Hello, this is the bench." }',
        'recording: { disclosure: This call is recorded. }',
        'instructions: |',
        '  You are the front desk of a clinic, on the telephone. Be brief and friendly.',
      ].join('\n'),
    );
}

/** One agent with so many tools of a tool file, alike but for their names. A list of sources takes 50 (src/tools/schema.ts). */
export function writeToolAgent(dir: string, tools: number): void {
  mkdirSync(dir, { recursive: true });
  const parameters = {
    type: 'object',
    properties: {
      order: { type: 'string', pattern: '^[0-9]{5}$', description: 'The number of the order, five digits.' },
      since: { type: 'string', format: 'date' },
    },
    required: ['order'],
    additionalProperties: false,
  };
  const description = 'Tells where an order is. Use it once the caller has given the number.';
  writeFileSync(
    join(dir, 'tools.mjs'),
    [
      `const parameters = ${JSON.stringify(parameters)};`,
      `export default Array.from({ length: ${tools} }, (_, tool) => ({`,
      `  ...{ name: \`trace_order_${'${tool}'}\`, description: ${JSON.stringify(description)}, parameters },`,
      "  policy: { effect: 'reads' },",
      "  run: () => ({ state: 'on its way' }),",
      '}));',
    ].join('\n'),
  );
  writeFileSync(
    join(dir, 'agent.yaml'),
    ['answers: ["*"]', 'instructions: You trace orders.', 'tools: tools.mjs'].join('\n'),
  );
}

/** Nanoseconds to find the agent of a number, over all the numbers there are. */
export function lookupNs(agents: readonly Agent[], lookups: number): number {
  const numbers = Array.from({ length: agents.length }, (_, agent) => numberOf(agent));
  let found = 0;
  const startMs = performance.now();
  for (let i = 0; i < lookups; i++)
    if (chooseAgent(agents, numbers[(i * 7_919) % numbers.length] as string) !== null) found += 1;
  const ns = ((performance.now() - startMs) * 1e6) / lookups;
  if (found !== lookups) throw new Error(`${lookups - found} numbers have no agent`);
  return ns;
}

export async function measureAgents({ short, say }: PartOptions): Promise<PartReport> {
  const report = new PartReport();
  const root = mkdtempSync(join(tmpdir(), 'trunkline-growth-'));
  try {
    const booted = new Map<number, Booted>();
    for (const count of agentSizes(short)) {
      const dir = join(root, `agents-${count}`);
      writeAgents(dir, count);
      booted.set(count, await boots(dir, root, short ? 1 : 5, (text) => say(`${count} agents, ${text}`)));
    }
    const lookups = await lookupsOf(root, agentSizes(short), short ? 2_000 : 20_000);
    tellAgents(report, booted, lookups);
    say('tools');
    await tellTools(report, root, short);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return report;
}

type Booted = BootFigures & { loadMs: number };

/** In processes of their own, cold, as a server starts; medians. */
async function boots(dir: string, root: string, rounds: number, say: (text: string) => void): Promise<Booted> {
  const ask = async (what: 'load' | 'server'): Promise<BootFigures> => {
    const file = join(import.meta.dirname, 'growth-boot.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [file, what, dir, join(root, 'data')]);
    return JSON.parse(stdout) as BootFigures;
  };
  const loads: BootFigures[] = [];
  const servers: BootFigures[] = [];
  for (let round = 1; round <= rounds; round++) {
    say(`start ${round} of ${rounds}`);
    loads.push(await ask('load'));
    servers.push(await ask('server'));
  }
  return {
    loadMs: median(loads.map(({ ms }) => ms)),
    ms: median(servers.map(({ ms }) => ms)),
    heldKib: median(loads.map(({ heldKib }) => heldKib)),
  };
}

async function lookupsOf(root: string, sizes: readonly number[], times: number): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  for (const count of sizes) {
    const agents = await loadAgents(join(root, `agents-${count}`), readConfig({}));
    lookupNs(agents, times);
    found.set(count, median([1, 2, 3].map(() => lookupNs(agents, times))));
  }
  return found;
}

function tellAgents(
  report: PartReport,
  booted: ReadonlyMap<number, Booted>,
  lookups: ReadonlyMap<number, number>,
): void {
  const [fewest] = booted.values();
  for (const [count, { loadMs, ms, heldKib }] of booted) {
    report.point('agents_load_ms', count, loadMs);
    report.point('agents_server_ms', count, ms);
    report.point('agents_lookup_us', count, (lookups.get(count) ?? Number.NaN) / 1_000);
    report.figure(`agents_${count}_load_ms`, loadMs);
    report.figure(`agents_${count}_server_ms`, ms);
    report.figure(`agents_${count}_held_kib`, heldKib);
    report.figure(`agents_${count}_lookup_ns`, lookups.get(count) ?? Number.NaN);
  }
  report.table(
    'So many agents: a cold start, and the agent of a number',
    [
      ...['agents', 'agent files loaded, ms', 'ms per further agent', 'server ready, ms'],
      ...['KiB held per further agent', 'found for a number, ns'],
    ],
    [...booted].map(([count, { loadMs, ms, heldKib }]) => [
      whole(count),
      brief(loadMs),
      count === 1 || fewest === undefined ? '' : ((loadMs - fewest.loadMs) / (count - 1)).toFixed(2),
      brief(ms),
      count === 1 || fewest === undefined ? '' : brief((heldKib - fewest.heldKib) / (count - 1)),
      whole(lookups.get(count) ?? Number.NaN),
    ]),
  );
  report.remark(
    'Agents are looked up in a list, one after the other, once per call (src/agent/choose.ts): the time is linear. No bound on the number of agents is in the code.',
  );
}

async function tellTools(report: PartReport, root: string, short: boolean): Promise<void> {
  const rounds = short ? 2 : 9;
  const rows: string[][] = [];
  let firstPerTool = Number.NaN;
  // The smallest first and thrown away: it is what loads the code.
  for (const [i, count] of [1, ...toolSizes(short)].entries()) {
    const figures = await toolFigures(join(root, `tools-${i}`), count, rounds);
    if (i === 0) continue;
    const { loadMs, updateMs, bytes } = figures;
    if (rows.length === 0) firstPerTool = bytes / count;
    report.point('tools_load_ms', count, loadMs);
    report.figure(`tools_${count}_load_ms`, loadMs);
    report.figure(`tools_${count}_update_ms`, updateMs);
    report.figure(`tools_${count}_update_bytes`, bytes);
    rows.push([whole(count), brief(loadMs), (loadMs / count).toFixed(2), whole(bytes), updateMs.toFixed(3)]);
  }
  report.figure('tools_first_bytes', firstPerTool);
  report.table(
    'One agent with a file of so many tools, warm; and its session.update',
    ['tools', 'loaded and opened, ms', 'ms per tool', 'bytes of session.update', 'made and printed, ms'],
    rows,
  );
  report.remark(
    'A list of tool sources may hold 50, an MCP server 100 tools (src/tools/schema.ts); a tool file, and the operations of an OpenAPI document, have no bound on their number. All tools are sent to the model in one message, of which the bound is the model’s (not published for Realtime); and every answer is billed for reading them.',
  );
}

interface ToolFigures {
  loadMs: number;
  updateMs: number;
  bytes: number;
}

async function toolFigures(folder: string, count: number, rounds: number): Promise<ToolFigures> {
  const log = createLogger({ level: 'error' });
  const loads: number[] = [];
  const updates: number[] = [];
  let bytes = 0;
  for (let round = 0; round < rounds; round++) {
    // A file of its own each time: a module is read once.
    const dir = join(folder, String(round));
    writeToolAgent(dir, count);
    let startMs = performance.now();
    const agents = await loadAgents(dir, readConfig({}));
    const metrics = createMetrics({ clock: realClock, version: 'growth' });
    const watch = metrics.tools;
    const tools = await openAgentTools({ agents, env: {}, clock: realClock, log, control: null, watch });
    loads.push(performance.now() - startMs);
    startMs = performance.now();
    const session = dialogueConfig(tools.equipped(agents[0] as Agent)).session;
    bytes = Buffer.byteLength(JSON.stringify({ type: 'session.update', event_id: 'e1', session }));
    updates.push(performance.now() - startMs);
    await tools.close();
    metrics.close();
  }
  return { loadMs: median(loads), updateMs: median(updates), bytes };
}
