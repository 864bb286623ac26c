// A whole call in virtual time: the real call shell and the real Realtime session between a scripted model and a carrier
// with network delays and an exact play buffer. Nothing listens, nothing waits; a minute takes milliseconds.
import { Call, type CallOptions, type ToolRun, type WantedSession } from '../../src/call/call.ts';
import type { CallEffect } from '../../src/call/effect.ts';
import type { CallEvent } from '../../src/call/event.ts';
import { Feed, type Onlooker } from '../../src/call/feed.ts';
import { APOLOGY_CLIP, type CallPolicy, GREETING_CLIP, HOLD_CLIP, MUSIC_CLIP } from '../../src/call/policy.ts';
import { Shelf } from '../../src/call/shelf.ts';
import type { CallOpening } from '../../src/call/state.ts';
import type { Spending } from '../../src/call/spending.ts';
import type { Termination } from '../../src/call/termination.ts';
import type { AudioChunk } from '../../src/audio/chunk.ts';
import type { CarrierLeg, LegEvent, NextStep } from '../../src/carrier/carrier.ts';
import type { Wire, WireClosed, WireEvents } from '../../src/realtime/openai/connect.ts';
import type { DialogueConfig } from '../../src/realtime/openai/dialogue-state.ts';
import { OpenAiSession } from '../../src/realtime/openai/session.ts';
import { PlaybackBuffer } from '../../src/phone/playback-buffer.ts';
import { readStamps } from '../../src/simulator/stamp.ts';
import type { ToolOutcome } from '../../src/tools/tool.ts';
import { FakeClock } from './fake-clock.ts';
import { NO_ERRANDS } from './no-errands.ts';
import { BUDGET_POLICY } from './open-admission.ts';
import { ScriptedModel, type ScriptedModelOptions } from './scripted-model.ts';

export const testPolicy = (part: Partial<CallPolicy> = {}): CallPolicy => ({
  errands: NO_ERRANDS,
  greeting: null,
  interruptAfterMs: 0,
  silenceMs: 15_000,
  silencePrompt: 'Are you still there?',
  silenceGoodbye: 'Goodbye.',
  maxCallMs: 600_000,
  wrapUp: 'We have to stop here. Goodbye.',
  wrapUpText: 'We have to stop here. Goodbye.',
  budget: BUDGET_POLICY,
  modelStallMs: 3_500,
  endCall: { goodbye: 'Say goodbye.' },
  // Off: most tests want to see what one session does.
  endOfTurnMs: 0,
  holdBytes: 0,
  holdAfterMs: 1_700,
  holdEveryMs: 5_000,
  models: 1,
  recoverWithinMs: 0,
  resumeAskMs: 3_000,
  resumeWithinMs: 0,
  rolloverAfterMs: 3_300_000,
  apologyBytes: 16_000,
  apologyText: 'I am sorry.',
  afterFailure: { do: 'hang_up' },
  mediaWaitMs: 10_000,
  maxAheadMs: 4_000,
  shelfBytes: 1_920_000,
  ...part,
});

export interface VirtualLineOptions {
  policy?: Partial<CallPolicy>;
  model?: Partial<ScriptedModelOptions>;
  /** Models of the further sessions, in order; the last stands for all that follow. */
  laterModels?: Partial<ScriptedModelOptions>[];
  /** Told of each session that opens: what it returns is reported instead of a connection. */
  refuse?: (wanted: WantedSession) => WireClosed | null;
  /** One way, each way, constant part. */
  modelDelayMs?: number;
  delayMs?: number;
  /** Added at random per message, 0..jitterMs; order is kept. */
  jitterMs?: number;
  random?: () => number;
  interrupts?: boolean;
  answers?: boolean;
  runTool?: (name: string, settle: (outcome: ToolOutcome) => void, signal: AbortSignal, run: ToolRun) => void;
  /** Agents that the call may be handed to. */
  handOffs?: CallOpening['handOffs'];
  redirectLeg?: (next: NextStep) => boolean;
  people?: CallOptions['people'];
  onlookers?: Onlooker[];
  /** What the call may spend; whoever makes it tells the call of changes. */
  spending?: Pick<Spending, 'reserve' | 'attach'>;
}

/** A promise that tells at once. */
class Settles<T> {
  #settled = false;
  #value: T | undefined;
  #then: ((value: T) => void) | null = null;

