// The sweep of the real server: what outlives its call is named in the log, counted, and let go of.
import { expect, test } from 'vitest';
import { type Clock, realClock } from '../../src/clock.ts';
import { startE2e, within } from '../support/e2e.ts';

/** How long an onlooker may take at the end of its call: the timer that gets lost here. */
const FINISH_WITHIN_MS = 5_000;
const SWEEP_MS = 60_000;
/** An ended call that is still listed after this is stuck. */
const LONG_AGO_MS = 11_000;

/** The real clock, but for timers of one length, which get lost, and the sweep's, which fires when told. */
function leakyClock() {
  let armed: (() => void) | null = null;
  let sweeping = false;
  const isAbout = (inMs: number, wanted: number): boolean => inMs <= wanted && inMs > wanted - 50;
  const clock: Clock = {
    ...realClock,
    nowMs: () => realClock.nowMs() + (sweeping ? LONG_AGO_MS : 0),
    at(atMs, fire) {
      const inMs = atMs - clock.nowMs();
      if (sweeping || (armed === null && isAbout(inMs, SWEEP_MS))) {
        armed = fire;
        return () => {};
      }
      return isAbout(inMs, FINISH_WITHIN_MS) ? () => {} : realClock.at(atMs, fire);
    },
  };
  return {
    clock,
    sweep: () => {
      sweeping = true;
      armed?.();
      sweeping = false;
    },
  };
}

test('a call that ended and is still listed is found, told and counted, and its place is free', {
  timeout: 20_000,
}, async () => {
  const { clock, sweep } = leakyClock();
  const finishing: string[] = [];
  const e2e = await startE2e({
    clock,
    onlookers: [
      ({ opening: { callId } }) => ({
        closed() {
          finishing.push(callId);
          return finishing.length === 1 ? new Promise(() => {}) : undefined;
        },
      }),
    ],
  });
  try {
    const [stuck, sound] = [e2e.call(), e2e.call()];
    await Promise.all([stuck.once('firstAudio'), sound.once('firstAudio')]);
    sweep();
    expect(await e2e.metric('trunkline_leftovers_total')).toBe(0);
    stuck.hangUp();
    await stuck.ended;
    await within(5_000, 'the end of the call', e2e.record(stuck.callSid));
    expect(e2e.server.calls.live).toBe(2);

    sweep();
    expect(e2e.server.calls.live).toBe(1);
    expect(await e2e.metric('trunkline_leftovers_total', { kind: 'call' })).toBe(1);
    expect(e2e.logLines.filter(({ msg }) => msg === 'left over from a call that is gone')).toEqual([
      expect.objectContaining({ level: 'error', kind: 'call', callId: e2e.callId(stuck.callSid) }),
    ]);
    // Nothing more of it is there, and the other call has lost nothing.
    for (let look = 0; look < 3; look++) sweep();
    expect(await e2e.metric('trunkline_leftovers_total')).toBe(1);
    sound.hangUp();
    await sound.ended;
    await within(5_000, 'the end of the call', e2e.record(sound.callSid));
  } finally {
    await e2e.abandon();
  }
});
