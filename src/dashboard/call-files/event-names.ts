// What lines of a tape are called on the page: by the names that whoever knows the protocols looks for. Pure.
import type { TapeEvents } from '../schemas/timeline.ts';
import { isObject, type LineKind, parsedLine, textOf } from './tape-line.ts';

type Side = TapeEvents['events'][number]['from'];

export interface NamedLine {
  from: Side;
  name: string;
  /** One of many that tell nothing alone: audio on its way. */
  audio: boolean;
}

/** OpenAI's own names of what its adapter read. What is not here has that name itself, or is of another model. */
const OPENAI: Readonly<Record<string, string>> = {
  speech_started: 'input_audio_buffer.speech_started',
  speech_stopped: 'input_audio_buffer.speech_stopped',
  committed: 'input_audio_buffer.committed',
  item_known: 'conversation.item.added',
  transcribed: 'conversation.item.input_audio_transcription.completed',
  transcription_failed: 'conversation.item.input_audio_transcription.failed',
  message_added: 'response.output_item.added',
  item_done: 'response.output_item.done',
  call_added: 'response.output_item.added (function_call)',
  audio: 'response.output_audio.delta',
  text: 'response.output_audio_transcript.delta',
};

/** Effects that only move audio on. */
const AUDIO_EFFECTS = new Set(['shelf.put', 'leg.play', 'leg.mark', 'session.append']);
/** A list of effects is told by its first ones. */
const EFFECTS_NAMED = 4;
const MOST_NAME = 120;

/** A line of which the rest is not needed to know what it is. */
export const FRAME: NamedLine = { from: 'carrier', name: 'media', audio: true };

/** @param text the line, or its beginning where it is too long to be read at once */
export function namedLine(kind: Exclude<LineKind, 'frame'>, text: string, whole: boolean): NamedLine {
  const line = whole ? parsedLine(text) : null;
  const plain = (from: Side, name: string): NamedLine => ({ from, name: name.slice(0, MOST_NAME), audio: false });
  switch (kind) {
    case 'header':
      return plain('call', 'tape');
    case 'call': {
      const type = (isObject(line?.call) ? textOf(line.call.type) : '') || typeIn(text);
      if (type === 'leg.audio') return FRAME;
      return type.startsWith('leg.') ? plain('carrier', carrierName(type)) : plain('call', type);
    }
    case 'session':
      return ofModel(isObject(line?.session) ? line.session : null, text);
    case 'effects':
      return ofEffects(textOf(line?.after), Array.isArray(line?.do) ? line.do : null, text);
    case 'sent':
      return plain('to_model', (isObject(line?.sent) ? textOf(line.sent.type) : '') || typeIn(text));
    case 'stopped':
      return plain('call', `tape stopped: ${textOf(line?.stopped)}`);
    case 'closed':
      return plain('call', 'closed');
  }
}

/** As the carriers' protocols call it, where they all have a word for it. */
const CARRIER: Readonly<Record<string, string>> = {
  'leg.started': 'start',
  'leg.mark_settled': 'mark',
  'leg.digit_pressed': 'dtmf',
  'leg.closed': 'stop',
};

const carrierName = (type: string): string => CARRIER[type] ?? type;

function ofModel(input: Record<string, unknown> | null, text: string): NamedLine {
  const message = input !== null && isObject(input.message) ? input.message : null;
  const type = (message === null ? textOf(input?.kind) : textOf(message.type)) || typeIn(text);
  const name = Object.hasOwn(OPENAI, type) ? (OPENAI[type] as string) : type;
  return { from: 'model', name: name.slice(0, MOST_NAME), audio: message !== null && type === 'audio' };
}

function ofEffects(after: string, effects: readonly unknown[] | null, text: string): NamedLine {
  if (effects === null)
    return { from: 'call', name: (/"after":"([^"]{0,100})"/.exec(text)?.[1] ?? '') + ' → …', audio: false };
  const names = effects.map((effect) => (isObject(effect) ? textOf(effect.do) : ''));
  const first = [...new Set(names)].slice(0, EFFECTS_NAMED);
  const more = new Set(names).size - first.length;
  const name = `${after} → ${first.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return { from: 'call', name: name.slice(0, MOST_NAME), audio: names.every((one) => AUDIO_EFFECTS.has(one)) };
}

/** Of a line too long to be read: the first type in it, which is its own but for what nobody sends. */
const typeIn = (text: string): string => /"type":"([^"]{1,100})"/.exec(text)?.[1] ?? 'unreadable';
