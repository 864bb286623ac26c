// One decision of a call in plain words, for people who do not know the names of effects.
import type { TimerName } from '../call/event.ts';
import { grouped, plainText } from './text-layout.ts';

type Json = Record<string, unknown>;

/** How a report names what decisions name. */
export interface Names {
  /** A monotonic time of the tape as a time of the call. */
  time(atMs: number): string;
  /** An utterance with its first words. */
  utterance(id: string): string;
}

const ms = (value: unknown): string => (typeof value === 'number' ? `${grouped(value)} ms` : String(value));
const msOfBytes = (value: unknown): string => ms(Number(value) / 8);
const quoted = (value: unknown): string => JSON.stringify(plainText(String(value)));

/** What each effect means; what is not here is named as it is. */
const WORDS: Record<string, (effect: Json, names: Names) => string> = {
  'leg.play': (e, names) =>
    `play ${utterance(e, names)} from ${msOfBytes(e.fromByte)} to ${msOfBytes(e.toByte)} at ${names.time(Number(e.startsAtMs))}`,
  'leg.mark': (e) => `ask the carrier to tell when all until here was played (${String(e.mark)})`,
  'leg.clear': () => 'stop what the caller hears',
  'leg.close': (e) => `end the media, then ${nextText(e.next)}`,
  'session.append': () => 'pass the caller’s sound on to the model',
  'session.append_silence': (e) => `pass ${ms(e.ms)} of silence on to the model`,
  'session.speak': (e) => (e.say === null ? 'let the model answer' : `let the model say ${quoted(e.say)}`),
  'session.last_words': (e) => `let the model say ${quoted(e.say)}, and nothing after it`,
  'session.interrupt': (e, names) => `tell the model that it was interrupted: ${heardText(e.heard, names)}`,
  'session.settle_tool': (e) => `give the model the outcome of ${String(e.toolCall)}: ${quoted(e.output)}`,
  'session.tell': (e) => `tell the model ${quoted(e.text)}`,
  'session.commit': () => 'end the caller’s turn',
  'session.close': () => 'end the model’s session',
  'shelf.put': (e, names) => `keep sound of ${utterance(e, names)}`,
  'shelf.drop': (e, names) => `forget ${utterance(e, names)}`,
  'timer.set': (e, names) => `wait ${awaited(e)}, until ${names.time(Number(e.atMs))}`,
  'timer.clear': (e) => `wait no longer ${awaited(e)}`,
  'tool.run': (e) => `run the tool ${String(e.name)} with ${String(e.arguments)}`,
  'tool.abort': (e) => `give up the tool call ${String(e.toolCall)}`,
  'ledger.charge': (e) => `charge ${JSON.stringify(e.usage)}`,
  'note.settled': (e, names) =>
    `count ${utterance(e, names)} as ${String(e.outcome)}: ${ms(e.heardMs)} of ${ms(e.receivedMs)} heard`,
  'note.stopped': (e) => `count ${ms(e.unheardMs)} as never heard (${String(e.because)})`,
  'note.filled': (e) => `count ${ms(e.ms)} of silence as put in (${String(e.why)})`,
  'note.ignored': (e) => `take no notice (${String(e.what)})`,
  'note.held': () => 'count the caller as asked for a moment',
  'note.left': (e) => `leave a note (${String(e.disposition)})`,
  'note.transfer': (e) => `count the transfer to ${String(e.target)} as ${String(e.stage)}`,
  'note.handed_off': (e) => `count ${String(e.to)} as the agent`,
  'note.guarded': (e) => `count the guardrail ${String(e.guardrail)}`,
  'note.resumed': (e) => `count the caller as back after ${ms(e.awayMs)}`,
  'note.underrun': (e) => `count a pause of ${ms(e.ms)} inside an utterance`,
  'call.end': (e) => `end the call: ${String((e.termination as Json | undefined)?.reason)}`,
};

/** What each timer waits for. */
const AWAITED: Record<TimerName, string> = {
  media: 'for the media to start',
  pace: 'for room at the carrier',
  stall: 'for a sound of the model',
  filler: 'for anything to be heard',
  recovery: 'for a session to be ready',
  resume: 'for the caller to be brought back',
  rollover: 'for the end of the session to near',
  silence: 'for somebody to speak',
  farewell: 'for the end of the farewell',
  duration: 'for the end of the longest call',
  keypad: 'for another key',
  consent: 'for the words of the caller',
  transfer: 'for a person',
  input: 'for a frame of the caller',
  barge_in: 'for the caller to go on speaking',
};

const awaited = ({ timer }: Json): string => AWAITED[timer as TimerName] ?? `(${String(timer)})`;

/** The decision as what somebody does. */
export function decisionText(decision: Json, names: Names): string {
  if (decision.sent !== undefined) return sentText(decision.sent as Json);
  if (decision.frame !== undefined) return 'pass the caller’s frame on to the model';
  const words = WORDS[String(decision.do)];
  return words ? words(decision, names) : `do ${JSON.stringify(decision)}`;
}

function sentText(sent: Json): string {
  if (sent.type === 'conversation.item.truncate')
    return `send the model: ${ms(sent.audio_end_ms)} of ${String(sent.item_id)} were heard`;
  if (sent.type === 'conversation.item.delete') return `send the model: nothing of ${String(sent.item_id)} was heard`;
  return `send the model ${String(sent.type)}`;
}

const utterance = (e: Json, names: Names): string => names.utterance(String(e.utterance));

const heardText = (heard: unknown, names: Names): string =>
  (heard as Json[]).map((one) => `${ms(one.heardMs)} of ${utterance(one, names)} heard`).join(', ') || 'all was heard';

/** `path: this then, that now` for what two decisions have that reads the same in words; a few of them. */
export function otherDetails(then: unknown, now: unknown, path = ''): string[] {
  if (isObject(then) && isObject(now)) {
    const keys = [...new Set([...Object.keys(then), ...Object.keys(now)])];
    return keys.flatMap((key) => otherDetails(then[key], now[key], path === '' ? key : `${path}.${key}`));
  }
  const [a, b] = [JSON.stringify(then), JSON.stringify(now)];
  return a === b ? [] : [`${path}: ${a ?? 'nothing'} then, ${b ?? 'nothing'} now`];
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;

const nextText = (next: unknown): string => String((next as Json | undefined)?.do).replaceAll('_', ' ');
