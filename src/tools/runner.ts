// Runs the tools that a model asks for. Whatever the model wrote and whatever the tool does, a call of `run` settles with
// an outcome: every tool call of a model must be answered.
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../clock.ts';
import { compileParameters } from './parameters.ts';
import type { ArgumentCheck } from './parameters.ts';
import type { Tool, ToolOutcome } from './tool.ts';

export interface ToolRunnerOptions {
  clock: Clock;
  /** Milliseconds a tool may take. */
  deadlineMs: number;
  /** Longest output in bytes of UTF-8, default 16 KiB: it is billed as input again with every later turn. */
  maxOutputBytes?: number;
}

/** One tool call as the model made it. */
export interface ToolCall {
  toolCall: string;
  name: string;
  /** JSON text, unchecked. */
  arguments: string;
  callId: string;
  /** Aborted when the call ends. */
  signal: AbortSignal;
}

export interface ToolRunner {
  /** Never rejects. */
  run(call: ToolCall): Promise<ToolOutcome>;
}

/** Most characters that the model is told of a tool's error message or of a name it made up. */
const MAX_QUOTE = 200;

/**
 * A runner for one agent's tools.
 * @throws Error when a tool's parameters cannot be compiled; loaded agents were checked for that
 */
export function createToolRunner(
  tools: readonly Tool[],
  { clock, deadlineMs, maxOutputBytes = 16 * 1024 }: ToolRunnerOptions,
): ToolRunner {
  const known = new Map<string, { tool: Tool; check: ArgumentCheck }>();
  for (const tool of tools) known.set(tool.name, { tool, check: compileParameters(tool.parameters) });
  const names = [...known.keys()].join(', ');

  const outcome = (status: ToolOutcome['status'], output: string): ToolOutcome => ({
    status,
    output: bounded(output, maxOutputBytes),
  });

  async function run({ toolCall, name, arguments: text, callId, signal }: ToolCall): Promise<ToolOutcome> {
    const entry = known.get(name);
    if (!entry)
      return outcome(
        'unknown',
        `There is no tool ${JSON.stringify(quote(name))}. ${names ? `Available: ${names}.` : 'There are no tools.'}`,
      );
    const { tool, check } = entry;

    const args = parse(text);
    if (args === undefined)
      return outcome('invalid', `The arguments of ${name} are not valid JSON. Call it again with a JSON object.`);
    const violations = check(args);
    if (violations !== null)
      return outcome(
        'invalid',
        `The arguments of ${name} do not fit: ${violations}. Call it again with corrected arguments.`,
      );

    if (signal.aborted) return outcome('failed', `${name} was not run: the call has ended.`);
    const stop = new AbortController();
    let cancelDeadline = () => {};
    let ended = () => {};
    try {
      return await new Promise<ToolOutcome>((settle) => {
        // Settled before the tool is told, so that what it answers to being stopped changes nothing.
        cancelDeadline = clock.at(clock.nowMs() + deadlineMs, () => {
          settle(
            outcome(
              'timed_out',
              `${name} did not answer within ${deadlineMs / 1000} seconds. It may still have had its effect.`,
            ),
          );
          stop.abort(new DOMException('The tool took too long.', 'TimeoutError'));
        });
        ended = () => {
          settle(outcome('failed', `The call ended before ${name} answered.`));
          stop.abort(new DOMException('The call ended.', 'AbortError'));
        };
        signal.addEventListener('abort', ended, { once: true });
        answer(tool, args as Record<string, unknown>, { callId, toolCall, signal: stop.signal }).then(
          (result) => settle(outcome(...written(name, result))),
          (error: unknown) => settle(outcome('failed', failure(name, error))),
        );
      });
    } finally {
      cancelDeadline();
      signal.removeEventListener('abort', ended);
    }
  }

  return { run };
}

/** Starts the tool at once; what it throws synchronously rejects. */
async function answer(tool: Tool, ...given: Parameters<Tool['run']>): Promise<unknown> {
  return await tool.run(...given);
}

/** Undefined when it is not JSON. A model may leave the arguments of a tool without parameters empty. */
function parse(text: string): unknown {
  try {
    return text.trim() === '' ? {} : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

function written(name: string, result: unknown): [ToolOutcome['status'], string] {
  if (typeof result === 'string') return ['ok', result];
  if (result === undefined) return ['ok', `${name} is done; it has nothing to report.`];
  try {
    const json = JSON.stringify(result) as string | undefined;
    if (json !== undefined) return ['ok', json];
  } catch {
    // A circular structure, a BigInt, or a toJSON that throws.
  }
  return ['failed', `${name} was run, but what it answered cannot be read.`];
}

function failure(name: string, error: unknown): string {
  let message: unknown;
  try {
    message = error instanceof Error ? error.message : error;
  } catch {
    // An error whose message cannot be read says nothing.
  }
  const text = typeof message === 'string' ? quote(message) : '';
  return text ? `${name} failed: ${text}` : `${name} failed.`;
}

/** One line of at most 200 characters. */
function quote(text: string): string {
  const line = text
    .slice(0, 4 * MAX_QUOTE)
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > MAX_QUOTE ? `${line.slice(0, MAX_QUOTE - 1)}…` : line;
}

/** The text within its bound, cut between characters and saying so. */
function bounded(text: string, maxBytes: number): string {
  const whole = text.toWellFormed();
  const size = Buffer.byteLength(whole);
  if (size <= maxBytes) return whole;
  const notice = ` [cut off: ${size} bytes in all]`;
  const kept = Buffer.from(whole).subarray(0, Math.max(0, maxBytes - notice.length));
  return new StringDecoder('utf8').write(kept) + notice;
}
