// Token counts of responses: one per 100 ms of caller audio, one per 50 ms of produced audio, one per four characters.
import type { WireItem } from './client-event.ts';
import type { SimulatedItem } from './conversation.ts';

/** `response.done`'s usage, as the API shapes it. Cached tokens are part of the input tokens. */
export interface Usage {
  total_tokens: number;
  input_tokens: number;
  output_tokens: number;
  input_token_details: {
    text_tokens: number;
    audio_tokens: number;
    image_tokens: number;
    cached_tokens: number;
    cached_tokens_details: { text_tokens: number; audio_tokens: number; image_tokens: number };
  };
  output_token_details: { text_tokens: number; audio_tokens: number };
}

/** One piece of the model's input; equal keys mean that the model has already read exactly this. */
export interface ContextPiece {
  key: string;
  text: number;
  audio: number;
}

/** Counts the input of each response against the one before: what both start with is cached. */
export class UsageMeter {
  #previous: ContextPiece[] = [];

  /** Takes the input of a response that starts now; `remember` is off for out-of-band ones. */
  input(context: ContextPiece[], remember: boolean): { all: ContextPiece; cached: ContextPiece } {
    const differs = context.findIndex((piece, i) => piece.key !== this.#previous[i]?.key);
    const cached = total(context.slice(0, differs < 0 ? context.length : differs));
    if (remember) this.#previous = context;
    return { all: total(context), cached };
  }
}

/** The usage of one response from its input and what it produced. */
export function usageOf(
  input: { all: ContextPiece; cached: ContextPiece },
  output: { text: number; audio: number },
): Usage {
  const { all, cached } = input;
  const inputTokens = all.text + all.audio;
  const outputTokens = output.text + output.audio;
  return {
    total_tokens: inputTokens + outputTokens,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    input_token_details: {
      text_tokens: all.text,
      audio_tokens: all.audio,
      image_tokens: 0,
      cached_tokens: cached.text + cached.audio,
      cached_tokens_details: { text_tokens: cached.text, audio_tokens: cached.audio, image_tokens: 0 },
    },
    output_token_details: { text_tokens: output.text, audio_tokens: output.audio },
  };
}

/** Tokens in a text. */
export const textTokens = (text: string): number => Math.ceil(text.length / 4);

/** Tokens in audio that the model makes. */
export const producedTokens = (audioMs: number): number => Math.ceil(audioMs / 50);

/** Tokens in audio that the caller sends. */
export const callerTokens = (audioMs: number): number => Math.ceil(audioMs / 100);

/** What the model reads: instructions, tools, then every item as it is now. */
export function contextOf(
  instructions: string,
  tools: unknown,
  items: readonly (SimulatedItem | WireItem)[],
): ContextPiece[] {
  const prompt = instructions + (Array.isArray(tools) && tools.length > 0 ? JSON.stringify(tools) : '');
  return [{ key: prompt, text: textTokens(prompt), audio: 0 }, ...items.map(pieceOf)];
}

function pieceOf(item: SimulatedItem | WireItem): ContextPiece {
  const { text, audio } =
    'audioMs' in item ? ofItem(item) : { text: textTokens(JSON.stringify(item.content ?? item)), audio: 0 };
  return { key: `${item.id} ${text} ${audio}`, text, audio };
}

function ofItem(item: SimulatedItem): { text: number; audio: number } {
  const said = item.role === 'assistant' ? (item.transcript ?? '') : '';
  const text = textTokens(`${said}${item.text ?? ''}${item.name ?? ''}${item.arguments ?? ''}${item.output ?? ''}`);
  const audio =
    item.role === 'assistant' ? producedTokens(item.truncatedAtMs ?? item.audioMs) : callerTokens(item.audioMs);
  return { text, audio };
}

const total = (pieces: readonly ContextPiece[]): ContextPiece =>
  pieces.reduce((sum, piece) => ({ key: '', text: sum.text + piece.text, audio: sum.audio + piece.audio }), {
    key: '',
    text: 0,
    audio: 0,
  });
