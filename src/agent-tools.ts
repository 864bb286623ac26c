// The tools of every agent of a running server: opened at start, run for all calls, and followed where they come and go. An
// agent as its calls see it has all of them.
import type { Agent } from './agent/agent.ts';
import type { CarrierControl } from './carrier/carrier.ts';
import type { Clock } from './clock.ts';
import { TrunklineError } from './errors.ts';
import type { Logger } from './log.ts';
import { toolSetFaults } from './tools/declaration.ts';
import { type OpenedSources, openToolSources } from './tools/open-sources.ts';
import { createToolRunner, type ToolWatch } from './tools/runner.ts';
import { smsTool } from './tools/sms.ts';
import type { CallTools, ToolCaller, ToolRunner } from './tools/tool.ts';

export interface AgentToolsOptions {
  agents: readonly Agent[];
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  log: Logger;
  /** Sends text messages; null: nothing can be sent. */
  control: CarrierControl | null;
  watch: ToolWatch;
}

export interface AgentTools {
  /** The agent with every tool that is there now. */
  equipped(agent: Agent): Agent;
  /** The tools of one call. */
  forCall(agent: Agent, caller: ToolCaller): CallTools;
  /** Tool sources that are not there yet, and why. */
  readonly waiting: readonly { source: string; why: string }[];
  close(): Promise<void>;
}

interface Equipment {
  opened: OpenedSources;
  agent: Agent;
  runner: ToolRunner;
}

/** @throws TrunklineError TRK_CONFIG for sources without which an agent may not start, each named */
export async function openAgentTools(options: AgentToolsOptions): Promise<AgentTools> {
  const { agents, clock, control, watch } = options;
  const equipment = new Map<string, Equipment>();
  const close = async (): Promise<void> => {
    await Promise.all([...equipment.values()].map(({ opened }) => opened.close()));
  };
  const open = async (agent: Agent): Promise<void> => {
    const { name: of, sources, outbound } = agent;
    const opened = await openToolSources({ agent: of, sources, outbound }, options);
    const equip = (): void => {
      const sms = agent.sms === null ? [] : [smsTool(control, agent.sms)];
      const tools = [...agent.tools, ...opened.tools(), ...sms];
      const runner = createToolRunner(tools, { clock, deadlineMs: agent.limits.toolMs, watch });
      equipment.set(of, { opened, agent: { ...agent, tools }, runner });
    };
    equip();
    opened.changed(equip);
    // What is still on its way may be what the others need.
    const faults = opened.waiting.length > 0 ? [] : toolSetFaults((equipment.get(of) as Equipment).agent.tools);
    if (faults.length === 0) return;
    throw new TrunklineError('TRK_CONFIG', [`The tools of ${of}:`, ...faults.map((one) => `  ${one}`)].join('\n'));
  };
  const failed = (await Promise.allSettled(agents.map(open))).filter(
    (one): one is PromiseRejectedResult => one.status === 'rejected',
  );
  if (failed.length > 0) {
    await close();
    const reasons = failed.map(({ reason }) => (reason as Error).message);
    throw new TrunklineError('TRK_CONFIG', reasons.join('\n'), { cause: failed[0]?.reason });
  }
  const of = (agent: Agent): Equipment => equipment.get(agent.name) as Equipment;
  return {
    equipped: (agent) => of(agent).agent,
    forCall: (agent, caller) => of(agent).runner.forCall(caller),
    get waiting() {
      return [...equipment.values()].flatMap(({ opened }) => opened.waiting);
    },
    close,
  };
}
