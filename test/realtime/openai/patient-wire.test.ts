// A wire that is tried for until it is open: how long between two tries, what is not tried again, and who is told of what.
import { describe, expect, test } from 'vitest';
import { Circuit } from '../../../src/realtime/circuit.ts';
import { retryAfter, type WireClosed, type WireEvents } from '../../../src/realtime/openai/connect.ts';
import { type Gate, patientWire } from '../../../src/realtime/openai/patient-wire.ts';
import { OpenAiSession } from '../../../src/realtime/openai/session.ts';
import type { RealtimeEvent } from '../../../src/realtime/session.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const OVERLOADED: WireClosed = { cause: 'refused', detail: 'HTTP 503: overloaded', retry: true };
const KEY_REFUSED: WireClosed = { cause: 'refused', detail: 'HTTP 401: the API key is not valid', retry: false };
const BROKEN: WireClosed = { cause: 'lost', detail: '1006: the connection broke without a word', retry: true };

/** One attempt, whose socket the test plays. */
interface Attempt {
  atMs: number;
  events: WireEvents;
  sent: string[];
  closed: boolean;
}

class Trial {
  readonly clock = new FakeClock();
  readonly attempts: Attempt[] = [];
  readonly told: string[] = [];
  readonly closures: WireClosed[] = [];
  readonly gateHeard: string[] = [];
  readonly wire;
  gateOpen = true;

  constructor(random: () => number = () => 1, gate?: Gate) {
    const { clock } = this;
    const watched: Gate = {
      tryAcquire: () => this.gateOpen,
      succeeded: () => void this.gateHeard.push('succeeded'),
      failed: (detail) => void this.gateHeard.push(`failed ${detail}`),
    };
    this.wire = patientWire(
      {
        clock,
        random,
        gate: gate ?? watched,
        connect: (events) => {
          const attempt: Attempt = { atMs: clock.nowMs(), events, sent: [], closed: false };
          this.attempts.push(attempt);
          return {
            send: (message) => void attempt.sent.push(String(message)),
            // A socket says that it is closed in a later turn of the loop, and only once.
            close: () => {
              if (attempt.closed) return;
              attempt.closed = true;
              clock.at(clock.nowMs(), () => events.closed({ cause: 'lost', detail: '1000', retry: true }));
            },
          };
        },
      },
      {
        open: () => void this.told.push('open'),
        message: (text) => void this.told.push(text),
        skipped: (why) => void this.told.push(`skipped ${why}`),
        delayed: ({ detail }) => void this.told.push(`delayed ${detail}`),
        closed: (why) => void this.closures.push(why),
      },
    );
  }

  get latest(): Attempt {
    return this.attempts.at(-1) as Attempt;
  }

  /** The latest attempt fails like this, and whatever follows in so much time happens. */
  fail(why: WireClosed, thenMs = 0): void {
    this.latest.events.closed(why);
    this.clock.advance(thenMs);
  }
}

describe('the wait between two tries', () => {
  test('grows to two seconds, with full jitter', () => {
    const slowest = new Trial(() => 1);
    for (let i = 0; i < 5; i++) slowest.fail(OVERLOADED, 2_000);
    const waits = slowest.attempts.slice(1).map(({ atMs }, i) => atMs - i * 2_000);
    expect(waits).toEqual([500, 1_000, 2_000, 2_000, 2_000]);

    const quickest = new Trial(() => 0);
    for (let i = 0; i < 3; i++) quickest.fail(OVERLOADED);
    expect(quickest.attempts.map(({ atMs }) => atMs)).toEqual([0, 0, 0, 0]);
  });

  test('differs from one wire to the next by the whole of its length', () => {
    const firstWaits = [0.1, 0.5, 0.9].map((share) => {
      const trial = new Trial(() => share);
      trial.fail(OVERLOADED, 2_000);
      return trial.latest.atMs;
    });
    expect(firstWaits).toEqual([50, 250, 450]);
  });

  test('is no shorter than the server asks', () => {
    const trial = new Trial(() => 0);
    trial.fail({ ...OVERLOADED, retryAfterMs: 3_000 }, 2_990);
    expect(trial.attempts).toHaveLength(1);
    trial.clock.advance(10);
    expect(trial.attempts).toHaveLength(2);
    // The next answer asks for nothing: back to the jitter.
    trial.fail(OVERLOADED);
    expect(trial.attempts).toHaveLength(3);
  });

  test('is not waited where the server asks for more than six seconds', () => {
    const trial = new Trial(() => 0);
    trial.fail({ ...OVERLOADED, retryAfterMs: 6_001 }, 60_000);
    expect(trial.attempts).toHaveLength(1);
    expect(trial.closures).toMatchObject([{ detail: OVERLOADED.detail, retry: false }]);
    expect(trial.clock.pending).toBe(0);

    const atMost = new Trial(() => 0);
    atMost.fail({ ...OVERLOADED, retryAfterMs: 6_000 }, 6_000);
    expect(atMost.attempts).toHaveLength(2);
  });
});