  constructor(work: (resolve: (value: T) => void) => void) {
    work((value) => {
      if (this.#settled) return;
      this.#settled = true;
      this.#value = value;
      this.#then?.(value);
    });
  }

  // oxlint-disable-next-line unicorn/no-thenable
  then(told: (value: T) => void): void {
    if (this.#settled) told(this.#value as T);
    else this.#then = told;
  }
}

export class VirtualLine {
  readonly clock = new FakeClock();
  /** One per session, in the order of their opening. */
  readonly models: ScriptedModel[] = [];
  /** The sessions that were opened. */
  readonly opened: Omit<WantedSession, 'agent'>[] = [];
  /** Whose they were. */
  readonly agents: string[] = [];
  readonly call: Call;
  /** What the call started from. */
  readonly opening: CallOpening;
  readonly shelf: Shelf;
  readonly buffer = new PlaybackBuffer();
  readonly effects: (CallEffect & { atMs: number })[] = [];
  readonly events: CallEvent[] = [];
  /** When each clear took effect, and what had been heard of each stamped item by then. */
  readonly clears: { atMs: number; heardMs: Map<number, number> }[] = [];
  readonly nexts: NextStep[] = [];
  readonly faults: unknown[] = [];
  termination: Termination | null = null;
  legClosed = false;
  recalls = 0;
  #sink: ((event: LegEvent) => void) | null = null;
  #sequence = 0;
  #lastDown = 0;
  #lastUp = 0;
  readonly #o: VirtualLineOptions;

  constructor(options: VirtualLineOptions = {}) {
    this.#o = options;
    const { clock } = this;
    const interrupts = options.interrupts ?? true;
    const answers = options.answers ?? true;
    const config: DialogueConfig = {
      session: { type: 'realtime' },
      model: 'gpt-realtime-2.1',
      transcriptionModel: 'gpt-transcribe',
      serverInterrupts: interrupts,
      serverAnswers: answers,
    };
    const capabilities = { answersTurns: answers, detectsTurns: true };
    const policy = testPolicy(options.policy);
    this.shelf = new Shelf(
      new Map([
        [APOLOGY_CLIP, new Uint8Array(policy.apologyBytes).fill(0x55)],
        [MUSIC_CLIP, new Uint8Array(policy.errands.filler.musicBytes).fill(0x33)],
        [HOLD_CLIP, new Uint8Array(policy.holdBytes).fill(0x44)],
        [GREETING_CLIP, new Uint8Array(policy.greeting?.by === 'clip' ? policy.greeting.bytes : 0).fill(0x66)],
      ]),
    );
    this.opening = {
      callId: 'call-1',
      direction: 'inbound',
      on: { leg: 'l1', session: 's1', epoch: 1 },
      policy,
      capabilities,
      agent: 'clinic',
      handOffs: options.handOffs ?? {},
      atMs: clock.nowMs(),
    };
    this.call = new Call({
      opening: this.opening,
      clock,
      feed: new Feed(
        [
          {
            stepped: (event, effects) => {
              this.events.push(event);
              for (const effect of effects) this.effects.push({ ...effect, atMs: event.atMs });
            },
          },
          ...(options.onlookers ?? []),
        ],
        (error) => this.faults.push(error),
      ),
      shelf: this.shelf,
      spending: options.spending ?? null,
      openSession: (hooks, wanted) => {
        const model = this.#nextModel(wanted, { clock, interrupts, answers });
        return new OpenAiSession({
          session: wanted.session,
          config,
          capabilities,
          clock,
          readyWithinMs: 8_000,
          connect: (events) => {
            if (wanted.afterMs > 0) {
              let wire: Wire | null = null;
              const cancel = clock.at(clock.nowMs() + wanted.afterMs, () => {
                wire = this.#connect(model, wanted, events);
              });
              return {
                send: (text) => wire?.send(text),
                close: () => {
                  cancel();
                  if (wire) wire.close();
                  else events.closed({ cause: 'lost', detail: 'given up', retry: true });
                },
              };
            }
            return this.#connect(model, wanted, events);
          },
          listener: hooks,
        });
      },
      redirectLeg: (next) => new Settles<boolean>((resolve) => resolve(options.redirectLeg?.(next) ?? false)) as never,
      people: options.people ?? { call() {}, drop() {} },
      // Settles at once: virtual time does not wait for microtasks.
      runTool: (run) =>
        new Settles<ToolOutcome>((resolve) => options.runTool?.(run.name, resolve, run.signal, run)) as never,
      recallLeg: () => void (this.recalls += 1),
      storeNext: (next) => {
        this.nexts.push(next);
        // Settles at once: virtual time does not wait for microtasks.
        // oxlint-disable-next-line unicorn/no-thenable
        return { then: (settled: () => void) => settled() } as unknown as Promise<void>;
      },
      ended: (termination) => {
        this.termination = termination;
      },
      swept: () => this.faults.push(new Error('swept')),
      fault: (error) => this.faults.push(error),
    });
    options.spending?.attach((change) => this.call.receive(change));
    this.call.start();
  }

  /** The model of the latest session. */
  get model(): ScriptedModel {
    return this.models.at(-1) as ScriptedModel;
  }

  #connect(model: ScriptedModel, wanted: WantedSession, events: WireEvents): Wire {
    const { clock } = this;
    const refused = this.#o.refuse?.(wanted);
    if (refused) {
      clock.at(clock.nowMs() + 10, () => events.closed(refused));
      return { send: () => {}, close: () => {} };
    }
    const d = this.#o.modelDelayMs ?? 0;
    if (d === 0) return model.connect(events);
    const later = (f: () => void) => void clock.at(clock.nowMs() + d, f);
    const wire = model.connect({
      open: () => later(() => events.open()),
      message: (t) => later(() => events.message(t)),
      skipped: (w) => later(() => events.skipped(w)),
      closed: (w) => later(() => events.closed(w)),
    });
    return { send: (t) => later(() => wire.send(t)), close: () => wire.close() };
  }

  #nextModel(wanted: WantedSession, standard: ScriptedModelOptions): ScriptedModel {
    const { model, laterModels = [] } = this.#o;
    const n = this.models.length;
    const opened = new ScriptedModel({
      ...standard,
      stampsFrom: n * 1_000,
      ...(n === 0 ? model : (laterModels[n - 1] ?? laterModels.at(-1))),
    });
    this.models.push(opened);
    const { session, target, afterMs, agent } = wanted;
    this.agents.push(agent);
    this.opened.push({ session, target, afterMs });
    return opened;
  }

