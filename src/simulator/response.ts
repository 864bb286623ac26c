// One response from `response.created` to `response.done`: produces its items in order and in time, and can be stopped at
// any point in between with the events the protocol asks for.
import type { Cancel } from '../clock.ts';
import { wireItem } from './conversation.ts';
import { newId } from './ids.ts';
import type { OutputItem, Place } from './output-item.ts';
import type { Answer } from './script.ts';
import type { Timers } from './timers.ts';
import { usageOf } from './usage.ts';
import type { Tokens, Usage } from './usage.ts';

/** One response as a test may look at it. */
export interface SimulatedResponse {
  id: string;
  status: 'in_progress' | 'completed' | 'cancelled' | 'failed' | 'incomplete';
  /** Made by turn detection, or asked for with `response.create`. */
  origin: 'vad' | 'client';
  outOfBand: boolean;
  /** Ids of its items, in order. */
  items: string[];
  usage: Usage | null;
}

/** Makes the item at one place of the response. */
export type MakeItem = (place: Place) => OutputItem;

/** Everything one response needs. */
export interface ResponsePlan {
  origin: 'vad' | 'client';
  answer: Answer;
  items: readonly MakeItem[];
  firstDelayMs: number;
  /** Creates the response and then says nothing. */
  stall: boolean;
  lateDeltas: number;
  lateDeltasAfterDone: number;
  /** Undefined for an out-of-band response. */
  conversation: Place['conversation'];
  conversationId: string | null;
  metadata: Record<string, string> | null;
  modalities: readonly string[];
  audio: unknown;
  maxOutputTokens: number | 'inf';
  input: { all: Tokens; cached: Tokens };
  emit: (event: Record<string, unknown>) => void;
  /** Ends the connection in the middle of the answer. */
  drop(): void;
  /** After `response.done` has been sent. */
  ended(response: ResponseRun): void;
}

/** A response being made. Owns its one timer. */
export class ResponseRun {
  readonly seen: SimulatedResponse;
  #plan: ResponsePlan;
  #timers: Timers;
  #output: OutputItem[] = [];
  #current: OutputItem | undefined;
  #steps: Generator<number, void>;
  #dueMs = 0;
  #cancelTimer: Cancel = () => {};

  constructor(plan: ResponsePlan, timers: Timers) {
    this.#plan = plan;
    this.#timers = timers;
    this.#steps = this.#produce();
    const id = newId('resp');
    this.seen = {
      id,
      status: 'in_progress',
      origin: plan.origin,
      outOfBand: !plan.conversation,
      items: [],
      usage: null,
    };
  }

  /** Milliseconds of audio produced so far. */
  get audioMs(): number {
    return this.#output.reduce((sum, { item }) => sum + item.audioMs, 0);
  }

  /** Sends `response.created`; production goes on by itself after `start`. */
  announce(): void {
    this.#plan.emit({ type: 'response.created', response: this.#wire(null) });
  }

  start(): void {
    if (this.#plan.stall) return;
    this.#dueMs = this.#timers.clock.nowMs();
    this.#advance();
  }

  /** Ends the response early: late deltas, `.done` events of the item in progress, `response.done` with its usage. */
  cancel(reason: 'turn_detected' | 'client_cancelled'): void {
    if (this.seen.status !== 'in_progress') return;
    this.#cancelTimer();
    this.#current?.late(this.#plan.lateDeltas);
    const interrupted = this.#current;
    this.#closeCurrent('incomplete');
    this.#end('cancelled', { type: 'cancelled', reason });
    interrupted?.late(this.#plan.lateDeltasAfterDone);
  }

  // Waits add up on a schedule rather than one after the other, so that the pace holds whatever the timers' jitter.
  #advance(): void {
    const dropAtMs = this.#plan.answer.drop?.afterMs ?? Number.POSITIVE_INFINITY;
    for (let step = this.#steps.next(); !step.done; step = this.#steps.next()) {
      if (this.seen.status !== 'in_progress') return;
      if (this.audioMs >= dropAtMs) return this.#plan.drop();
      this.#dueMs += step.value;
      const waitMs = this.#dueMs - this.#timers.clock.nowMs();
      if (waitMs > 0) {
        this.#cancelTimer = this.#timers.after(waitMs, () => this.#advance());
        return;
      }
    }
    // The answer was shorter than that.
    if (Number.isFinite(dropAtMs)) this.#plan.drop();
  }

  *#produce(): Generator<number, void> {
    const { answer, items, firstDelayMs, emit, conversation, maxOutputTokens } = this.#plan;
    yield firstDelayMs;
    const status = answer.status ?? 'completed';
    let tokensLeft = maxOutputTokens === 'inf' ? Number.POSITIVE_INFINITY : maxOutputTokens;
    for (const [outputIndex, make] of items.entries()) {
      const output = make({ responseId: this.seen.id, outputIndex, conversation, emit });
      this.#output.push(output);
      this.#current = output;
      this.seen.items.push(output.item.id);
      const shortened = output.fit(tokensLeft);
      output.open();
      yield* output.produce();
      if (shortened) {
        this.#closeCurrent('incomplete');
        return this.#end('incomplete', { type: 'incomplete', reason: 'max_output_tokens' });
      }
      tokensLeft -= output.tokens.text + output.tokens.audio;
      const cutOff = status !== 'completed' && outputIndex === items.length - 1;
      this.#closeCurrent(cutOff ? 'incomplete' : 'completed');
    }
    return this.#end(status, statusDetails(answer, status));
  }

  #closeCurrent(status: 'completed' | 'incomplete'): void {
    const current = this.#current;
    this.#current = undefined;
    current?.close(status);
  }

  #end(status: SimulatedResponse['status'], details: Record<string, unknown> | null): void {
    const spent = this.#output.map((output) => output.tokens);
    this.seen.status = status;
    this.seen.usage = usageOf(this.#plan.input, {
      text: spent.reduce((sum, { text }) => sum + text, 0),
      audio: spent.reduce((sum, { audio }) => sum + audio, 0),
    });
    this.#plan.emit({ type: 'response.done', response: this.#wire(details) });
    this.#plan.ended(this);
  }

  #wire(details: Record<string, unknown> | null): Record<string, unknown> {
    const { conversationId, metadata, modalities, audio, maxOutputTokens } = this.#plan;
    return {
      object: 'realtime.response',
      id: this.seen.id,
      conversation_id: conversationId,
      status: this.seen.status,
      status_details: details,
      output: this.seen.status === 'in_progress' ? [] : this.#output.map((output) => wireItem(output.item)),
      output_modalities: modalities,
      max_output_tokens: maxOutputTokens,
      audio,
      usage: this.seen.usage,
      metadata,
    };
  }
}

function statusDetails(answer: Answer, status: NonNullable<Answer['status']>): Record<string, unknown> | null {
  if (status === 'completed') return null;
  if (status === 'incomplete') return { type: 'incomplete', reason: answer.reason ?? 'max_output_tokens' };
  if (status === 'cancelled') return { type: 'cancelled', reason: answer.reason ?? 'turn_detected' };
  const error = { type: 'server_error', code: 'server_error', message: 'The server had an error.', ...answer.error };
  return { type: 'failed', error };
}