test('Retry-After is read as seconds or as a date', () => {
  const wallMs = Date.UTC(2026, 10, 21, 9, 0, 0);
  expect(retryAfter('2', wallMs)).toBe(2_000);
  expect(retryAfter(' 0 ', wallMs)).toBe(0);
  expect(retryAfter('Sat, 21 Nov 2026 09:00:04 GMT', wallMs)).toBe(4_000);
  // A date that has passed asks for nothing; neither does nonsense.
  expect(retryAfter('Sat, 21 Nov 2026 08:59:00 GMT', wallMs)).toBe(0);
  expect(retryAfter('soon', wallMs)).toBeUndefined();
  expect(retryAfter('', wallMs)).toBeUndefined();
  expect(retryAfter(undefined, wallMs)).toBeUndefined();
});

describe('what is final', () => {
  test.for(['HTTP 401: the API key is not valid', 'HTTP 403: may not'])('%s is not tried again', (detail) => {
    const trial = new Trial();
    trial.fail({ ...KEY_REFUSED, detail }, 60_000);
    expect(trial.attempts).toHaveLength(1);
    expect(trial.told).toEqual([]);
    expect(trial.closures).toEqual([{ cause: 'refused', detail, retry: false }]);
    expect(trial.clock.pending).toBe(0);
  });

  test('a loss after the first word is reported, not tried again: the session is another one', () => {
    const trial = new Trial();
    trial.latest.events.open();
    trial.latest.events.message('{"type":"session.created"}');
    trial.fail(BROKEN, 60_000);
    expect(trial.attempts).toHaveLength(1);
    expect(trial.closures).toEqual([BROKEN]);
    // The endpoint answered: a broken connection says nothing of its health.
    expect(trial.gateHeard).toEqual(['succeeded']);
  });
});

describe('a socket that opens and says nothing', () => {
  test('is given up after 2.5 s, and another is tried', () => {
    const trial = new Trial(() => 0);
    trial.latest.events.open();
    trial.clock.advance(2_499);
    expect(trial.latest.closed).toBe(false);
    trial.clock.advance(1);
    expect(trial.attempts.map(({ closed }) => closed)).toEqual([true, false]);
    expect(trial.told).toEqual(['open', 'delayed open, but the server says nothing']);
    expect(trial.gateHeard).toEqual(['failed open, but the server says nothing']);
  });

  test('is kept once it has said a word', () => {
    const trial = new Trial();
    trial.latest.events.open();
    trial.clock.advance(2_400);
    trial.latest.events.message('{}');
    trial.clock.advance(60_000);
    expect([trial.attempts.length, trial.latest.closed, trial.clock.pending]).toEqual([1, false, 0]);
  });
});

