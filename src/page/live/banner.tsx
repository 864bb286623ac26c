// What the reader must know wherever they are: the server is not there, or it takes no new calls. It lies over the lower edge,
// so that nothing moves when it comes and goes.
import { useEffect } from 'preact/hooks';
import type { LiveSnapshot } from '../../dashboard/schemas/live.ts';
import { api, ApiError } from '../api.ts';
import { number, timeOfDay } from '../format.ts';
import './banner.css';
import { tellFacts, tellLink, useConnection } from './connection.ts';
import { useVisible } from './visible.ts';

/** Views without a stream of their own ask so often how the server is; while it is away, so often. */
const ASK_EVERY_MS = 30_000;
const ASK_AGAIN_MS = 2_000;

/** @param asks this view has no stream: the server is asked now and then */
export function ConnectionBanner({ asks }: { asks: boolean }) {
  const { down, heardAtMs, facts } = useConnection();
  useAsking(asks);
  return (
    <div class="live-banners" role="status">
      {down && (
        <p class="notice bad">
          <strong>Not connected.</strong> The server may be restarting
          {heardAtMs > 0 && <>; showing what was known at {timeOfDay(heardAtMs)}</>}. This goes away by itself.
        </p>
      )}
      {!down && facts?.draining === true && (
        <p class="notice warn">
          <strong>Draining.</strong> The server takes no new calls and stops
          {facts.live === 0 ? ' now' : ` when the last of ${number(facts.live)} has ended`}.
        </p>
      )}
    </div>
  );
}

function useAsking(asks: boolean): void {
  const visible = useVisible();
  useEffect(() => {
    if (!asks || !visible) return undefined;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = (): void => {
      api<LiveSnapshot>('GET', '/live', undefined, abort.signal).then(
        ({ server }) => {
          tellLink('frame', true);
          tellFacts(server);
          timer = setTimeout(ask, ASK_EVERY_MS);
        },
        (error: unknown) => {
          if (abort.signal.aborted) return;
          const away = error instanceof ApiError && error.status === 0;
          tellLink('frame', !away);
          timer = setTimeout(ask, away ? ASK_AGAIN_MS : ASK_EVERY_MS);
        },
      );
    };
    ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
      tellLink('frame', null);
    };
  }, [asks, visible]);
}
