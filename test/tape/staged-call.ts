// A real Call with a real model session in virtual time: this stages what is outside, a carrier that queues audio and
// returns marks, a caller who sends frames and speaks now and then, and a model that answers. No socket, no real timer.
import type { Agent } from '../../src/agent/agent.ts';
import { silence } from '../../src/audio/mulaw.ts';
import { Call } from '../../src/call/call.ts';
import { type CallFacts, Feed, type OnlookerFactory } from '../../src/call/feed.ts';
import type { CallPolicy } from '../../src/call/policy.ts';
import { Shelf } from '../../src/call/shelf.ts';
import type { CarrierLeg, LegEvent } from '../../src/carrier/carrier.ts';
import type { WireEvents } from '../../src/realtime/openai/connect.ts';
import { OpenAiSession } from '../../src/realtime/openai/session.ts';
import { NO_ERRANDS } from '../support/no-errands.ts';
import { VirtualClock } from '../../src/replay/virtual-clock.ts';

export const POLICY: CallPolicy = {
  errands: NO_ERRANDS,
  greeting: { by: 'model', say: 'Say: Good morning, Jansen garage.', protected: false },
  interruptAfterMs: 0,
  silenceMs: 20_000,
  silencePrompt: 'Ask whether the caller is still there.',
  silenceGoodbye: 'Say goodbye.',
  maxCallMs: 2 * 3_600_000,
  wrapUp: 'Say that the time is over.',
  wrapUpText: 'Say that the time is over.',
  budget: { nearly: 'Come to an end.', goodbye: 'Goodbye.', next: { do: 'hang_up' } },
  modelStallMs: 8_000,
  endCall: { goodbye: 'Say goodbye.' },
  endOfTurnMs: 0,
  holdBytes: 0,
  holdAfterMs: 1_700,
  holdEveryMs: 5_000,
  models: 1,
  recoverWithinMs: 0,
  resumeAskMs: 3_000,
  resumeWithinMs: 0,
  rolloverAfterMs: 3 * 3_600_000,
  apologyBytes: 1_600,
  apologyText: 'I am sorry.',
  afterFailure: { do: 'hang_up' },
  mediaWaitMs: 10_000,
  maxAheadMs: 4_000,
  shelfBytes: 10_000_000,
};

export const stagedFacts = (recorded = false): CallFacts => ({
  opening: {
    callId: 'c0ffee00-0000-4000-8000-000000000001',
    direction: 'inbound',
    on: { leg: 'l1', session: 's1', epoch: 1 },
    policy: POLICY,
    capabilities: { answersTurns: true, detectsTurns: true },
    atMs: 123_456.789_012,
  },
  incoming: {
    carrier: 'twilio',
    carrierCallId: 'CA00000000000000000000000000000000',
    direction: 'inbound',
    from: { kind: 'pstn', value: '+4930123456789' },
    to: { kind: 'pstn', value: '+31201234567' },
    attestation: null,
    sipHeaders: {},
    idempotencyKey: null,
  },
  agent: {
    name: 'garage',
    file: 'garage.yaml',
    hash: 'ab'.repeat(32),
    recording: recorded ? { disclosure: 'This call is recorded.' } : null,
  } as Agent,
  wallMs: 1_790_000_000_000,
  sessionConfig: {
    session: { type: 'realtime', instructions: 'You answer the phone of a garage.' },
    model: 'gpt-realtime',
    transcriptionModel: 'gpt-4o-mini-transcribe',
    serverInterrupts: true,
    serverAnswers: true,
  },
});

/** What the model answers with; played in order, then short answers. */
export interface StagedAnswer {
  seconds: number;
  text?: string;
  tool?: { name: string; arguments: string };
}

export class StagedCall {
  readonly clock: VirtualClock;
  readonly call: Call;
  readonly answers: StagedAnswer[] = [];
  /** Makes the model's socket stop reading with the next thing sent. */
  modelStopsReading = false;
  /** Makes the carrier stop reading with the next audio. */
  carrierStopsReading = false;
  closed = false;
  #model!: WireEvents;
  #modelGone = false;
  #toCall: ((event: LegEvent) => void) | null = null;
  #marks: { name: string; cancel: () => void }[] = [];
  #queueEndsAtMs = 0;
  #legOpen = false;
  #frames = 0;
  #timestampMs = 0;
  #ids = 0;
  #active: { id: string; over: boolean } | null = null;

