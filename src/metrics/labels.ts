// The words that a metric's labels may hold. What is not listed counts as `other`, so that nothing from outside can make
// a new time series, and nothing a caller said or dialled can become one.
import type { EndReason } from '../call/termination.ts';

export const OTHER = 'other';

/** A closed list of words. */
export class Words {
  readonly all: readonly string[];
  readonly #known: ReadonlySet<string>;

  constructor(words: readonly string[]) {
    this.#known = new Set([...words, OTHER]);
    this.all = [...this.#known];
  }

  /** The word itself when it is listed, else `other`. */
  of(word: string): string {
    return this.#known.has(word) ? word : OTHER;
  }
}

const words = (text: string): Words => new Words(text.trim().split(/\s+/));

/** Complete by type: a new end reason does not compile without its line here. True: a deadline of ours ended the call. */
const END_REASONS: Record<EndReason, boolean> = {
  agent_goodbye: false,
  caller_hung_up: false,
  caller_silent: true,
  max_duration: true,
  drained: false,
  model_unreachable: false,
  model_refused: false,
  model_lost: false,
  model_stalled: true,
  model_failed: false,
  media_never_started: true,
  media_lost: false,
  carrier_protocol: false,
  carrier_stopped_reading: false,
  internal_error: false,
};

export const endReasons = new Words(Object.keys(END_REASONS));
export const timeouts = new Words(Object.entries(END_REASONS).flatMap(([reason, timed]) => (timed ? [reason] : [])));
export const isTimeout = (reason: EndReason): boolean => END_REASONS[reason];

/** Why a call was not let in (`RefusalReason`). */
export const rejections = words('draining full no_agent');

/** What was not served at the carrier's edge, and why. */
export const refusalKinds = words('webhook media');
export const refusalReasons = words(`
  signature_missing signature_wrong account replayed too_many_fields bad_webhook too_large content_type
  bad_request token_unknown token_foreign token_expired token_used caller_hung_up socket_lost protocol_violation
  never_started stopped_reading
`);

/** Message kinds of a media stream. */
export const carrierKinds = words(
  'connected start media dtmf mark clear stop unknown malformed unknown_mark misplaced binary',
);

/** Messages from the model, by the adapter's own names for them. */
export const modelKindsIn = words(`
  session.created session.updated speech_started speech_stopped committed item_known transcribed
  response.created message_added call_added audio text item_done response.done error message_malformed
  message_unknown message_binary message_oversize
`);

/** Messages to the model; `audio` is caller audio. */
export const modelKindsOut = words(`
  session.update audio input_audio_buffer.commit response.create response.cancel conversation.item.create
  conversation.item.truncate conversation.item.delete
`);

/** Error codes of the model side; providers' own codes are many and change. */
export const modelErrors = words(`
  conversation_already_has_active_response response_cancel_not_active input_audio_buffer_commit_empty
  unsupported_content_type item_not_found invalid_value cannot_update_voice unknown_parameter session_expired
  rate_limit_exceeded insufficient_quota invalid_api_key server_error late_audio event_repeated
  message_malformed message_unknown
`);

/** HTTP routes of carriers, without their queries. */
export const webhookRoutes = words('/voice /voice/next /voice/status /media/:token');
