// Calls in virtual time whose agent does more than talk: tools, keys, people. Shortens what tests of these say again and again.
import type { CallEffect } from '../../src/call/effect.ts';
import { step } from '../../src/call/machine.ts';
import type { ErrandPolicy } from '../../src/call/policy.ts';
import { admittedCall, type CallState } from '../../src/call/state.ts';
import { NO_ERRANDS } from './no-errands.ts';
import type { Plan } from './scripted-model.ts';
import { testPolicy, VirtualLine, type VirtualLineOptions } from './virtual-line.ts';

export interface ErrandLineOptions extends Omit<VirtualLineOptions, 'policy'> {
  errands?: Partial<ErrandPolicy>;
  policy?: VirtualLineOptions['policy'];
}

/** A call with its media, in which nothing was said yet. */
export function answered({ errands, policy, ...options }: ErrandLineOptions = {}): VirtualLine {
  const line = new VirtualLine({ ...options, policy: { ...policy, errands: { ...NO_ERRANDS, ...errands } } });
  line.startMedia();
  line.advance(50);
  return line;
}

/** An answer that only calls a tool. */
export const calls = (callId: string, name: string, args: unknown = {}): Plan => ({
  items: [],
  thinkMs: 50,
  tools: [{ callId, name, arguments: typeof args === 'string' ? args : JSON.stringify(args) }],
});

/** An answer of so many milliseconds of speech. */
export const says = (ms: number, words: readonly string[] = []): Plan => ({ items: [{ ms, words }], thinkMs: 50 });

/** The caller speaks for half a second; `words` are understood at once, null: not yet. Returns the turn. */
export function callerSays(line: VirtualLine, words: string | null = 'well', speakMs = 500): string {
  line.model.speechStarted();
  line.advance(speakMs);
  line.model.speechStopped();
  const turn = lastTurn(line);
  if (words !== null) understood(line, turn, words);
  return turn;
}

export const lastTurn = (line: VirtualLine): string => {
  const event = line.events.findLast(({ type }) => type === 'turn.committed');
  return event?.type === 'turn.committed' ? event.turn : '';
};

/** The words of a turn are known. */
export const understood = (line: VirtualLine, turn: string, transcript: string, model = line.model): void =>
  model.send({
    type: 'conversation.item.input_audio_transcription.completed',
    ...{ item_id: turn, content_index: 0, transcript, usage: { type: 'duration', seconds: 1 } },
  });

export const press = (line: VirtualLine, keys: string, everyMs = 200): void => {
  for (const digit of keys) {
    line.report({ type: 'leg.digit_pressed', digit });
    line.advance(everyMs);
  }
};

/** The carrier says that the call is over; its media goes as well, where there is any. */
export const hangUp = (line: VirtualLine): void => {
  const over = { type: 'leg.closed', cause: 'caller_hung_up', detail: '' } as const;
  line.report(over);
  if (line.termination === null) line.call.receive(over);
};

/** What the model was told became of a tool call; every outcome, so that a second one shows. Of all sessions, or one. */
export const outputsOf = (line: VirtualLine, toolCall: string, only?: number): string[] =>
  line.models
    .filter((_, i) => only === undefined || i === only)
    .flatMap(({ received }) => received)
    .flatMap((message) => {
      const item = message.item as { type?: string; call_id?: string; output?: string } | undefined;
      return item?.type === 'function_call_output' && item.call_id === toolCall ? [item.output ?? ''] : [];
    });

export const did = <T extends CallEffect['do']>(line: VirtualLine, what: T): Extract<CallEffect, { do: T }>[] =>
  line.done(what) as never;

/** The same events, folded anew through JSON, cause the same effects. */
export function foldsTheSame(line: VirtualLine): boolean {
  let state: CallState = admittedCall(line.opening);
  const effects: CallEffect[] = [];
  for (const event of line.events) {
    const [next, caused] = step(
      JSON.parse(JSON.stringify(state)) as CallState,
      JSON.parse(JSON.stringify(event)) as typeof event,
    );
    state = next;
    effects.push(...caused);
  }
  return JSON.stringify(effects.map(plain)) === JSON.stringify(line.effects.map(plain));
}

const plain = (effect: object): object => {
  const { atMs: _, ...rest } = effect as { atMs?: number };
  return rest;
};

export { testPolicy };
