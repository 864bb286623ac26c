// A call of chaos made by hand for the tests of its ear and its judge: what sounds when, and everything around it well.
import { msToBytes } from '../../src/audio/mulaw.ts';
import type { KnownClip } from '../../src/chaos/heard-call.ts';
import type { FaultName } from '../../src/chaos/fault-kinds.ts';
import type { JudgedCall } from '../../src/chaos/judge.ts';
import type { CallPlan, Strike } from '../../src/chaos/plan.ts';
import { idleLine, voice } from '../replay/synthetic-line.ts';

/** Clips of a second each, of one voice: only their ends differ, as far as the ear is concerned. */
const clip = (name: string, amplitude: number, asksToWait = false): KnownClip => ({
  ...{ name, asksToWait },
  bytes: voice(1_000, amplitude),
});
export const CLIPS: readonly KnownClip[] = [
  clip('words', 8_000),
  clip('hold', 7_000, true),
  clip('apology', 9_000),
  clip('farewell', 6_000),
];

/** A clip from a time on, whole or its first so many ms. */
export interface Sounding {
  name: string;
  atMs: number;
  forMs?: number;
}

/** What the caller's ear got. */
export function lineOf(lengthMs: number, soundings: readonly Sounding[]): Uint8Array {
  const line = idleLine(lengthMs);
  for (const { name, atMs, forMs = 1_000 } of soundings) {
    const known = CLIPS.find((one) => one.name === name);
    if (!known) throw new Error(`no clip ${name}`);
    line.set(known.bytes.subarray(0, msToBytes(forMs)), msToBytes(atMs));
  }
  return line;
}

export const strikeOf = (fault: FaultName): Strike => ({ fault, moment: 'any', nth: 1, delayMs: 0, chance: 0.5 });

export const planOf = (number: number, ...faults: FaultName[]): CallPlan => ({
  number,
  strikes: faults.map(strikeOf),
  scene: {
    ...{ greeting: 'model', shape: 'plain', brief: false, patienceMs: 700, ladder: 'apology' },
    ...{ fallback: false, recorded: false, endedBy: 'agent' },
  },
});

/** A good call of six seconds: the agent speaks, the caller asks, the agent answers half a second later. */
export function aCall(change: {
  faults?: FaultName[];
  number?: number;
  lengthMs?: number;
  soundings?: Sounding[];
  said?: JudgedCall['result']['said'];
  result?: Partial<JudgedCall['result']>;
  call?: Partial<JudgedCall['call']>;
  rest?: Partial<JudgedCall>;
}): JudgedCall {
  const { faults = [], number = 1, lengthMs = 6_000, call, result, rest } = change;
  const plan = planOf(number, ...faults);
  const soundings = change.soundings ?? [
    { name: 'words', atMs: 200 },
    { name: 'farewell', atMs: 4_000 },
  ];
  return {
    call: {
      plan,
      struck: plan.strikes.map((strike) => ({ strike, atMs: 2_000, clockMs: 12_000 })),
      sessions: [{ model: 'chaos-1' }],
      callId: 'call_1',
      ...call,
    },
    phone: { zeroMs: 10_000, agentAudio: () => lineOf(lengthMs, soundings) },
    result: {
      announced: [],
      said: change.said ?? [{ atMs: 2_000, endMs: 3_600 }],
      streamMs: lengthMs,
      streams: [{ streamSid: 'MZ1', fromMs: 0, toMs: lengthMs }],
      verbs: [],
      timedOut: false,
      warnings: [],
      ...result,
    },
    record: { end: { reason: 'agent_goodbye', by: 'agent', result: 'success', detail: '' } },
    records: 1,
    ends: 1,
    log: [],
    fromMs: 9_500,
    toMs: 16_000,
    ...rest,
  };
}
