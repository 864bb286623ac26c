// The tools of one call, from what the model wrote to what it is told. Here stand the rules that depend on what happened in
// the call before: a request answered twice, what must come first, how often, what is filled in, what is done already.
import type { Clock } from '../clock.ts';
import { asFields, valueAt, written } from './answer.ts';
import { parseArguments } from './arguments.ts';
import { canonical, keyOf } from './canonical.ts';
import type { Circuit } from './circuit.ts';
import { createKeyedDigits } from './keyed-digits.ts';
import { createEffects } from './once.ts';
import type { Attempt } from './once.ts';
import { bounded, quote } from './output.ts';
import type { ArgumentCheck } from './parameters.ts';
import { MOST_OUTPUT_BYTES } from './policy.ts';
import type { SettledPolicy } from './policy.ts';
import type { Slots } from './slots.ts';
import { ToolFailure } from './tool.ts';
import type { CallTools, Tool, ToolCaller, ToolOutcome, ToolRequest, ToolStatus } from './tool.ts';
import { runTries } from './tries.ts';
import type { RunEnd } from './tries.ts';

/** A tool as the runner keeps it, for all calls. */
export interface Entry {
  tool: Tool;
  policy: SettledPolicy;
  check: ArgumentCheck;
  slots: Slots;
  circuit: Circuit;
  /** What other tools are filled with from its answers: paths below its name. */
  gives: readonly string[];
}

/** What every call of a runner uses. */
export interface Workshop {
  clock: Clock;
  random: () => number;
  entries: ReadonlyMap<string, Entry>;
  tried: (name: string) => void;
}

/** Requests of one call whose outcomes are remembered by their id; the model sees each at most a few events later again. */
const MAX_REMEMBERED = 128;

/** Longest value that is filled into an argument, as JSON. */
const MAX_FILLED = 4 * 1024;

/** Everything told has its own bound; this is the longest of them, an answer, and a few words about it. */
const MAX_TOLD_BYTES = MOST_OUTPUT_BYTES + 1024;

/** A sentence that a tool wrote for the model may be longer than an error message. */
const MAX_SENTENCE = 600;

/** What a run takes of `perCall`, in tenths: a wrong guess is a run like any other, a service that was down hardly. */
const SUCCESS = 10;
const FAILURE = 1;

/** Everything about one request that is past its checks. */
interface Ready {
  entry: Entry;
  args: Record<string, unknown>;
  request: ToolRequest;
}

