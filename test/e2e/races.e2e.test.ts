// The races of an interruption over real sockets: a recorded caller speaks at the worst moments, over constant delays and
// jitter, with the model's server or us stopping the answer. The truth is the phone's play buffer: every millisecond of the
// agent's sound says which it is, so what was heard of each item is counted and not computed.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { CallEffect } from '../../src/call/effect.ts';
import type { CallEvent } from '../../src/call/event.ts';
import type { Onlooker } from '../../src/call/feed.ts';
import type { CallerStep, CallerTrack } from '../../src/phone/caller-track.ts';
import type { PhoneCall } from '../../src/phone/phone.ts';
import type { PhoneResult } from '../../src/phone/phone-result.ts';
import type { SessionOptions } from '../../src/simulator/options.ts';
import type { Answer } from '../../src/simulator/script.ts';
import type { SimulatedSession } from '../../src/simulator/session.ts';
import { readStamps } from '../../src/simulator/stamp.ts';
import { interruption, question, warmUp, withE2e } from '../support/e2e.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 12 });

interface Race {
  title: string;
  /** What the agent says first; without it the caller asks at once. */
  greeting?: Answer;
  turns?: Answer[];
  afterTool?: Answer;
  options?: SessionOptions;
  /** The caller, from the first sound of the agent on. */
  steps?: CallerStep[];
  /** Instead of steps: speaks at a moment that only the model's side knows. */
  strike?: (phone: PhoneCall, session: SimulatedSession) => void;
  /** What the model's side must have been told, in order of the items: kept whole, cut, or deleted. */
  told: ('whole' | 'cut' | 'deleted' | 'cut or deleted' | 'whole or cut')[];
}

const says = (...ms: number[]): Answer => ({ items: ms.map((stampedMs) => ({ stampedMs })) });

/** The caller speaks up after so much of the agent's talk. */
const interruptsAfter = (forMs: number): CallerStep => ({
  cue: { after: 'agent_speaking', forMs },
  action: { say: interruption() },
});
/** The caller answers as soon as the agent is silent. */
const repliesAfter = (forMs: number): CallerStep => ({
  cue: { after: 'agent_silent', forMs },
  action: { say: interruption() },
});

const lookup = { tool: 'lookup_account', arguments: { account: '100019021001803' } };

const races: Race[] = [
  {
    title: 'before the first byte of the answer',
    turns: [{ ...says(4_000), firstDelayMs: 600 }],
    strike: (phone, session) => void session.on('response', () => phone.say(interruption())),
    told: [],
  },
  {
    title: 'within 60 ms of the first byte',
    turns: [{ ...says(4_000), firstDelayMs: 40 }],
    strike: (phone, session) => void session.on('response', () => phone.say(interruption())),
    told: ['cut or deleted'],
  },
  {
    title: 'in the middle, while generation runs',
    greeting: says(8_000),
    options: { pace: 2 },
    steps: [interruptsAfter(700)],
    told: ['cut'],
  },
  {
    title: 'in the middle, long after generation ended',
    greeting: says(5_000),
    options: { pace: 10 },
    steps: [interruptsAfter(2_500)],
    told: ['cut'],
  },
  { title: 'just after the last byte', greeting: says(1_500), steps: [repliesAfter(0)], told: ['whole or cut'] },
  {
    title: 'twice in a row',
    greeting: says(3_000),
    turns: [says(3_000)],
    steps: [interruptsAfter(600), interruptsAfter(600)],
    told: ['cut', 'cut'],
  },
  {
    title: 'in the second item of one response',
    greeting: says(1_000, 3_000),
    steps: [interruptsAfter(1_700)],
    told: ['whole', 'cut'],
  },
  {
    title: 'in the first of two items',
    greeting: says(2_000, 2_000),
    steps: [interruptsAfter(1_000)],
    told: ['cut', 'deleted'],
  },
  {
    title: 'in the second of two queued answers',
    turns: [{ items: [{ stampedMs: 1_500 }, lookup] }],
    afterTool: says(3_000),
    steps: [interruptsAfter(2_400)],
    told: ['whole', 'cut'],
  },
  {
    title: 'in the first of two queued answers',
    turns: [{ items: [{ stampedMs: 2_500 }, lookup] }],
    afterTool: says(3_000),
    steps: [interruptsAfter(1_500)],
    told: ['cut', 'deleted'],
  },
  {
    title: 'after an underrun',
    greeting: { items: [{ stampedMs: 4_000, stallAfterMs: 1_000, stallMs: 1_500 }] },
    // The first stretch is over by then: the caller speaks into the second.
    steps: [interruptsAfter(1_300)],
    told: ['cut'],
  },
  {
    title: 'after a pause',
    greeting: says(800),
    turns: [says(3_000)],
    steps: [repliesAfter(900), interruptsAfter(800)],
    told: ['whole', 'cut'],
  },
];

/** Errors of the truncation points, in ms, by network. */
const measured = new Map<string, { errors: number[]; jitterMs: number }>();

interface Network {
  name: string;
  network: { toServerMs?: number; fromServerMs?: number; jitterMs?: number; seed?: number };
  races: Race[];
}

/** Most that a truncation may be off beyond the jitter of the way to the caller. */
const BOUND_MS = 20;

const JITTER_MS = 80;
const jittery = races.filter(({ title }) => /^(in the middle|in the second of|after an|just)/.test(title));
const networks: Network[] = [
  { name: '0 ms each way', network: {}, races },
  { name: '60 ms each way', network: { toServerMs: 60, fromServerMs: 60 }, races },
  ...[1, 2].map((seed) => ({
    name: `0-80 ms of jitter, seed ${seed}`,
    network: { jitterMs: JITTER_MS, seed: 10 * seed },
    races: jittery,
  })),
];

