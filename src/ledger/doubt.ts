// Why a line of a bill is doubted, by name, and in words for people.
import type { UsageDoubt } from '../realtime/session.ts';

export type Doubt =
  | UsageDoubt
  /** The seller did not say what was used. */
  | 'usage_missing'
  /** The session went away in the middle. */
  | 'session_lost'
  /** The carrier keeps the leg after us: forwarded, to its voicemail, or for a last sentence. */
  | 'leg_goes_on'
  /** A leg that the carrier opened for us, and of which we are told nothing. */
  | 'leg_unseen'
  /** Our process died with the call: the carrier may have gone on for a while. */
  | 'process_died'
  /** The run did not end well: whether it is billed is not known. */
  | 'tool_failed'
  | 'tool_timed_out'
  | 'tool_aborted';

const WORDS: Record<Doubt, string> = {
  absurd_count: 'a reported count is none; it counts as nothing, or as what was heard',
  cached_exceeds_input: 'more was reported as cached than went in; all of it counts as cached',
  cached_split_unknown: 'the report does not say what was cached; text is taken first',
  details_missing: 'the report does not say what was text and what was audio',
  unknown_answer: 'the report is for an answer that nobody knows',
  usage_missing: 'nothing was reported; what was heard is counted',
  session_lost: 'the session went away in the middle; what was heard is counted',
  leg_goes_on: 'the carrier keeps the leg after us',
  leg_unseen: 'the carrier opened this leg; how long it lasts is not known',
  process_died: 'our process died; counted up to what it wrote down last, the carrier may have gone on',
  tool_failed: 'the tool failed; it may not be billed',
  tool_timed_out: 'the tool did not answer in time; it may not be billed',
  tool_aborted: 'the call ended before the tool answered; it may not be billed',
};

/** A line's doubt in words; one that is not known by its own name. */
export const doubtText = (doubt: string): string =>
  Object.hasOwn(WORDS, doubt) ? WORDS[doubt as Doubt] : doubt.replaceAll('_', ' ');
