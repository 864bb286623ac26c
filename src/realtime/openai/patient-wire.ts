// Tries a wire again until it is open: with full jitter, no sooner than the server asks, and not where another try would
// end the same way. Once open it is a wire like any other. How long to go on trying is its session's affair.
import type { Cancel, Clock } from '../../clock.ts';
import type { Wire, WireClosed, WireEvents } from './connect.ts';

/**
 * May this endpoint be tried now, and what came of it. Asked once, and told once of a failure: the tries of one call must not
 * look like the failures of many.
 */
export interface Gate {
  /** False: it has failed so often that it is left alone for a while. */
  tryAcquire(): boolean;
  succeeded(): void;
  failed(detail: string): void;
}

export interface PatientOptions {
  clock: Clock;
  /** The first try is not made before so many milliseconds. Default 0. */
  afterMs?: number;
  /** Opens one wire. */
  connect(events: WireEvents): Wire;
  gate: Gate;
  /** From 0 to 1; default Math.random. */
  random?: () => number;
}

/** What a wire reports that is tried for until it is open. */
export interface PatientEvents extends WireEvents {
  /** An attempt failed and another follows. */
  delayed(why: WireClosed): void;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2_000;
/** A server that asks for more than this is not waited for: the caller would not. */
const LONGEST_ASKED_WAIT_MS = 6_000;
/** The socket is open and the server says nothing: it is not going to. */
const FIRST_WORD_MS = 2_500;

const LEFT_ALONE: WireClosed = { cause: 'unreachable', detail: 'left alone after too many failures', retry: false };

/** Opens a wire as soon as it can be had; `closed` comes once, when it is lost or no more tries make sense. */
export function patientWire(options: PatientOptions, events: PatientEvents): Wire {
  const { clock, gate } = options;
  let wire: Wire | null = null;
  let heard = false;
  let closing = false;
  let failures = 0;
  let waiting: Cancel = () => {};

  const over = (why: WireClosed): void => {
    waiting();
    events.closed(why);
  };

  const failed = (why: WireClosed): void => {
    if (failures === 0) gate.failed(why.detail);
    failures += 1;
    const jittered = (options.random ?? Math.random)() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
    const waitMs = Math.max(jittered, why.retryAfterMs ?? 0);
    if (closing || !why.retry || waitMs > LONGEST_ASKED_WAIT_MS) return over({ ...why, retry: closing });
    wire = null;
    waiting = clock.at(clock.nowMs() + waitMs, attempt);
    events.delayed(why);
  };

  function attempt(): void {
    if (failures === 0 && !gate.tryAcquire()) {
      // Never from inside: whoever opens this does not hold it yet.
      waiting = clock.at(clock.nowMs(), () => over(LEFT_ALONE));
      return;
    }
    let silent = false;
    let answering: Cancel = () => {};
    wire = options.connect({
      open() {
        events.open();
        answering = clock.at(clock.nowMs() + FIRST_WORD_MS, () => {
          silent = true;
          wire?.close();
        });
      },
      message(text) {
        if (!heard) {
          heard = true;
          answering();
          gate.succeeded();
        }
        events.message(text);
      },
      skipped: (why) => events.skipped(why),
      closed(why) {
        answering();
        if (heard || closing) over(why);
        else failed(silent ? { cause: 'unreachable', detail: 'open, but the server says nothing', retry: true } : why);
      },
    });
  }

  const { afterMs = 0 } = options;
  if (afterMs === 0) attempt();
  else waiting = clock.at(clock.nowMs() + afterMs, attempt);
  return {
    send: (message) => wire?.send(message),
    close() {
      closing = true;
      waiting();
      if (wire) wire.close();
      else over({ cause: 'unreachable', detail: 'given up', retry: true });
    },
  };
}