const cases = networks.flatMap((network) =>
  (['model', 'trunkline'] as const).flatMap((by) =>
    network.races.map((race) => ({ ...network, by, race, title: race.title })),
  ),
);

describe.concurrent('the caller interrupts', () => {
  test.for(cases)('$title; $name; $by stops the answer', { timeout: 30_000 }, ({ race, by, network, name }) => {
    const transit = new Transit();
    return withE2e(
      {
        agent: ({ greeting, turnTaking, limits }) => ({
          greeting: race.greeting ? greeting : null,
          turnTaking: { ...turnTaking, interruptsBy: by },
          limits: { ...limits, modelStallMs: 8_000 },
        }),
        onlookers: [() => transit],
        simulator: {
          ...race.options,
          script: {
            ...(race.greeting && { greeting: race.greeting }),
            turns: race.turns ?? [],
            ...(race.afterTool && { afterTool: { lookup_account: race.afterTool } }),
          },
        },
      },
      async (e2e) => {
        const phone = e2e.call({ network, track: trackOf(race), hangupAfterTrack: race.strike ? false : 400 });
        const received: Buffer[] = [];
        phone.on('media', ({ bytes }) => void received.push(bytes));
        transit.follow(phone);
        const session = await e2e.session();
        if (race.strike) {
          race.strike(phone, session);
          await session.next('response');
          await session.next('speech_started');
          // Everything that the interruption causes is over long before the caller's turn is.
          await session.next('committed');
          phone.hangUp();
        }
        const result = await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(record.end.reason).toBe('caller_hung_up');
        expect(result.warnings).toEqual([]);

        const errors = judge(session, result, Buffer.concat(received), race);
        const { jitterMs } = transit;
        const all = measured.get(name) ?? { errors: [], jitterMs: 0 };
        measured.set(name, { errors: [...all.errors, ...errors], jitterMs: Math.max(all.jitterMs, jitterMs) });
        for (const error of errors) expect(Math.abs(error)).toBeLessThanOrEqual(BOUND_MS + jitterMs);
      },
    );
  });
});

/**
 * How unevenly the server's audio and clears reached the caller: what the network was told to add, and what a machine adds
 * that gave this process no turn between the server's decision and the phone's ear.
 */
class Transit implements Onlooker {
  readonly #sentAtMs: number[] = [];
  readonly #arrivedAtMs: number[] = [];
  #nowMs = 0;

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    this.#nowMs = event.atMs;
    for (const effect of effects) if (effect.do === 'leg.clear') this.#sentAtMs.push(event.atMs);
  }

  played(_startsAtMs: number, pieces: readonly unknown[]): void {
    for (const _ of pieces) this.#sentAtMs.push(this.#nowMs);
  }

  follow(phone: PhoneCall): void {
    phone.on('media', ({ atMs }) => void this.#arrivedAtMs.push(atMs));
    phone.on('clear', ({ atMs }) => void this.#arrivedAtMs.push(atMs));
  }

  /** The longest time on the way against the shortest. */
  get jitterMs(): number {
    const ways = this.#arrivedAtMs.map((atMs, i) => atMs - (this.#sentAtMs[i] as number));
    return ways.length === 0 ? 0 : Math.max(...ways) - Math.min(...ways);
  }
}

/** The first calls of a process are slow to begin, which would be measured as jitter. */
beforeAll(warmUp, 20_000);

afterAll(() => {
  for (const [name, { errors, jitterMs }] of measured) {
    const sizes = errors.map((error) => Math.abs(error)).sort((a, b) => a - b);
    const at = (share: number) => sizes[Math.floor((sizes.length - 1) * share)]?.toFixed(0);
    console.log(
      `truncation error, ${name}: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${at(1)} ms` +
        ` (${sizes.length} items; measured jitter up to ${jitterMs.toFixed(0)} ms)`,
    );
  }
});

function trackOf({ greeting, steps = [] }: Race): CallerTrack {
  const asks: CallerStep = { cue: { atMs: 300 }, action: { say: question() } };
  return { steps: greeting ? steps : [asks, ...steps] };
}

/** Compares what the model's side was told with what the phone heard; returns the error of each item. */
function judge(session: SimulatedSession, result: PhoneResult, received: Buffer, { told }: Race): number[] {
  const heard = readStamps(Buffer.concat(result.heard.map(({ bytes }) => bytes)));
  const sent = readStamps(received);
  const items = session.items.filter(({ stamp }) => stamp !== null);
  const outcomes = items.map(({ deleted, truncatedAtMs }) =>
    deleted ? 'deleted' : truncatedAtMs === null ? 'whole' : 'cut',
  );
  expect(outcomes).toHaveLength(told.length);
  for (const [i, outcome] of outcomes.entries()) expect(told[i]).toContain(outcome);

  for (const { atMs } of result.clears) {
    const stamps = (after: boolean) =>
      result.heard.filter((part) => part.atMs >= atMs === after).flatMap(({ bytes }) => [...readStamps(bytes).keys()]);
    const before = stamps(false);
    expect(
      stamps(true).filter((stamp) => before.includes(stamp)),
      'heard again after the clear',
    ).toEqual([]);
  }

  return items.map(({ stamp, deleted, truncatedAtMs, audioMs }) => {
    const heardMs = heard.get(stamp as number)?.heardMs ?? 0;
    if (deleted) return -heardMs;
    if (truncatedAtMs === null) return audioMs - heardMs;
    expect(truncatedAtMs, 'beyond what was sent').toBeLessThanOrEqual(sent.get(stamp as number)?.heardMs ?? 0);
    return truncatedAtMs - heardMs;
  });
}