  /** The carrier's media starts. */
  startMedia(): void {
    this.#sink = this.call.attach(this.#leg());
    this.#sink({ type: 'leg.started' });
  }

  /** One 20 ms frame of the caller, now. */
  frame(timestampMs: number, payload = Buffer.alloc(160, 0xff).toString('base64')): void {
    this.#sequence += 1;
    this.report({ type: 'leg.audio', sequence: this.#sequence, timestampMs, chunk: { payload, bytes: 160 } });
  }

  report(event: LegEvent): void {
    this.#sink?.(event);
  }

  advance(ms: number): void {
    this.clock.advance(ms);
  }

  /** Advances until `happened`, in small steps; fails after `withinMs`. */
  until(happened: () => boolean, withinMs = 60_000): void {
    for (let waited = 0; !happened(); waited += 5) {
      if (waited > withinMs) throw new Error(`did not happen within ${withinMs} ms of virtual time`);
      this.clock.advance(5);
    }
  }

  /** Milliseconds of stamped item `stamp` heard by now. */
  heardMs(stamp: number): number {
    return this.#heard().get(stamp) ?? 0;
  }

  done(what: CallEffect['do']): (CallEffect & { atMs: number })[] {
    return this.effects.filter((e) => e.do === what);
  }

  #heard(): Map<number, number> {
    const bytes = Buffer.concat(this.buffer.heard(this.clock.nowMs()).map((s) => s.bytes));
    return new Map([...readStamps(bytes)].map(([item, { heardMs }]) => [item, heardMs]));
  }

  #leg(): CarrierLeg {
    const outstanding = new Set<string>();
    const settle = (mark: string, outcome: 'played' | 'dropped'): void => {
      if (!outstanding.delete(mark)) return;
      this.#sink?.({ type: 'leg.mark_settled', mark, outcome });
    };
    return {
      capabilities: { maxAheadMs: 4_000 },
      play: (chunk: AudioChunk) =>
        this.#down(() => this.buffer.push(this.clock.nowMs(), Buffer.from(chunk.payload, 'base64'))),
      mark: (name) => {
        outstanding.add(name);
        this.#down(() => {
          const due = this.buffer.mark(this.clock.nowMs(), name);
          this.clock.at(due, () => {
            for (const mark of this.buffer.takeDueMarks(this.clock.nowMs())) this.#up(() => settle(mark, 'played'));
          });
        });
      },
      clear: () => {
        this.#down(() => {
          this.buffer.clear(this.clock.nowMs());
          this.clears.push({ atMs: this.clock.nowMs(), heardMs: this.#heard() });
        });
        for (const mark of [...outstanding]) settle(mark, 'dropped');
      },
      close: () => {
        this.legClosed = true;
        this.#up(() => this.#sink?.({ type: 'leg.closed', cause: 'socket_lost', detail: 'closed by us' }));
      },
    };
  }

  #down(arrive: () => void): void {
    this.#lastDown = this.#travel(this.#lastDown, arrive);
  }

  #up(arrive: () => void): void {
    this.#lastUp = this.#travel(this.#lastUp, arrive);
  }

  #travel(last: number, arrive: () => void): number {
    const { delayMs = 0, jitterMs = 0, random = Math.random } = this.#o;
    const at = Math.max(last, this.clock.nowMs() + delayMs + (jitterMs > 0 ? random() * jitterMs : 0));
    this.clock.at(at, arrive);
    return at;
  }
}