export function createCallTools({ clock, random, entries, tried }: Workshop, caller: ToolCaller): CallTools {
  const { callId } = caller;
  const names = [...entries.keys()].join(', ');
  const remembered = new Map<string, Promise<ToolOutcome>>();
  const succeeded = new Set<string>();
  /** By `tool.path`: what a tool gave, of its successes the one that was begun last. */
  const given = new Map<string, unknown>();
  const givenBy = new Map<string, number>();
  let runs = 0;
  /** In tenths of a success: what `perCall` bounds. */
  const spent = new Map<string, number>();
  const digits = createKeyedDigits((field) => caller.digits(field));
  const effects = createEffects();

  function told(status: ToolStatus, output: string, tries = 0): ToolOutcome {
    const text = bounded(output, MAX_TOLD_BYTES, (whole) => digits.scrub(whole));
    return { status, output: text, ...(tries > 0 ? { tries } : {}) };
  }

  /** What a business system says, within the bound of its tool. */
  const shownOf = (text: string, { maxOutputBytes }: SettledPolicy): string =>
    bounded(text, maxOutputBytes, (whole) => digits.scrub(whole));

  function run(request: ToolRequest): Promise<ToolOutcome> {
    const before = remembered.get(request.toolCall);
    if (before) return before;
    const outcome = answered(request).catch(() => told('failed', `${quote(request.name)} failed.`));
    remembered.set(request.toolCall, outcome);
    // Nothing ran: the same request may come again when the caller has agreed.
    void outcome.then(({ status }) => {
      if (status === 'unconfirmed' && remembered.get(request.toolCall) === outcome) remembered.delete(request.toolCall);
    });
    for (const oldest of remembered.keys()) {
      if (remembered.size <= MAX_REMEMBERED) break;
      remembered.delete(oldest);
    }
    return outcome;
  }

  async function answered(request: ToolRequest): Promise<ToolOutcome> {
    const { name } = request;
    const entry = entries.get(name);
    if (!entry)
      return told(
        'unknown',
        `There is no tool ${JSON.stringify(quote(name))}. ${names ? `Available: ${names}.` : 'There are no tools.'}`,
      );
    const { policy } = entry;
    const parsed = parseArguments(request.arguments);
    if ('fault' in parsed) return told('invalid', `The arguments of ${name} ${parsed.fault}`);
    const missing = policy.needs.filter((each) => !succeeded.has(each));
    if (missing.length > 0)
      return told('refused', `${name} was not run: ${missing.join(' and ')} must have succeeded in this call first.`);
    const filled = withFilled(entry, parsed.args);
    if ('refusal' in filled) return filled.refusal;
    const put = digits.put(name, filled.args, policy.digits);
    if ('fault' in put) return told('refused', put.fault);
    const violations = entry.check(put.args);
    if (violations !== null)
      return told(
        'invalid',
        `The arguments of ${name} do not fit: ${violations}. Call it again with corrected arguments.`,
      );
    const ready = { entry, args: put.args, request };
    const argsText = canonical(put.told);
    if (policy.effect !== 'reads') return await asked(ready, argsText);
    if (isSpent(entry)) return spentOut(entry);
    return await once(ready, keyOf('read', callId, name, argsText, request.toolCall), null);
  }

  /** The arguments with those that an earlier tool of the call answers for. */
  function withFilled({ tool, policy }: Entry, args: Record<string, unknown>) {
    const whole = { ...args };
    for (const [argument, path] of Object.entries(policy.fill)) {
      const value = given.get(path);
      const source = path.slice(0, path.indexOf('.'));
      if (value === undefined)
        return {
          refusal: told(
            'refused',
            succeeded.has(source)
              ? `${tool.name} was not run: ${source} did not find what it needs. Call ${source} again first.`
              : `${tool.name} was not run: call ${source} first, successfully.`,
          ),
        };
      if (Object.hasOwn(args, argument) && canonical(args[argument]) !== canonical(value))
        return {
          refusal: told(
            'refused',
            `${tool.name} was not run: ${argument} is taken from what ${source} answered and cannot be chosen. Call it again without ${argument}.`,
          ),
        };
      whole[argument] = value;
    }
    return { args: whole };
  }

  /** A tool that writes: at most once for one effect. */
  async function asked(ready: Ready, args: string): Promise<ToolOutcome> {
    const { tool, policy } = ready.entry;
    const { name } = tool;
    const verdict = effects.of({
      callId,
      tool: name,
      args,
      idempotent: policy.idempotent,
      // A note or a text message undoes no booking: after it the same booking again is still the same.
      undoes: tool.kind !== 'built_in',
    });
    if (verdict.now === 'shared') return await verdict.outcome;
    if (verdict.now === 'done') return told('ok', `Already done in this call: ${verdict.output}`);
    if (verdict.now === 'full') return told('refused', `${name} was not run: too many changes were made in this call.`);
    if (verdict.now === 'unsure')
      return told(
        'refused',
        `${name} was not run again: the same was asked for before in this call and ended without a sure answer, so it may have had its effect. Check that with another tool, or leave it to a person.`,
      );
    if (isSpent(ready.entry)) return spentOut(ready.entry);
    if (policy.effect === 'irreversible' && !ready.request.agreed)
      return told(
        'unconfirmed',
        `${name} was not run yet: it cannot be undone. Read back to the caller exactly what it will do, ask whether that is right, and call it again with the same arguments once the caller has agreed.`,
      );
    return await verdict.run((attempt) => once(ready, attempt.key, attempt));
  }

  /** One run with all its tries. Starts at once. */
  async function once({ entry, args, request }: Ready, key: string, attempt: Attempt | null): Promise<ToolOutcome> {
    const { tool, policy } = entry;
    const { name } = tool;
    const number = (runs += 1);
    // Reserved while it runs, so that parallel requests cannot pass the bound together.
    spend(name, SUCCESS);
    const { end, tries } = await runTries({
      clock,
      random,
      deadlineMs: policy.deadlineMs,
      retries: policy.retries,
      hangUp: request.signal,
      reads: policy.effect === 'reads',
      slots: entry.slots,
      circuit: entry.circuit,
      start(signal) {
        tried(name);
        return tool.run(structuredClone(args), {
          callId,
          toolCall: request.toolCall,
          signal,
          idempotencyKey: key,
          from: caller.from,
          to: caller.to,
        });
      },
      answeredLate(answer) {
        if (!attempt) return;
        spend(name, SUCCESS - FAILURE);
        succeed(entry, answer, attempt, number);
      },
    });
    if (end.end === 'answered') {
      const text = succeed(entry, end.answer, attempt, number);
      return text === null
        ? told('failed', `${name} was run, but what it answered cannot be read.`, tries)
        : told('ok', text, tries);
    }
    spend(name, (tries === 0 ? 0 : isAnswer(end) ? SUCCESS : FAILURE) - SUCCESS);
    if (tries === 0 || end.end === 'declined') attempt?.notDone();
    return failed(entry, end, tries);
  }

  /** Keeps what later tools need of an answer; what the model is told of it, or null where it cannot be read. */
  function succeed(
    { tool: { name }, policy, gives }: Entry,
    answer: unknown,
    attempt: Attempt | null,
    number: number,
  ): string | null {
    const answerText = written(name, answer, policy.returns);
    const text = answerText === null ? null : shownOf(answerText, policy);
    attempt?.done(text ?? `${name} was run, but what it answered cannot be read.`);
    if (text === null) return null;
    succeeded.add(name);
    // Two look-ups at once may answer in any order; the model asked for the second after the first.
    if (number < (givenBy.get(name) ?? 0)) return text;
    givenBy.set(name, number);
    const fields = gives.length > 0 ? asFields(answer) : null;
    for (const path of gives) {
      const value = snapshot(valueAt(fields, path.split('.').slice(1)));
      if (value === undefined) given.delete(path);
      else given.set(path, value);
    }
    return text;
  }

  const isSpent = ({ tool: { name }, policy }: Entry): boolean =>
    policy.perCall !== null && (spent.get(name) ?? 0) >= policy.perCall * SUCCESS;

  const spentOut = ({ tool: { name } }: Entry): ToolOutcome =>
    told('refused', `${name} was not run: it may not be used any more in this call.`);

  function spend(name: string, tenths: number): void {
    spent.set(name, (spent.get(name) ?? 0) + tenths);
  }

  function failed({ tool: { name }, policy }: Entry, end: RunEnd, tries: number): ToolOutcome {
    const writes = policy.effect !== 'reads';
    const instead = policy.onFailure === null ? '' : ` ${policy.onFailure}`;
    // Said whatever else is said: the model must not tell a caller that nothing was booked when nobody knows.
    const doubt = writes ? ' It may still have had its effect.' : '';
    switch (end.end) {
      case 'declined':
        return told('failed', policy.onFailure ?? failureText(name, end.error), tries);
      case 'broken':
        return told('failed', (policy.onFailure ?? failureText(name, end.error)) + doubt, tries);
      case 'late': {
        const late = `${name} did not answer within ${policy.deadlineMs / 1000} seconds.`;
        return told('timed_out', (policy.onFailure ?? late) + doubt, tries);
      }
      case 'stopped':
        return told('aborted', `The call ended before ${name} answered.`, tries);
      case 'call_over':
        return told('aborted', `${name} was not run: the call has ended.`);
      case 'crowded':
        return told('unavailable', `${name} was not run: too many others are using it. Try once more later.${instead}`);
      case 'circuit_open':
        return told(
          'unavailable',
          `${name} was not run: its service has failed repeatedly in the last moments.${instead}`,
        );
      case 'answered':
        throw new TypeError('an answer is no failure');
      default:
        return end satisfies never;
    }
  }

  return { run };
}

/** The tool has said no to what was asked, rather than not answered. */
const isAnswer = (end: RunEnd): boolean => (end.end === 'declined' || end.end === 'broken') && end.passing !== true;

/** A copy that nobody can change, where it is short enough to be an argument; else undefined. */
function snapshot(value: unknown): unknown {
  if (value === undefined || value === null) return undefined;
  try {
    const text = JSON.stringify(value) as string | undefined;
    return text === undefined || text.length > MAX_FILLED ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

function failureText(name: string, error: unknown): string {
  let message: unknown;
  try {
    if (error instanceof ToolFailure) return quote(error.message, MAX_SENTENCE) || `${name} failed.`;
    message = error instanceof Error ? error.message : error;
  } catch {
    // An error whose message cannot be read says nothing.
  }
  const text = typeof message === 'string' ? quote(message) : '';
  return text ? sentence(`${name} failed: ${text}`) : `${name} failed.`;
}

/** More may be said after it. */
const sentence = (text: string): string => (/[.!?…]$/.test(text) ? text : `${text}.`);
