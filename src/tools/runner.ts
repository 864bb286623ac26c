// Runs the tools that a model asks for. Whatever the model wrote and whatever the tool does, a request settles with an
// outcome: every tool call of a model must be answered. What all calls share stands here, the rules of one call in
// call-tools.ts, one run in tries.ts.
import type { Clock } from '../clock.ts';
import { createCallTools } from './call-tools.ts';
import type { Entry } from './call-tools.ts';
import { createCircuit } from './circuit.ts';
import type { CircuitName } from './circuit.ts';
import { compileParameters } from './parameters.ts';
import { policyOf } from './policy.ts';
import { createSlots } from './slots.ts';
import type { CallTools, Tool, ToolRunner, ToolStatus } from './tool.ts';

/** What is told to metrics. Names are those of the agent's tools; what it throws changes nothing. */
export interface ToolWatch {
  /** A try begins. */
  tried?(name: string): void;
  /** A request was answered. `name` is null for a tool that does not exist: the model can make up any number of names. */
  settled?(settled: { name: string | null; status: ToolStatus; tookMs: number; tries: number }): void;
  /** A tool's circuit breaker changed its state. */
  circuit?(name: string, state: CircuitName): void;
}

export interface ToolRunnerOptions {
  clock: Clock;
  /** Milliseconds a tool may take where it says nothing else: `limits.tool_ms`. */
  deadlineMs: number;
  /** Longest output in bytes of UTF-8 where a tool says nothing else, default 4 KiB, at most 16 KiB. */
  maxOutputBytes?: number;
  watch?: ToolWatch;
  /** From 0 to 1, spreads repeated tries; default Math.random. */
  random?: () => number;
}

/** Requests of one tool that may wait for a place: a short jam passes, a long queue would only spend everybody's deadline. */
const MAY_WAIT = 20;

/**
 * A runner for one agent's tools.
 * @throws Error when a tool's parameters cannot be compiled; loaded agents were checked for that
 */
export function createToolRunner(
  tools: readonly Tool[],
  { clock, deadlineMs, maxOutputBytes, watch = {}, random = Math.random }: ToolRunnerOptions,
): ToolRunner {
  const defaults = { deadlineMs, ...(maxOutputBytes === undefined ? {} : { maxOutputBytes }) };
  const paths = new Set(tools.flatMap((tool) => Object.values(tool.policy?.fill ?? {})));
  const entries = new Map<string, Entry>();
  for (const tool of tools) {
    const policy = policyOf(tool, defaults);
    entries.set(tool.name, {
      tool,
      policy,
      check: compileParameters(tool.parameters),
      slots: createSlots(policy.atOnce, MAY_WAIT),
      circuit: createCircuit(clock, (state) => quietly(() => watch.circuit?.(tool.name, state))),
      gives: [...paths].filter((path) => path.startsWith(`${tool.name}.`)),
    });
  }
  const tried = (name: string): void => quietly(() => watch.tried?.(name));

  return {
    forCall(caller): CallTools {
      const call = createCallTools({ clock, random, entries, tried }, caller);
      if (!watch.settled) return call;
      return {
        async run(request) {
          const fromMs = clock.nowMs();
          const outcome = await call.run(request);
          const { status, tries = 0 } = outcome;
          const name = entries.has(request.name) ? request.name : null;
          quietly(() => watch.settled?.({ name, status, tookMs: clock.nowMs() - fromMs, tries }));
          return outcome;
        },
      };
    },
  };
}

/** An onlooker never disturbs a call. */
function quietly(tell: () => void): void {
  try {
    tell();
  } catch {
    // Nothing to be done about it here: metrics report their own faults.
  }
}
