// The words that a metric's labels may hold. What is not listed counts as `other`, so that nothing from outside can make
// a new time series, and nothing a caller said or dialled can become one.
import type { RefusalReason } from '../call/admission.ts';
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
  transferred: false,
  caller_hung_up: false,
  caller_silent: true,
  max_duration: true,
  budget_spent: false,
  drained: false,
  operator_ended: false,
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

/** Complete by type: a new reason does not compile without its line here. */
const REFUSALS: Record<RefusalReason, true> = {
  no_agent: true,
  draining: true,
  caller_denied: true,
  caller_not_allowed: true,
  attestation_low: true,
  overloaded: true,
  journal_full: true,
  model_circuit_open: true,
  model_throttled: true,
  calls_per_second: true,
  caller_rate: true,
  caller_at_once: true,
  agent_full: true,
  full: true,
  call_budget: true,
  caller_budget: true,
  agent_budget: true,
  total_budget: true,
};

/** Why a call was not let in. */
export const rejections = new Words(Object.keys(REFUSALS));

/** What was not served at the carrier's edge, and why. */
export const refusalKinds = words('webhook media');
export const refusalReasons = words(`
  signature_missing signature_wrong account replayed too_many_fields bad_webhook too_large content_type
  bad_request token_unknown token_foreign token_expired token_used socket_lost protocol_violation
  never_started stopped_reading
`);

/** What a carrier was asked to do beside the media, and what became of it. */
export const orders = words('redirect hang_up call message');
export const orderOutcomes = words('done gone failed placed sent refused unknown');

/** What the call core ignored (`note.ignored`). */
export const ignored = words(`
  key_too_many stale_origin frame_repeated audio_of_no_utterance shelf_full mark_unknown tool_called_twice tool_settled_twice
  operator_refused
`);

/** How tool calls end (`ToolStatus`). */
export const toolStatuses = words('ok unconfirmed failed timed_out invalid unknown refused unavailable aborted');

/** How far a hand-over to a person got (`note.transfer`). */
export const transferStages = words('begun taken missed revoked');

/** What went wrong in a call and what was done about it. */
export const troubles = words(`
  session_delayed session_lost session_opened fallback_opened session_took_over caller_held leg_lost caller_asked_back
  caller_resumed
`);

/** What is kept of a call, and why it is not whole. */
export const files = words('tape recording record');
export const incompleteBecause = words('failed size');

/** What the quality of a call loses points for (`QUALITY_PARTS` of the record). */
export const qualityParts = words(`
  unfinished dead_air lost_session lost_media first_word answer_time failed_answer underrun caller_audio late_audio
  talk_over barge_in
`);

/** What can outlive its call (`HeldKind`). */
export const heldKinds = words('call model_session media_socket timer media_token');

/** What can be passed on to another process of ours. */
export const passed = words('voice next status media');

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
  message_malformed message_unknown message_binary message_oversize too_many_calls
  request_dropped answer_dropped
`);

/** HTTP routes of carriers, without their queries. */
export const webhookRoutes = words('/voice /voice/next /voice/status /media/:token');
