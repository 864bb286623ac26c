// What the model reads for one response, counted in tokens: instructions, tools and the items that still fit. What it has
// in common with the response before is cached.
import type { WireItem } from './client-event.ts';
import type { SimulatedItem } from './conversation.ts';
import { callerTokens, producedTokens, textTokens } from './usage.ts';
import type { Tokens } from './usage.ts';

/** One piece of the model's input; equal keys mean that the model has already read exactly this. */
export interface ContextPiece extends Tokens {
  /** The item it stands for. */
  id: string;
  key: string;
}

/** How many tokens of items are kept, and down to which share of that they are cut once there are more. */
export interface Retention {
  limit: number;
  ratio: number;
}

/** The context of one session's default conversation. */
export class Context {
  #previous: ContextPiece[] = [];
  #dropped = new Set<string>();

  /**
   * Takes the input of a response that starts now.
   * @param pieces the prompt, then the items
   * @param retention undefined for a response beside the conversation, which drops nothing and is not remembered
   */
  read(pieces: readonly ContextPiece[], retention: Retention | undefined): { all: Tokens; cached: Tokens } {
    const present = pieces.filter(({ id }) => !this.#dropped.has(id));
    const kept = retention ? this.#fitting(present, retention) : present;
    const differs = kept.findIndex((piece, i) => piece.key !== this.#previous[i]?.key);
    const cached = total(kept.slice(0, differs < 0 ? kept.length : differs));
    if (retention) this.#previous = kept;
    return { all: total(kept), cached };
  }

  /** The prompt and the newest items; what has once been dropped does not come back. */
  #fitting([prompt, ...kept]: readonly ContextPiece[], { limit, ratio }: Retention): ContextPiece[] {
    let tokens = sum(kept);
    if (tokens > limit)
      while (kept.length > 1 && tokens > limit * ratio) {
        const oldest = kept.shift() as ContextPiece;
        this.#dropped.add(oldest.id);
        tokens -= oldest.text + oldest.audio;
      }
    return prompt ? [prompt, ...kept] : kept;
  }
}

/** What the model reads: instructions and tools as one piece, then every item as it is now. */
export function contextOf(
  instructions: string,
  tools: unknown,
  items: readonly (SimulatedItem | WireItem)[],
): ContextPiece[] {
  const prompt = instructions + (Array.isArray(tools) && tools.length > 0 ? JSON.stringify(tools) : '');
  return [{ id: 'prompt', key: prompt, text: textTokens(prompt), audio: 0 }, ...items.map(pieceOf)];
}

function pieceOf(item: SimulatedItem | WireItem): ContextPiece {
  const { text, audio } =
    'audioMs' in item ? ofItem(item) : { text: textTokens(JSON.stringify(item.content ?? item)), audio: 0 };
  return { id: item.id ?? '', key: `${item.id} ${text} ${audio}`, text, audio };
}

function ofItem(item: SimulatedItem): Tokens {
  const said = item.role === 'assistant' ? (item.transcript ?? '') : '';
  const text = textTokens(`${said}${item.text ?? ''}${item.name ?? ''}${item.arguments ?? ''}${item.output ?? ''}`);
  const audio =
    item.role === 'assistant' ? producedTokens(item.truncatedAtMs ?? item.audioMs) : callerTokens(item.audioMs);
  return { text, audio };
}

// Input budget of a model: its context without what it may produce.
const LARGE_BUDGET = 96_000;
const SMALL_BUDGET = 28_224;

/** The rule of a session's `truncation`. `disabled` is taken as `auto`: no test conversation fills the context. */
export function retentionOf(truncation: unknown, model: string): Retention {
  const limit = model.startsWith('gpt-realtime-2.') || model === 'gpt-realtime-2' ? LARGE_BUDGET : SMALL_BUDGET;
  if (typeof truncation !== 'object' || truncation === null) return { limit, ratio: 1 };
  const { retention_ratio = 1, token_limits } = truncation as {
    retention_ratio?: number;
    token_limits?: { post_instructions?: number };
  };
  return { limit: Math.min(limit, token_limits?.post_instructions ?? limit), ratio: retention_ratio };
}

const sum = (pieces: readonly ContextPiece[]): number => pieces.reduce((n, { text, audio }) => n + text + audio, 0);

const total = (pieces: readonly ContextPiece[]): Tokens =>
  pieces.reduce((all, piece) => ({ text: all.text + piece.text, audio: all.audio + piece.audio }), {
    text: 0,
    audio: 0,
  });
