// Whether a media socket still lives. A network that fails without a word leaves it open for minutes, and a carrier that
// no longer reads looks well until the buffers are full: both are found here by what does not come.
import type { Cancel, Clock } from '../../clock.ts';

export interface LivenessOptions {
  clock: Clock;
  /** When anything last came from the other side. */
  heardAtMs: () => number;
  /** How long marks have been waiting since the last of them came back; 0 while none is out. */
  marksWaitMs: () => number;
  ping: () => void;
  /** Called once; nothing is watched after that. */
  dead: (cause: 'socket_lost' | 'stopped_reading', detail: string) => void;
}

/** Twilio sends 50 messages a second, also of silence; with a muted SIP caller it may pause. Then the socket is asked. */
const SILENT_MS = 1_500;
/** Every WebSocket answers a ping (RFC 6455 5.5.2). A call that is resumed in vain for a network's bad moment loses little. */
const PONG_WITHIN_MS = 1_500;
/** At most a second of audio lies between two marks: when none comes for so long, nobody reads. */
const MARK_WITHIN_MS = 2_500;

/** Watches until it is cancelled or the socket is found dead. Owns one timer. */
export function watchLiveness({ clock, heardAtMs, marksWaitMs, ping, dead }: LivenessOptions): Cancel {
  let pingedAtMs = Number.NEGATIVE_INFINITY;
  let cancel: Cancel;

  const lookAt = (atMs: number): void => {
    cancel = clock.at(atMs, () => look(false));
  };

  /** @param sure what lay ready when the time was over has been read */
  function look(sure: boolean): void {
    const nowMs = clock.nowMs();
    const heardMs = heardAtMs();
    if (nowMs < heardMs + SILENT_MS) {
      const marksMs = marksWaitMs();
      // A mark that goes out later is due later still.
      if (marksMs < MARK_WITHIN_MS) return lookAt(Math.min(heardMs + SILENT_MS, nowMs + MARK_WITHIN_MS - marksMs));
      if (sure) return dead('stopped_reading', `no mark came back for ${MARK_WITHIN_MS} ms`);
    } else if (pingedAtMs <= heardMs) {
      pingedAtMs = nowMs;
      ping();
      return lookAt(nowMs + PONG_WITHIN_MS);
    } else if (nowMs < pingedAtMs + PONG_WITHIN_MS) {
      // The timer may come early by the rounding of a millisecond.
      return lookAt(pingedAtMs + PONG_WITHIN_MS);
    } else if (sure) {
      return dead('socket_lost', `nothing came for ${Math.round(nowMs - heardMs)} ms, not even a pong`);
    }
    // After a process that stood still the answer lies ready, and is heard of before the next turn's timers.
    cancel = clock.at(nowMs, () => look(true));
  }

  lookAt(heardAtMs() + SILENT_MS);
  return () => cancel();
}
