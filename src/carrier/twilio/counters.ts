// What the Twilio edge counts: refusals, media messages, webhook answers. The metrics folder brings the real one.

/** Counts by small closed words only, so that a metric never has more labels than this folder has names. */
export interface TwilioCounters {
  /** A request or socket not served: `kind` is `webhook` or `media`. */
  refused(kind: string, reason: string): void;
  /** A media message, by its kind; `in` is from Twilio. Called per frame: must be cheap. */
  message(direction: 'in' | 'out', kind: string): void;
  /** A webhook answered, by route and HTTP status. */
  webhook(route: string, status: number): void;
  /**
   * An order by REST came to its end: `redirect` and `hang_up` `done`, `gone` or `failed`; `call` `placed` and `message`
   * `sent`, or either `refused` or `unknown`.
   */
  ordered(order: string, outcome: string): void;
}

/** Counts nothing. */
export const noCounters: TwilioCounters = { refused() {}, message() {}, webhook() {}, ordered() {} };
