// How a call ended: one reason from a small list, whose doing it was, and whether the call did what it was for.

/** Every way a call can end. Documented for operators in docs/end-reasons.md; never reused for another meaning. */
export type EndReason =
  /** The agent said goodbye, the caller heard it, and we ended the call. */
  | 'agent_goodbye'
  /** The caller was handed over to a person, who took the call. */
  | 'transferred'
  /** The caller hung up (or the carrier reported the call as over). */
  | 'caller_hung_up'
  /** The caller stayed silent after being asked, and heard a goodbye. */
  | 'caller_silent'
  /** The call reached its longest allowed duration and heard a wrap-up. */
  | 'max_duration'
  /** A budget of the call, the caller, the agent or the server is used up, and the caller heard a goodbye. */
  | 'budget_spent'
  /** We are shutting down and the drain time was over. */
  | 'drained'
  /** An operator ended the call. */
  | 'operator_ended'
  /** The model could not be reached in time. */
  | 'model_unreachable'
  /** The model refused the connection or the configuration. */
  | 'model_refused'
  /** The model's socket went away in the middle of the call. */
  | 'model_lost'
  /** The model owed an answer and made no sound for too long, or never reported the end of the caller's speech. */
  | 'model_stalled'
  /** The model's answers failed twice in a row, were empty three times, or only called tools too often. */
  | 'model_failed'
  /** The carrier never opened the media socket, or never started it. */
  | 'media_never_started'
  /** The media socket went away without a word. */
  | 'media_lost'
  /** The carrier broke its own protocol (garbage, flood, oversize). */
  | 'carrier_protocol'
  /** The carrier stopped reading what we sent. */
  | 'carrier_stopped_reading'
  /** A fault of ours. */
  | 'internal_error';

/** Whose doing an end was. */
export type EndedBy = 'agent' | 'caller' | 'operator' | 'model' | 'carrier' | 'us';

export interface Termination {
  reason: EndReason;
  by: EndedBy;
  result: 'success' | 'failure';
  /** Free text for engineers: a close code, an error code. Never caller data. */
  detail: string;
}

const FACTS: Record<EndReason, [EndedBy, Termination['result']]> = {
  agent_goodbye: ['agent', 'success'],
  transferred: ['agent', 'success'],
  caller_hung_up: ['caller', 'success'],
  caller_silent: ['caller', 'success'],
  max_duration: ['operator', 'success'],
  budget_spent: ['operator', 'success'],
  drained: ['operator', 'success'],
  operator_ended: ['operator', 'success'],
  model_unreachable: ['model', 'failure'],
  model_refused: ['model', 'failure'],
  model_lost: ['model', 'failure'],
  model_stalled: ['model', 'failure'],
  model_failed: ['model', 'failure'],
  media_never_started: ['carrier', 'failure'],
  media_lost: ['carrier', 'failure'],
  carrier_protocol: ['carrier', 'failure'],
  carrier_stopped_reading: ['carrier', 'failure'],
  internal_error: ['us', 'failure'],
};

/** Every reason, for metrics and docs. */
export const END_REASONS = Object.keys(FACTS) as EndReason[];

/** A termination by its reason; whose doing and result follow from the list. */
export function terminationOf(reason: EndReason, detail = ''): Termination {
  const [by, result] = FACTS[reason];
  return { reason, by, result, detail };
}
