// What a person does whom the server calls: whether they answer, which keys they press while they are asked, how long they
// talk. Plain data; person-call.ts performs it.

export interface PersonScript {
  /** Default yes. `no_answer` rings as long as the call may. */
  answers?: 'yes' | 'busy' | 'no_answer' | 'failed';
  /** How long it rings before that. Default 2 s; more than the call's `Timeout` is no answer. */
  ringMs?: number;
  /**
   * Keys for the Gathers that this person meets: the nth of a text, or the nth entry of a list, which may be several, for the
   * nth Gather. Where there are none left nothing is pressed. Default: never any, as a mailbox does.
   */
  presses?: string | readonly string[];
  /** From the beginning of a Gather to its keys. Default 1 s. */
  pressAfterMs?: number;
  /** `during_whisper`: so long after having answered. `after_key`: so long after the first key. Default: neither. */
  hangsUp?: 'during_whisper' | 'after_key';
  /** Default 500 ms. */
  hangsUpAfterMs?: number;
  /** From being in a conference with somebody to hanging up. Default 10 s; Infinity stays until the others are gone. */
  talkMs?: number;
}

/** Who answers when this number is called. */
export type People = (to: string) => PersonScript;
