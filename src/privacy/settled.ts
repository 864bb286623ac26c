// When a call is over, as far as what is kept of it goes: nothing of it is written any more.
/** A call that ended is left alone for a while: its files may still be written, and its caller may leave a message. */
export const SETTLED_AFTER_MS = 10 * 60_000;

/** Nobody talks that long: four hours are the most that a carrier lets a call live. */
export const LONGEST_CALL_MS = 5 * 3_600_000;
