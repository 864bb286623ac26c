// Follows one live call: whether it is under way, its state and transcript, and how it ended. A call that is not there may
// have moved (another process took it over after a restart): it is over only when its entry says so.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { z } from 'zod';
import type { LiveCall, liveCallEvents, LiveEntry, LiveSnapshot } from '../../dashboard/schemas/live.ts';
import { api, ApiError, useEvents } from '../api.ts';
import { heard, tellFacts, useLink } from './connection.ts';
import { mergeEntries } from './transcript.ts';
import { useVisible } from './visible.ts';

type Snapshot = z.infer<typeof liveCallEvents.snapshot>;

/** What the page needs of `GET /api/calls/:id`. */
export interface Ending {
  endedWallMs: number | null;
  reason: string | null;
  by: string | null;
}

export type LiveCallState =
  | { is: 'finding' }
  | { is: 'live' }
  /** It was under way, and is looked for: it may come back. */
  | { is: 'looking' }
  | { is: 'over'; ending: Ending | null }
  | { is: 'unknown' };

export interface LiveCallNow {
  state: LiveCallState;
  call: LiveCall | null;
  entries: readonly LiveEntry[];
  up: boolean;
}

/** How often a call is looked for, and how an end that is not written yet is asked for. Milliseconds. */
const LOOK_EVERY_MS = 2_000;
const ASK_END_MS = [0, 300, 1_000, 2_000, 4_000, 8_000];
/** After so much silence of the stream somebody asks whether it still tells the truth. Milliseconds. */
const SILENT_MS = 20_000;
const NO_ANSWER_MS = 5_000;

/** @param watched the stream stays open although the tab is not seen (somebody listens) */
export function useLiveCall(id: string, watched: boolean): LiveCallNow {
  const [state, setState] = useState<LiveCallState>({ is: 'finding' });
  const [call, setCall] = useState<LiveCall | null>(null);
  const [entries, setEntries] = useState<readonly LiveEntry[]>([]);
  const [round, setRound] = useState(0);
  const [silent, setSilent] = useState(false);
  const heardAt = useRef(Date.now());
  const visible = useVisible();

  const came = (): void => {
    heardAt.current = Date.now();
    heard();
    setSilent(false);
  };
  const open = state.is === 'live' && (visible || watched);
  const up = useEvents(
    open ? `/live/calls/${id}/events` : null,
    {
      snapshot(snapshot: Snapshot) {
        came();
        setCall(snapshot.call);
        setEntries(snapshot.entries);
      },
      changed(changed: Snapshot) {
        came();
        setCall(changed.call);
        if (changed.entries.length > 0) setEntries((before) => mergeEntries(before, changed.entries));
      },
      gone() {
        came();
        setState({ is: 'over', ending: null });
      },
    },
    round,
  );
  useLink('call', state.is !== 'live' || (up && !silent));

  // Looks for it: at first, and when the stream is down (a server that began anew may not have it, or not yet).
  const looking = state.is === 'finding' || state.is === 'looking' || (state.is === 'live' && (!up || silent));
  useEffect(() => {
    if (!looking) return undefined;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      const { server, calls } = await api<LiveSnapshot>('GET', '/live', undefined, abort.signal);
      tellFacts(server);
      const found = calls.find(({ callId }) => callId === id);
      if (found !== undefined) {
        setCall(found);
        setState((before) => (before.is === 'live' ? before : { is: 'live' }));
        return;
      }
      const ending = await endingOf(id, abort.signal);
      if (ending === null) setState({ is: 'unknown' });
      else if (ending.endedWallMs !== null) setState({ is: 'over', ending });
      else setState((before) => (before.is === 'looking' ? before : { is: 'looking' }));
    };
    const again = (): void => {
      look()
        .catch(() => {})
        .finally(() => {
          if (!abort.signal.aborted) timer = setTimeout(again, LOOK_EVERY_MS);
        });
    };
    // A stream that has just broken mostly comes back by itself.
    timer = setTimeout(again, state.is === 'live' ? LOOK_EVERY_MS : 0);
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [id, looking]);

  // Over: why is told as soon as it is written.
  const asks = state.is === 'over' && state.ending === null;
  useEffect(() => {
    if (!asks) return undefined;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = (at: number): void => {
      const waitMs = ASK_END_MS[at];
      if (waitMs === undefined) return;
      timer = setTimeout(() => {
        endingOf(id, abort.signal).then(
          (ending) => {
            if (ending !== null && ending.endedWallMs !== null) setState({ is: 'over', ending });
            else ask(at + 1);
          },
          () => ask(at + 1),
        );
      }, waitMs);
    };
    ask(0);
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [id, asks]);

  // A line can be dead without saying so; a call can be silent and well. After a while somebody asks.
  useEffect(() => {
    if (!open) return undefined;
    heardAt.current = Date.now();
    const abort = new AbortController();
    const timer = setInterval(() => {
      if (Date.now() - heardAt.current < SILENT_MS) return;
      heardAt.current = Date.now();
      const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(NO_ANSWER_MS)]);
      api<LiveSnapshot>('GET', '/live', undefined, signal).then(
        ({ calls }) => {
          const found = calls.find(({ callId }) => callId === id);
          setCall((now) => {
            // The server is further than the stream: the stream is opened anew.
            if (found?.stateSinceWallMs !== now?.stateSinceWallMs) setRound((n) => n + 1);
            return now;
          });
        },
        () => {
          if (abort.signal.aborted) return;
          setSilent(true);
          setRound((n) => n + 1);
        },
      );
    }, 1_000);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [id, open]);

  return { state, call, entries, up: up && !silent };
}

/** null: nobody knows that call. */
async function endingOf(id: string, signal: AbortSignal): Promise<Ending | null> {
  try {
    return await api<Ending>('GET', `/calls/${id}`, undefined, signal);
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 400)) return null;
    throw error;
  }
}
