// What the API's error codes mean to a call. Most are recoverable: the session stays open.

/** Refusals of something that no longer mattered: races between us and the server, never a reason to act. */
const BENIGN = new Set([
  'conversation_already_has_active_response',
  'response_cancel_not_active',
  'input_audio_buffer_commit_empty',
  'unsupported_content_type',
  'item_not_found',
]);

/** Refused truncations have come with different codes, and with none: their text tells. */
const REFUSED_TRUNCATION = /already shorter than|Only model output audio messages can be truncated/;

/** True for refusals that every correct client meets now and then. */
export const isBenign = (code: string, detail: string): boolean => BENIGN.has(code) || REFUSED_TRUNCATION.test(detail);

/** True when another session would be refused the same way. */
export const isFinal = (code: string): boolean => code === 'invalid_api_key' || code === 'insufficient_quota';

/** True when the session cannot go on. */
export const isSessionOver = (code: string): boolean => code === 'session_expired' || isFinal(code);