  constructor(facts: CallFacts, onlookers: readonly OnlookerFactory[]) {
    const { opening } = facts;
    this.clock = new VirtualClock(opening.atMs, facts.wallMs);
    this.call = new Call({
      opening,
      clock: this.clock,
      feed: new Feed(
        onlookers.map((make) => make(facts)).filter((o) => o !== null),
        (error) => {
          throw error;
        },
      ),
      shelf: new Shelf(),
      openSession: (hooks) =>
        new OpenAiSession({
          session: 's1',
          config: facts.sessionConfig as never,
          capabilities: opening.capabilities,
          clock: this.clock,
          readyWithinMs: 8_000,
          connect: (events) => {
            this.#model = events;
            return {
              send: (message) => this.#told(String(message)),
              close: () => this.in(10, () => this.#modelCloses('close 1000')),
            };
          },
          listener: hooks,
        }),
      runTool: ({ name }) =>
        new Promise((settle) =>
          this.in(700, () => settle({ status: 'ok', output: `{"tool":"${name}","slot":"9:30"}` })),
        ),
      recallLeg: () => {},
      redirectLeg: () => Promise.resolve(false),
      people: { call() {}, drop() {} },
      storeNext: () => Promise.resolve(),
      ended: () => {},
      swept: () => {},
      fault: (error) => {
        throw error;
      },
    });
    void this.call.closed.then(() => {
      this.closed = true;
    });
  }

  /** Admits the call: the model answers the socket, the media starts a moment later. */
  begin(): void {
    this.call.start();
    this.in(60, () => this.says({ type: 'session.created', session: {} }));
    this.in(250, () => this.#startMedia());
  }

  in(ms: number, then: () => void): () => void {
    return this.clock.at(ns(this.clock.nowMs() + ms), then);
  }

  /** Lets virtual time pass; promises settle every 20 ms of it. */
  async run(ms: number): Promise<void> {
    const until = this.clock.nowMs() + ms;
    while (this.clock.nowMs() < until && !this.closed) {
      this.clock.runTo(ns(Math.min(until, this.clock.nowMs() + 20)));
      for (let i = 0; i < 4; i++) await Promise.resolve();
    }
  }

  async runUntilClosed(mostMs: number): Promise<void> {
    const until = this.clock.nowMs() + mostMs;
    while (!this.closed && this.clock.nowMs() < until) await this.run(100);
  }

  /** The caller speaks for so long, as the model's VAD hears it; the model answers the turn. */
  callerSpeaks(seconds: number, text: string): void {
    const item = this.#id('item');
    this.says({ type: 'input_audio_buffer.speech_started', audio_start_ms: 1_000, item_id: item });
    if (this.#active) this.#endAnswer(this.#active, 'cancelled', []);
    this.in(seconds * 1_000 + 500, () => {
      this.says({ type: 'input_audio_buffer.speech_stopped', audio_end_ms: 2_000, item_id: item });
      this.says({ type: 'input_audio_buffer.committed', item_id: item });
      this.#answer({});
    });
    this.in(seconds * 1_000 + 900, () =>
      this.says({
        type: 'conversation.item.input_audio_transcription.completed',
        item_id: item,
        transcript: text,
        usage: { type: 'duration', seconds },
      }),
    );
  }

  presses(digit: string): void {
    this.#toCall?.({ type: 'leg.digit_pressed', digit });
  }

  hangsUp(): void {
    this.#legCloses('caller_hung_up', 'stop');
  }

  /** One message of the model's server. */
  says(message: Record<string, unknown>): void {
    if (!this.#modelGone) this.#model.message(JSON.stringify({ event_id: this.#id('event'), ...message }));
  }

  /** The caller's next frames are lost on the way. */
  losesFrames(count: number): void {
    this.#timestampMs += count * 20;
  }

  #startMedia(): void {
    const leg: CarrierLeg = {
      capabilities: { maxAheadMs: 4_000 },
      play: ({ bytes }) => {
        if (this.carrierStopsReading) return this.#legCloses('stopped_reading', 'buffer full');
        this.#queueEndsAtMs = Math.max(this.#queueEndsAtMs, this.clock.nowMs()) + bytes / 8;
      },
      mark: (name) => {
        const waitMs = Math.max(0, this.#queueEndsAtMs - this.clock.nowMs()) + 31.4159;
        const mark = { name, cancel: this.in(waitMs, () => this.#markReturns(mark.name)) };
        this.#marks.push(mark);
      },
      clear: () => {
        this.#queueEndsAtMs = 0;
        for (const { name, cancel } of this.#marks.splice(0)) {
          cancel();
          this.#toCall?.({ type: 'leg.mark_settled', mark: name, outcome: 'dropped' });
        }
      },
      close: () => this.in(15, () => this.#legCloses('caller_hung_up', 'closed')),
    };
    this.#toCall = this.call.attach(leg);
    this.#legOpen = true;
    this.#toCall({ type: 'leg.started' });
    this.#sendFrame();
  }

  #sendFrame(): void {
    if (!this.#legOpen) return;
    this.#frames++;
    const chunk = { payload: FRAME, bytes: 160 };
    this.#toCall?.({ type: 'leg.audio', sequence: this.#frames, timestampMs: this.#timestampMs, chunk });
    this.#timestampMs += 20;
    // Jitter that averages out.
    this.in(20 + ((this.#frames * 7_919) % 1_000) / 1_000 - 0.499_5, () => this.#sendFrame());
  }

  #markReturns(name: string): void {
    this.#marks = this.#marks.filter((m) => m.name !== name);
    if (this.#legOpen) this.#toCall?.({ type: 'leg.mark_settled', mark: name, outcome: 'played' });
  }

  #legCloses(cause: 'caller_hung_up' | 'stopped_reading', detail: string): void {
    if (!this.#legOpen) return;
    this.#legOpen = false;
    this.#toCall?.({ type: 'leg.closed', cause, detail });
  }

  #modelCloses(detail: string): void {
    if (this.#modelGone) return;
    this.#modelGone = true;
    this.#model.closed({ cause: 'lost', detail, retry: true });
  }

  /** What the session sends to the model. */
  #told(text: string): void {
    if (this.modelStopsReading) return this.#modelCloses('does not read');
    if (text.startsWith('{"type":"input_audio_buffer.append"')) return;
    const message = JSON.parse(text) as { type: string; item?: object; response?: { metadata?: object } };
    if (message.type === 'session.update')
      this.in(40, () => {
        const format = { format: { type: 'audio/pcmu' } };
        this.says({ type: 'session.updated', session: { audio: { input: format, output: format } } });
      });
    if (message.type === 'conversation.item.create')
      this.in(20, () => this.says({ type: 'conversation.item.added', item: message.item }));
    if (message.type === 'response.create') this.#answer(message.response?.metadata ?? {});
    if (message.type === 'response.cancel' && this.#active) this.#endAnswer(this.#active, 'cancelled', []);
  }

  /** Audio comes three times as fast as it plays, in pieces of 200 ms. */
  #answer(metadata: object): void {
    const { seconds, text = 'All right.', tool } = this.answers.shift() ?? { seconds: 1.5 };
    const answer = { id: this.#id('resp'), over: false };
    const item = this.#id('item');
    this.#active = answer;
    const later = (ms: number, message: Record<string, unknown>) =>
      this.in(ms, () => !answer.over && this.says({ response_id: answer.id, item_id: item, ...message }));
    later(180, { type: 'response.created', response: { id: answer.id, metadata, conversation_id: 'conv_1' } });
    if (seconds > 0) later(190, { type: 'response.output_item.added', item: { id: item, type: 'message' } });
    const pieces = Math.round(seconds * 5);
    for (let i = 0; i < pieces; i++) {
      // The last piece is not whole frames.
      const bytes = i === pieces - 1 ? 1_501 : 1_600;
      later(300 + i * 67, { type: 'response.output_audio.delta', delta: silence(bytes).toString('base64') });
    }
    const endMs = 320 + pieces * 67;
    if (pieces > 0) {
      later(310, { type: 'response.output_audio_transcript.delta', delta: text });
      later(endMs, { type: 'response.output_item.done', item: { id: item, type: 'message' } });
    }
    const call = tool && {
      id: `${item}f`,
      type: 'function_call',
      call_id: this.#id('call'),
      status: 'completed',
      ...tool,
    };
    this.in(endMs + 10, () => this.#endAnswer(answer, 'completed', call ? [call] : []));
  }

  #endAnswer(answer: { id: string; over: boolean }, status: string, output: readonly object[]): void {
    if (answer.over) return;
    answer.over = true;
    if (this.#active === answer) this.#active = null;
    this.says({
      type: 'response.done',
      response: {
        id: answer.id,
        status,
        output,
        conversation_id: 'conv_1',
        usage: {
          input_tokens: 220,
          output_tokens: 90,
          input_token_details: { text_tokens: 120, audio_tokens: 100, cached_tokens: 64 },
          output_token_details: { text_tokens: 20, audio_tokens: 70 },
        },
      },
    });
  }

  #id(kind: string): string {
    return `${kind}_${++this.#ids}`;
  }
}

const FRAME = silence(160).toString('base64');

/** The real clock counts whole nanoseconds. */
const ns = (ms: number): number => Math.round(ms * 1e6) / 1e6;

/** Greeting, a turn with a tool, a barge-in, keys, lost frames, goodbye. Ends by itself. */
export async function playWholeCall(staged: StagedCall): Promise<void> {
  staged.answers.push(
    { seconds: 2.4, text: 'Good morning, Jansen garage.' },
    { seconds: 0, tool: { name: 'find_slot', arguments: '{"day":"Monday"}' } },
    { seconds: 9, text: 'Monday at half past nine is free.' },
    { seconds: 3, text: 'Tuesday then.' },
    { seconds: 1.2, text: 'You pressed one.' },
    { seconds: 1.6, text: 'Goodbye.', tool: { name: 'end_call', arguments: '{}' } },
  );
  staged.begin();
  await staged.run(4_500);
  staged.callerSpeaks(1.8, 'Do you have a slot on Monday?');
  await staged.run(7_000);
  staged.losesFrames(3);
  staged.callerSpeaks(1.2, 'No, Tuesday.');
  await staged.run(8_000);
  staged.presses('1');
  staged.presses('#');
  await staged.run(5_000);
  staged.callerSpeaks(0.8, 'Thank you, bye.');
  await staged.runUntilClosed(20_000);
}
