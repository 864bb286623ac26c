// A dialogue under test. Every step is checked for what must hold always: inputs and state are not touched, the state
// survives JSON and gives the same outputs afterwards, and the API would take everything that is sent.
import assert from 'node:assert/strict';
import { stepDialogue } from '../../../src/realtime/openai/dialogue.ts';
import {
  type Dialogue,
  type DialogueConfig,
  type DialogueInput,
  newDialogue,
} from '../../../src/realtime/openai/dialogue-state.ts';
import { type ClientMessage, parseServerMessage } from '../../../src/realtime/openai/messages.ts';
import type { HeardUtterance, RealtimeEvent, RealtimeRequest } from '../../../src/realtime/session.ts';
import { expectClientMessage } from './client-schema.ts';
import * as wire from './wire.ts';

/** What one or more steps led to. */
export interface Outcome {
  sent: ClientMessage[];
  events: RealtimeEvent[];
  closes: number;
}

export interface Mode {
  /** `interrupt_response` */
  interrupts: boolean;
  /** `create_response` */
  answers: boolean;
}

export const MODES: Mode[] = [
  { interrupts: true, answers: true },
  { interrupts: true, answers: false },
  { interrupts: false, answers: true },
  { interrupts: false, answers: false },
];

export const SESSION = {
  type: 'realtime',
  instructions: 'Be brief.',
  audio: { input: { format: { type: 'audio/pcmu' } }, output: { format: { type: 'audio/pcmu' } } },
};

export class Talk {
  state: Dialogue;
  /** Everything so far. */
  readonly all: Outcome = { sent: [], events: [], closes: 0 };
  #eventId = 0;

  constructor(mode: Mode = { interrupts: true, answers: true }) {
    const config: DialogueConfig = {
      session: SESSION,
      model: 'gpt-realtime-2.1',
      transcriptionModel: 'gpt-transcribe',
      serverInterrupts: mode.interrupts,
      serverAnswers: mode.answers,
    };
    this.state = deepFreeze(newDialogue(config));
  }

  step(input: DialogueInput): Outcome {
    const [state, outputs] = stepDialogue(this.state, deepFreeze(input));
    const revived = JSON.parse(JSON.stringify(this.state)) as Dialogue;
    assert.deepEqual(stepDialogue(revived, input), [state, outputs]);
    this.state = deepFreeze(state);
    const outcome: Outcome = { sent: [], events: [], closes: 0 };
    for (const output of outputs) {
      if ('send' in output) {
        expectClientMessage(output.send);
        outcome.sent.push(output.send);
      } else if ('emit' in output) outcome.events.push(output.emit);
      else outcome.closes++;
    }
    add(this.all, outcome);
    return outcome;
  }

  /** Messages from the server, each with an event id of its own unless it has one. */
  hear(...messages: Record<string, unknown>[]): Outcome {
    const outcome: Outcome = { sent: [], events: [], closes: 0 };
    for (const message of messages) {
      const parsed = parseServerMessage(JSON.stringify({ event_id: `event_${++this.#eventId}`, ...message }));
      if (parsed.kind === 'known')
        add(outcome, this.step({ kind: 'message', message: parsed.message, eventId: parsed.eventId }));
      else
        assert(
          parsed.kind === 'limits' || (parsed.kind === 'unknown' && !parsed.unexpected),
          `${String(message.type)} is ${parsed.kind}`,
        );
    }
    return outcome;
  }

  ask(...requests: RealtimeRequest[]): Outcome {
    const outcome: Outcome = { sent: [], events: [], closes: 0 };
    for (const request of requests) add(outcome, this.step({ kind: 'request', request }));
    return outcome;
  }

  speak(say: string | null = null): Outcome {
    return this.ask({ do: 'session.speak', say });
  }

  interrupt(heard: HeardUtterance[] = [], because: 'caller_spoke' | 'our_decision' = 'caller_spoke'): Outcome {
    return this.ask({ do: 'session.interrupt', because, heard });
  }

  settle(toolCall: string, output = 'ok', quietly = false): Outcome {
    return this.ask({ do: 'session.settle_tool', toolCall, output, quietly });
  }

  finish(): Outcome {
    return this.step({ kind: 'finish' });
  }

  /** The metadata of our latest `response.create`, as a server repeats it. */
  tag(): Record<string, string> {
    const create = this.all.sent.findLast((message) => message.type === 'response.create');
    if (create?.type !== 'response.create') throw new Error('no response.create was sent');
    return create.response.metadata as Record<string, string>;
  }

  /** The event id of our latest message of a type. */
  lastId(type: ClientMessage['type']): string {
    return this.all.sent.findLast((message) => message.type === type)?.event_id ?? '';
  }

  /** The server confirms the latest tool outputs as items. */
  confirmOutputs(): Outcome {
    const ids = outputItems(this.all.sent).map((item) => item.id as string);
    return this.hear(...ids.map((id) => wire.itemAdded(id, 'function_call_output')));
  }
}

/** A dialogue whose session is configured. */
export function readyTalk(mode?: Mode): Talk {
  const talk = new Talk(mode);
  talk.hear(wire.sessionCreated(), wire.sessionUpdated());
  return talk;
}

/** One of ours runs: response `id` with one item, of which `ms` have arrived. */
export function speakingTalk(mode: Mode, ms = 1000, id = 'resp_1', item = 'item_a1'): Talk {
  const talk = readyTalk(mode);
  talk.speak();
  talk.hear(wire.responseCreated(id, talk.tag()), wire.messageAdded(id, item), wire.audioDelta(id, item, ms));
  return talk;
}

/** The types of messages or events, in order. */
export const types = (list: readonly { type: string }[]): string[] => list.map(({ type }) => type);

/** Messages without the ids of ours that change from case to case. */
export const bare = (sent: readonly ClientMessage[]): unknown[] =>
  sent.map(({ event_id: _, ...message }) => {
    if (message.type !== 'response.create') return message;
    const { metadata: __, ...response } = message.response;
    return { ...message, response };
  });

/** The function call outputs among messages, as items. */
export const outputItems = (sent: readonly ClientMessage[]): Record<string, unknown>[] =>
  sent.flatMap((m) =>
    m.type === 'conversation.item.create' && m.item.type === 'function_call_output' ? [m.item] : [],
  );

/** The utterances that began, in order. */
export const utterances = ({ events }: Outcome): string[] =>
  events.flatMap((e) => (e.type === 'utterance.started' ? [e.utterance] : []));

function add(to: Outcome, from: Outcome): void {
  to.sent.push(...from.sent);
  to.events.push(...from.events);
  to.closes += from.closes;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