describe('the gate', () => {
  test('is asked once, hears of the first failure and of the first word', () => {
    const trial = new Trial(() => 0);
    trial.fail(OVERLOADED);
    trial.gateOpen = false;
    trial.fail(OVERLOADED);
    trial.latest.events.open();
    trial.latest.events.message('1');
    trial.latest.events.message('2');
    expect(trial.gateHeard).toEqual([`failed ${OVERLOADED.detail}`, 'succeeded']);
    const delayed = `delayed ${OVERLOADED.detail}`;
    expect(trial.told).toEqual([delayed, delayed, 'open', '1', '2']);
  });

  test('closed before the first try: no socket is opened, and the session learns so in a later turn', () => {
    const circuit = new Circuit({ clock: new FakeClock(), random: () => 0.5 });
    for (let i = 0; i < 5; i++) circuit.failed('HTTP 503');
    const trial = new Trial(() => 0, circuit);
    expect([trial.attempts.length, trial.closures.length]).toEqual([0, 0]);
    trial.clock.advance(0);
    expect(trial.closures).toMatchObject([{ cause: 'unreachable', retry: false }]);
  });

  test('closed before the first try is a lost session, not a throw inside the session that opens', () => {
    const events: RealtimeEvent[] = [];
    const faults: unknown[] = [];
    let released = 0;
    const clock = new FakeClock();
    const gate: Gate = { tryAcquire: () => false, succeeded: () => {}, failed: () => {} };
    new OpenAiSession({
      session: 's2',
      config: { session: {}, model: 'm', transcriptionModel: '', serverInterrupts: true, serverAnswers: true },
      capabilities: { answersTurns: true, detectsTurns: true },
      clock,
      readyWithinMs: 8_000,
      connect: (wire) => patientWire({ clock, gate, connect: () => ({ send: () => {}, close: () => {} }) }, wire),
      listener: {
        received: () => {},
        sent: () => {},
        emit: (event) => void events.push(event),
        released: () => void (released += 1),
        fault: (error) => void faults.push(error),
      },
    });
    // Not inside the constructor: its call does not know the session yet.
    expect([events.length, released]).toEqual([0, 0]);
    clock.advance(10);
    expect(events).toMatchObject([{ type: 'session.closed', cause: 'unreachable' }]);
    expect([released, faults]).toEqual([1, []]);
  });

  test('is closed by five calls that fail in a row, not by the tries of one', () => {
    const circuit = new Circuit({ clock: new FakeClock(), random: () => 0.5 });
    const first = new Trial(() => 0, circuit);
    for (let i = 0; i < 8; i++) first.fail(OVERLOADED);
    expect(circuit.state).toBe('closed');
    for (let i = 0; i < 4; i++) new Trial(() => 0, circuit).fail(OVERLOADED);
    expect(circuit.state).toBe('open');
  });

  test('is not closed to a wire by its own tries: it goes on as long as its session keeps it', () => {
    const trial = new Trial(() => 0.1, new Circuit({ clock: new FakeClock(), random: () => 0.5 }));
    // Short waits of full jitter: more tries than the circuit lets fail.
    while (trial.clock.nowMs() < 3_000) trial.fail(OVERLOADED, 200);
    expect(trial.attempts.length).toBeGreaterThan(5);
    expect(trial.closures).toEqual([]);
    trial.latest.events.open();
    trial.latest.events.message('{}');
    expect(trial.told.slice(-2)).toEqual(['open', '{}']);
  });
});

describe('closed by its session', () => {
  test('while it waits for the next try: nothing follows', () => {
    const trial = new Trial();
    trial.fail(OVERLOADED);
    trial.wire.close();
    trial.clock.advance(60_000);
    expect(trial.attempts).toHaveLength(1);
    expect(trial.closures).toHaveLength(1);
    expect(trial.clock.pending).toBe(0);
  });

  test('while it connects: the socket is closed, its end is no failure, and no try follows', () => {
    const trial = new Trial();
    trial.wire.close();
    trial.clock.advance(60_000);
    expect(trial.attempts.map(({ closed }) => closed)).toEqual([true]);
    expect(trial.closures).toHaveLength(1);
    expect(trial.gateHeard).toEqual([]);
  });

  test('while it talks, and twice: closed once', () => {
    const trial = new Trial();
    trial.latest.events.open();
    trial.latest.events.message('1');
    trial.wire.close();
    trial.wire.close();
    trial.clock.advance(60_000);
    expect(trial.closures).toHaveLength(1);
    expect(trial.clock.pending).toBe(0);
  });
});

test('what is sent goes to the socket of the present try, and nowhere between two tries', () => {
  const trial = new Trial(() => 1);
  trial.fail(OVERLOADED);
  trial.wire.send('lost');
  trial.clock.advance(500);
  trial.latest.events.open();
  trial.wire.send('kept');
  expect(trial.attempts.map(({ sent }) => sent)).toEqual([[], ['kept']]);
});
