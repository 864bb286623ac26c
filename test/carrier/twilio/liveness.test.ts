// Finding a dead media socket by what does not come, in a time of its own.
import { expect, test } from 'vitest';
import { watchLiveness } from '../../../src/carrier/twilio/liveness.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** A socket that is watched; `heard` and `marksWaitMs` are the test's to move. */
function watched() {
  const clock = new FakeClock();
  const socket = { heardAtMs: 0, marksWaitMs: 0, pings: [] as number[], dead: [] as string[] };
  const cancel = watchLiveness({
    clock,
    heardAtMs: () => socket.heardAtMs,
    marksWaitMs: () => socket.marksWaitMs,
    ping: () => void socket.pings.push(clock.nowMs()),
    dead: (cause, detail) => void socket.dead.push(`${clock.nowMs()} ${cause}: ${detail}`),
  });
  return { clock, socket, cancel };
}

test('a socket on which something comes is left alone', () => {
  const { clock, socket } = watched();
  for (let i = 0; i < 600; i++) {
    clock.advance(100);
    socket.heardAtMs = clock.nowMs();
  }
  expect(socket).toMatchObject({ pings: [], dead: [] });
  expect(clock.pending).toBe(1);
});

test('one that is silent is asked, and lives on while it answers', () => {
  const { clock, socket } = watched();
  for (let i = 0; i < 10; i++) {
    clock.advance(1_500);
    // The pong, a tenth of a second later.
    clock.advance(100);
    socket.heardAtMs = clock.nowMs();
  }
  expect(socket.pings).toHaveLength(10);
  expect(socket.dead).toEqual([]);
});

test('one that does not answer is lost three seconds after the last that came', () => {
  const { clock, socket } = watched();
  clock.advance(20);
  socket.heardAtMs = clock.nowMs();
  clock.advance(60_000);
  expect(socket.pings).toEqual([1_520]);
  expect(socket.dead).toEqual(['3020 socket_lost: nothing came for 3000 ms, not even a pong']);
  expect(clock.pending).toBe(0);
});

test('an answer to the last ping does not count for the next silence', () => {
  const { clock, socket } = watched();
  clock.advance(2_000);
  socket.heardAtMs = 2_000;
  clock.advance(60_000);
  expect(socket.pings).toEqual([1_500, 3_500]);
  expect(socket.dead).toHaveLength(1);
});

test('one whose marks do not come back has stopped reading, however much it sends', () => {
  const { clock, socket } = watched();
  for (let i = 0; i < 300 && socket.dead.length === 0; i++) {
    clock.advance(100);
    socket.heardAtMs = clock.nowMs();
    socket.marksWaitMs = clock.nowMs();
  }
  expect(socket.dead[0]).toMatch(/^(2[5-9]|3[0-9])\d{2} stopped_reading: /);
  expect(clock.pending).toBe(0);
});

test('what lies ready when the process goes on after it stood still is heard before anything is judged', () => {
  const pong = watched();
  pong.clock.advance(1_500);
  // Behind the timer that looks, as a socket is read in each turn of the event loop.
  pong.clock.at(3_000, () => {
    pong.socket.heardAtMs = 3_000;
  });
  pong.clock.advance(1_500);
  expect(pong.socket).toMatchObject({ pings: [1_500], dead: [] });
  expect(pong.clock.pending).toBe(1);

  const mark = watched();
  const speaks = (): void => void (mark.socket.heardAtMs = mark.clock.nowMs());
  for (const ms of [1_000, 2_000]) mark.clock.at(ms, speaks);
  mark.clock.advance(2_400);
  mark.socket.marksWaitMs = 2_600;
  mark.clock.at(2_500, speaks);
  mark.clock.at(2_500, () => {
    mark.socket.marksWaitMs = 0;
  });
  mark.clock.advance(200);
  expect(mark.socket.dead).toEqual([]);
  expect(mark.clock.pending).toBe(1);
});

test('cancelled, it looks no more', () => {
  const { clock, socket, cancel } = watched();
  cancel();
  clock.advance(60_000);
  expect(socket).toMatchObject({ pings: [], dead: [] });
  expect(clock.pending).toBe(0);
});
