// Tells a call as a list of events with their times, lets the real core decide, and shows both to an onlooker as the
// shell would. The clock stands still unless an event moves it.
import type { Agent } from '../../src/agent/agent.ts';
import type { CallEffect } from '../../src/call/effect.ts';
import type { UnstampedEvent } from '../../src/call/event.ts';
import type { CallFacts, Onlooker } from '../../src/call/feed.ts';
import { step } from '../../src/call/machine.ts';
import type { CallPolicy } from '../../src/call/policy.ts';
import { admittedCall, type CallState } from '../../src/call/state.ts';
import type { Clock } from '../../src/clock.ts';
import { NO_ERRANDS, ONLY_TALKS } from '../support/no-errands.ts';
import { BUDGET_POLICY, KEPT_FOR_EVER, NO_BUDGET, OPEN_ADMISSION } from '../support/open-admission.ts';

/** Monotonic time of the admission in every story. */
export const ADMITTED_MS = 50_000;
/** Unix time of the admission in every story: 2026-11-20T12:00:00Z. */
export const ADMITTED_WALL_MS = Date.UTC(2026, 10, 20, 12);

export class StoryClock implements Clock {
  ms = ADMITTED_MS;
  nowMs(): number {
    return this.ms;
  }
  wallMs(): number {
    return ADMITTED_WALL_MS + this.ms - ADMITTED_MS;
  }
  at(): () => void {
    throw new Error('a story has no timers');
  }
}

export const AGENT: Agent = {
  name: 'clinic',
  file: 'clinic.yaml',
  hash: 'a'.repeat(64),
  answers: ['*'],
  model: {
    name: 'gpt-realtime-2.1',
    voice: 'marin',
    speed: 1,
    endpoint: null,
    maxSessionMs: 3_600_000,
    reasoningEffort: null,
    maxOutputTokens: 1024,
    noiseReduction: null,
    transcription: { model: 'whisper-1', language: 'en' },
    truncation: 'auto',
  },
  instructions: 'Be brief.',
  greeting: null,
  turnTaking: {
    detection: { kind: 'server_vad', threshold: 0.5, prefixPaddingMs: 300, silenceMs: 500 },
    interruptsBy: 'model',
    answersBy: 'model',
    interruptAfterMs: 0,
  },
  silence: { promptAfterMs: 15_000, prompt: 'Are you there?', goodbye: 'Goodbye.' },
  limits: { maxCallMs: 600_000, wrapUp: 'We must end.', modelStallMs: 8_000, toolMs: 5_000, maxConcurrentCalls: 5 },
  admission: OPEN_ADMISSION,
  budget: NO_BUDGET,
  retention: KEPT_FOR_EVER,
  tools: [],
  ...ONLY_TALKS,
  endCall: { enabled: true, goodbye: 'Goodbye.' },
  failure: {
    hold: new Uint8Array(8_000),
    holdAfterMs: 1_700,
    fallback: null,
    apology: new Uint8Array(8_000),
    apologyText: 'I am sorry, please call again.',
    forwardTo: null,
    voicemail: null,
  },
  recording: null,
};

const POLICY: CallPolicy = {
  errands: NO_ERRANDS,
  greeting: null,
  interruptAfterMs: 0,
  silenceMs: 15_000,
  silencePrompt: 'Are you there?',
  silenceGoodbye: 'Goodbye.',
  maxCallMs: 600_000,
  wrapUp: 'We must end.',
  wrapUpText: 'We must end.',
  budget: BUDGET_POLICY,
  modelStallMs: 8_000,
  endCall: { goodbye: 'Goodbye.' },
  endOfTurnMs: 0,
  holdBytes: 0,
  holdAfterMs: 1_700,
  holdEveryMs: 5_000,
  models: 1,
  recoverWithinMs: 0,
  resumeAskMs: 3_000,
  resumeWithinMs: 0,
  rolloverAfterMs: 3_300_000,
  apologyBytes: 8_000,
  apologyText: 'I am sorry.',
  afterFailure: { do: 'hang_up' },
  mediaWaitMs: 10_000,
  maxAheadMs: 60_000,
  shelfBytes: 4_000_000,
};

export interface Given {
  agent?: Partial<Agent>;
  policy?: Partial<CallPolicy>;
  incoming?: Partial<CallFacts['incoming']>;
  answersTurns?: boolean;
  callId?: string;
}

