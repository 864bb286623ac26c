// What the tests of the tool runner share: a call on a virtual clock, and a way to ask for tools in it.
import { FakeClock } from '../support/fake-clock.ts';
import { createToolRunner } from '../../src/tools/runner.ts';
import type { ToolRunnerOptions } from '../../src/tools/runner.ts';
import type { Tool, ToolCaller, ToolOutcome, ToolPolicy } from '../../src/tools/tool.ts';

export const PARTIES: Pick<ToolCaller, 'from' | 'to'> = {
  from: { kind: 'pstn', value: '+15550100' },
  to: { kind: 'pstn', value: '+15550199' },
};

export const tool = (name: string, policy: Partial<ToolPolicy>, run: Tool['run'], rest: Partial<Tool> = {}): Tool => ({
  name,
  description: `Does ${name}.`,
  parameters: { type: 'object' },
  policy,
  run,
  ...rest,
});

/** Lets everything that is ready go on, real callbacks of Node included. */
export const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

/** A runner and one call of it. */
export function workbench(
  tools: Tool[],
  options: Partial<ToolRunnerOptions> & { digits?: Record<string, string> } = {},
) {
  const { digits = {}, ...rest } = options;
  const clock = new FakeClock();
  const runner = createToolRunner(tools, { clock, deadlineMs: 8_000, random: () => 1, ...rest });
  const call = (callId = 'c1', agreed = true) => {
    const hangUp = new AbortController();
    const tools = runner.forCall({ callId, ...PARTIES, digits: (field) => digits[field] ?? null });
    let requests = 0;
    const ask = (
      name: string,
      args: unknown = {},
      toolCall = `t${(requests += 1)}`,
      consent = agreed,
    ): Promise<ToolOutcome> =>
      tools.run({
        toolCall,
        name,
        arguments: typeof args === 'string' ? args : JSON.stringify(args),
        agreed: consent,
        signal: hangUp.signal,
      });
    return { ask, hangUp };
  };
  /** Lets time pass in small steps, so that what a timer sets going goes on before the next. */
  const pass = async (ms: number, stepMs = 50): Promise<void> => {
    for (let left = ms; left > 0; left -= stepMs) {
      await settle();
      clock.advance(Math.min(stepMs, left));
    }
    await settle();
  };
  return { clock, call, pass, ...call() };
}
