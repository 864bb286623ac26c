// The transcript of a caller's turn: another model's work, so it comes when it comes, often after the answer has begun.
import type { SimulatedItem } from './conversation.ts';
import type { EffectiveOptions } from './options.ts';
import type { SessionConfig } from './session-config.ts';
import type { Timers } from './timers.ts';
import { callerTokens, textTokens } from './usage.ts';

/** What transcribing needs of its session. */
export interface TranscriberHost {
  config(): SessionConfig;
  readonly options: EffectiveOptions;
  readonly timers: Timers;
  emit: (event: Record<string, unknown>) => void;
}

/** The transcription model of one session. */
export class Transcriber {
  #host: TranscriberHost;

  constructor(host: TranscriberHost) {
    this.#host = host;
  }

  /** Reports after a while what was said in a turn, if the session transcribes. */
  later(item: SimulatedItem, transcript: string): void {
    const { options, timers, emit } = this.#host;
    const { audio, include } = this.#host.config();
    const { transcription } = audio.input;
    if (!transcription) return;
    const fails = options.failTranscription;
    const logprobs = include?.includes('item.input_audio_transcription.logprobs') ?? false;
    timers.after(options.transcriptDelayMs, () => {
      const how = { model: transcription.model ?? '', logprobs, fails };
      for (const event of transcriptionEvents(item, transcript, how)) emit(event);
      if (!fails) item.transcript = transcript;
    });
  }
}

interface Transcribing {
  model: string;
  /** The session asked for the probability of each token. */
  logprobs: boolean;
  fails: boolean;
}

function transcriptionEvents(
  item: SimulatedItem,
  transcript: string,
  { model, logprobs, fails }: Transcribing,
): Record<string, unknown>[] {
  const type = 'conversation.item.input_audio_transcription';
  const place = { item_id: item.id, content_index: 0 };
  if (fails) {
    const error = {
      type: 'transcription_error',
      code: 'audio_unintelligible',
      message: 'The audio could not be transcribed.',
      param: null,
    };
    return [{ type: `${type}.failed`, ...place, error }];
  }
  const seconds = item.audioMs / 1000;
  const segment = { id: `seg_${item.id}`, speaker: 'A', start: 0, end: seconds, text: transcript };
  const certain = logprobs ? { logprobs: logprobsOf(transcript) } : {};
  const usage = transcriptionUsage(model, item.audioMs, transcript);
  return [
    ...(transcript ? [{ type: `${type}.delta`, ...place, delta: transcript, ...certain }] : []),
    ...(transcript && model.endsWith('-diarize') ? [{ type: `${type}.segment`, ...place, ...segment }] : []),
    { type: `${type}.completed`, ...place, transcript, ...certain, usage },
  ];
}

/** The simulator is always equally sure. */
const LOGPROB = -0.05;

const logprobsOf = (transcript: string): Record<string, unknown>[] =>
  (transcript.match(/\s*\S+/g) ?? []).map((token) => ({ token, logprob: LOGPROB, bytes: [...Buffer.from(token)] }));

// Priced by duration: gpt-transcribe and whisper; by tokens: the gpt-4o family.
function transcriptionUsage(model: string, audioMs: number, transcript: string): Record<string, unknown> {
  if (model === 'gpt-transcribe' || model.includes('whisper')) return { type: 'duration', seconds: audioMs / 1000 };
  const [input, output] = [callerTokens(audioMs), textTokens(transcript)];
  return {
    type: 'tokens',
    total_tokens: input + output,
    input_tokens: input,
    output_tokens: output,
    input_token_details: { audio_tokens: input, text_tokens: 0 },
  };
}