export const callFacts = ({
  agent,
  policy,
  incoming,
  answersTurns = true,
  callId = 'call-1',
}: Given = {}): CallFacts => ({
  opening: {
    callId,
    direction: 'inbound',
    on: { leg: 'l1', session: 's1', epoch: 1 },
    policy: { ...POLICY, ...policy },
    capabilities: { answersTurns, detectsTurns: true },
    atMs: ADMITTED_MS,
  },
  incoming: {
    carrier: 'twilio',
    carrierCallId: 'CA0123456789abcdef0123456789abcdef',
    direction: 'inbound',
    from: { kind: 'pstn', value: '+14155550142' },
    to: { kind: 'pstn', value: '+14155550199' },
    attestation: null,
    sipHeaders: {},
    idempotencyKey: null,
    ...incoming,
  },
  agent: { ...AGENT, ...agent },
  wallMs: ADMITTED_WALL_MS,
  sessionConfig: {},
});

/** One call, told event by event; times are milliseconds since the admission. */
export class Story {
  readonly clock: StoryClock;
  readonly effects: CallEffect[] = [];
  /** How long handing audio to the carrier takes. */
  sendingTakesMs = 0;
  readonly #onlooker: Onlooker;
  #state: CallState;
  #sequence = 0;

  constructor(facts: CallFacts, onlooker: Onlooker, clock = new StoryClock()) {
    this.#state = admittedCall(facts.opening);
    this.#onlooker = onlooker;
    this.clock = clock;
  }

  at(ms: number, ...events: UnstampedEvent[]): this {
    for (const event of events) {
      this.clock.ms = ADMITTED_MS + ms;
      const [state, effects] = step(this.#state, { ...event, atMs: this.clock.ms, on: this.#state.on });
      this.#state = state;
      this.effects.push(...effects);
      this.#onlooker.stepped?.({ ...event, atMs: this.clock.ms, on: state.on }, effects);
      for (const effect of effects) {
        if (effect.do !== 'leg.play') continue;
        this.clock.ms += this.sendingTakesMs;
        this.#onlooker.played?.(effect.startsAtMs, []);
      }
    }
    return this;
  }

  /** Caller frames of 20 ms, the first arriving at `fromMs`. */
  frames(fromMs: number, count: number): this {
    for (let i = 0; i < count; i++) {
      this.#sequence += 1;
      const timestampMs = (this.#sequence - 1) * 20;
      const chunk = { payload: FRAME, bytes: 160 };
      this.at(fromMs + i * 20, { type: 'leg.audio', sequence: this.#sequence, timestampMs, chunk });
    }
    return this;
  }

  /** The marks that the core has asked for and nobody has returned yet. */
  get marks(): string[] {
    return this.effects.flatMap((e) => (e.do === 'leg.mark' ? [e.mark] : []));
  }

  async closed(ms: number): Promise<void> {
    this.clock.ms = ADMITTED_MS + ms;
    await this.#onlooker.closed?.(this.clock.ms);
  }
}

const FRAME = Buffer.alloc(160, 0xff).toString('base64');

/** Agent audio of so many milliseconds. */
export const audio = (utterance: string, ms: number): UnstampedEvent => ({
  type: 'utterance.audio',
  utterance,
  chunk: { payload: Buffer.alloc(ms * 8, 0xff).toString('base64'), bytes: ms * 8 },
});

/** An answer of one utterance: begun, worded, sounded. */
export const answer = (id: string, utterance: string, text: string, ms: number): UnstampedEvent[] => [
  { type: 'answer.started', answer: id },
  { type: 'utterance.started', utterance, answer: id },
  { type: 'utterance.text', utterance, text },
  audio(utterance, ms),
];

export const answerEnds = (id: string, utterance: string): UnstampedEvent[] => [
  { type: 'utterance.ended', utterance },
  { type: 'answer.ended', answer: id, status: 'completed', detail: '' },
];

/** The usage object of openai-realtime.md section 20, as the session reports it. */
export const answerUsage = (source: string): UnstampedEvent => ({
  type: 'usage.reported',
  usage: {
    source,
    what: 'answer',
    model: 'gpt-realtime-2.1',
    unit: 'tokens',
    textIn: 1410,
    audioIn: 280,
    imageIn: 0,
    cachedTextIn: 1408,
    cachedAudioIn: 128,
    cachedImageIn: 0,
    textOut: 22,
    audioOut: 100,
  },
});
