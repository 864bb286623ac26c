// The captions of browser phones, out of what operators watch: the same lines, told to the phone of that very call.
import type { LiveCalls } from '../live/live-calls.ts';
import type { LiveEntry } from '../schemas/live.ts';
import type { Captions } from './browser-captions.ts';

/** Calls that another process has let in have no captions here. */
export const liveCaptions =
  (live: Pick<LiveCalls, 'followCall'>): Captions =>
  (callId, tell, gone) => {
    const followed = live.followCall(callId, ({ event, data }) => {
      if (event === 'gone') return gone();
      const { entries } = data as { entries?: readonly LiveEntry[] };
      return entries === undefined || entries.length === 0 ? undefined : tell(entries);
    });
    return typeof followed === 'string' ? null : () => followed.close();
  };
