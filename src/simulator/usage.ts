// Token counts of responses: one per 100 ms of caller audio, one per 50 ms of produced audio, one per four characters.

/** Tokens by kind. */
export interface Tokens {
  text: number;
  audio: number;
}

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

/** The usage of one response from its input and what it produced. */
export function usageOf(input: { all: Tokens; cached: Tokens }, output: Tokens): Usage {
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
