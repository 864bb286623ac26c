// The transcript of a caller's turn: another model's work, so it comes when it comes, often after the answer has begun.
import type { SimulatedItem } from './conversation.ts';
import type { SessionConfig } from './session-config.ts';
import { callerTokens, textTokens } from './usage.ts';

/** The events that report `transcript` for a caller item; none when the session does not transcribe. */
export function transcriptionEvents(
  item: SimulatedItem,
  transcript: string,
  transcription: SessionConfig['audio']['input']['transcription'],
  fails: boolean,
): Record<string, unknown>[] {
  if (!transcription) return [];
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
  const usage = transcriptionUsage(transcription.model ?? '', item.audioMs, transcript);
  return [
    ...(transcript ? [{ type: `${type}.delta`, ...place, delta: transcript }] : []),
    { type: `${type}.completed`, ...place, transcript, usage },
  ];
}

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
