// The shell of one call: owns its leg, session, timers, tools and shelf; performs what the machine decides, in order, and
// queues what comes back. Nothing else changes a call.
//
// One outside input is one instant: everything it causes carries the same time, so that a tape replays to the same steps.
import { FRAME_MS } from '../audio/mulaw.ts';
import type { CarrierLeg, LegEvent, NextStep } from '../carrier/carrier.ts';
import type { Cancel, Clock } from '../clock.ts';
import type { RealtimeEvent, RealtimeSession } from '../realtime/session.ts';
import type { ToolOutcome, ToolRequest } from '../tools/tool.ts';
import { assertNever } from './assert-never.ts';
import type { CallEffect } from './effect.ts';
import type { CallEvent, Origin, ShellEvent, TimerName } from './event.ts';
import type { Feed, FrameEvent } from './feed.ts';
import { isHidden, isTooLate } from './collecting.ts';
import { afterFault } from './ending.ts';
import { Drawer, hidden } from './hidden.ts';
import { step } from './machine.ts';
import { RecentAudio } from './recent-audio.ts';
import type { Shelf } from './shelf.ts';
import type { Spending } from './spending.ts';
import { admittedCall, type CallOpening, type CallState } from './state.ts';
import { type Termination, terminationOf } from './termination.ts';
import { tonesOf } from './tones.ts';
import { isSentOn } from './transfer.ts';

/** How a session talks back to its call. */
export interface SessionHooks {
  received(input: unknown): void;
  sent(message: unknown): void;
  emit(event: RealtimeEvent): void;
  released(): void;
  /** A throw inside the session: the call ends as `internal_error`. */
  fault(error: unknown): void;
}

/** Which session to open. */
export interface WantedSession {
  /** Its name in this call: s1, s2, … */
  session: string;
  /** Whose: the name of the agent that answers. */
  agent: string;
  /** Which of the agent's models: 0, or 1 for its fallback. */
  target: number;
  /** Not before so many milliseconds. */
  afterMs: number;
}

/** One tool call to run, of an agent. */
export interface ToolRun extends ToolRequest {
  agent: string;
  /** What the caller has keyed in under a field's name. */
  digits(field: string): string | null;
}

/** Whom to ring up for the caller. */
export type WantedPerson = Omit<Extract<CallEffect, { do: 'person.call' }>, 'do' | 'on'>;

export interface CallOptions {
  opening: CallOpening;
  clock: Clock;
  feed: Feed;
  shelf: Shelf;
  /** Sets money aside; reports `budget.changed` later, never at once. Null: the call may spend what it likes. */
  spending?: Pick<Spending, 'reserve'> | null;
  /** Opens a model session: the first in the constructor, further ones when the core asks. */
  openSession(hooks: SessionHooks, wanted: WantedSession): RealtimeSession;
  /** Runs a tool; never rejects. */
  runTool(run: ToolRun): Promise<ToolOutcome>;
  /** Asks the carrier to open a media stream of this call again. */
  recallLeg(): void;
  /** Tells the carrier to take the caller elsewhere, until that is `unwanted`; false: it cannot be told. Never rejects. */
  redirectLeg(next: NextStep, unwanted: AbortSignal): Promise<boolean>;
  /** People whom the caller is handed over to. */
  people: { call(person: WantedPerson): void; drop(): void };
  /** Stores what follows the media, before the media ends. Never rejects. */
  storeNext(next: NextStep): Promise<void>;
  /** The call ended; sockets may still be closing. */
  ended(termination: Termination): void;
  /** Sockets that did not go in time were given up on. */
  swept(): void;
  /** A throw of ours inside a step; the call then ends as `internal_error`. */
  fault(error: unknown): void;
}

/** Caller audio kept for a session that takes over: 2 s. */
const RECENT_FRAMES = 100;
/** After the end both sockets must be gone within this, or they are given up on. */
const CLOSE_WITHIN_MS = 1_500;
/** What a tool still does for a caller who is gone is waited for as long as its deadline may be, and not for ever. */
const TOOLS_WITHIN_MS = 30_000;
/** A disk slower than this does not keep the caller on a dead line. */
const STORE_WITHIN_MS = 300;
/** An order to the carrier is carried out within a tenth of a second; the end of the media does the same. */
const ORDER_WITHIN_MS = 2_500;

export class Call {
  readonly callId: string;
  /** Resolves when both sockets are gone and every onlooker has finished. */
  readonly closed: Promise<void>;
  readonly #options: CallOptions;
  /** Sessions that are not released yet, by name. */
  readonly #sessions = new Map<string, RealtimeSession>();
  readonly #recent = new RecentAudio(RECENT_FRAMES);
  readonly #timers = new Map<TimerName, Cancel>();
  readonly #tools = new Map<string, AbortController>();
  readonly #drawer = new Drawer();
  readonly #queue: CallEvent[] = [];
  /** The frame that is being worked on; onlookers are told of it when it is known what came of it. */
  #frame: FrameEvent | null = null;
  readonly #resolveClosed: () => void;
  #state: CallState;
  #leg: CarrierLeg | null = null;
  /** Ends an order about the leg. */
  #legGone = (): void => {};
  /** Legs so far; they are named l1, l2, … */
  #legs = 0;
  #atMs: number;
  #working = false;
  #legReleased = true;
  /** `call.end` was performed; a socket may be gone before that. */
  #ended = false;
  #finishing = false;
  /** The call ended under a secret input: what comes until the media is gone is hidden as well. */
  #endedHidden = false;
  #giveUp: Cancel = () => {};

  constructor(options: CallOptions) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#options = options;
    this.callId = options.opening.callId;
    this.closed = promise;
    this.#resolveClosed = resolve;
    this.#atMs = options.opening.atMs;
    this.#state = admittedCall(options.opening);
    const { on, agent = '', target = 0 } = options.opening;
    this.#openSession({ session: on.session, agent, target, afterMs: 0 });
  }

  /** The media went away, and a new stream of this call would be taken. */
  get away(): boolean {
    const state = this.#state;
    return (state.phase === 'talking' || state.phase === 'leaving') && state.away !== null && !isSentOn(state);
  }

  /** How the caller was sent on to a person, who has not taken the call yet; null: the caller is here, or was missed. */
  get sentOn(): 'cold' | 'warm' | null {
    const state = this.#state;
    if (state.phase === 'ended' || state.transfer === null || !isSentOn(state)) return null;
    return state.policy.errands.targets[state.transfer.target]?.how ?? null;
  }

  /** The carrier says that its media is over, whatever the socket still looks like. */
  loseLeg(detail: string): void {
    if (this.#leg === null) return;
    const leg = this.#leg;
    this.#leg = null;
    this.#legReleased = true;
    this.#legGone();
    this.receive({ type: 'leg.closed', cause: 'socket_lost', detail, silentMs: leg.silentMs ?? 0 });
    leg.close();
    this.#finishIfDone();
  }

  /** Over but for tools that finish what they began. */
  get lingers(): boolean {
    return this.#ended && !this.#finishing && this.#tools.size > 0;
  }

  get state(): CallState {
    return this.#state;
  }

  /** Joins the started media; returns where its events go. */
  attach(leg: CarrierLeg): (event: LegEvent) => void {
    this.#leg = leg;
    this.#legReleased = false;
    this.#legs += 1;
    const name = `l${this.#legs}`;
    return (given) => {
      // One that was given up on has nothing more to say.
      if (this.#leg !== leg) return;
      const event = this.#asMayBeSeen(given);
      if (event.type === 'leg.closed') {
        this.#leg = null;
        this.#legReleased = true;
        this.#legGone();
      }
      const { on } = this.#state;
      this.receive(event, on.leg === name ? on : { ...on, leg: name });
      if (event.type === 'leg.closed') this.#finishIfDone();
    };
  }

  /** What the caller says and keys in where nobody may see it is hidden before anybody does. */
  #asMayBeSeen(event: LegEvent): LegEvent {
    const state = this.#state;
    if (state.phase === 'ended') return this.#endedHidden ? hidden(event, null) : event;
    if (state.collecting === null && state.hiddenUntilMs === 0) return event;
    const atMs = this.#options.clock.nowMs();
    const tooLate = isTooLate(state, atMs);
    if (isHidden(state, atMs) || (tooLate && event.type === 'leg.digit_pressed'))
      return hidden(event, tooLate ? null : this.#drawer);
    // Where it is no secret it is kept all the same, for the tool that asks for it.
    if (event.type === 'leg.digit_pressed') this.#drawer.press(event.digit);
    return event;
  }

  /** Something happened outside the model session; `on` is the leg, session and epoch that it belongs to. */
  receive(event: LegEvent | ShellEvent, on: Origin = this.#state.on): void {
    // A late timer, tool or mark: the onlookers have been told that nothing follows.
    if (this.#finishing) return;
    if (!this.#working) {
      this.#atMs = this.#options.clock.nowMs();
      if (event.type === 'leg.audio') {
        const { type, sequence, timestampMs, chunk } = event;
        // Written out: events of many shapes are slow to copy.
        this.#frame = { type, sequence, timestampMs, chunk, atMs: this.#atMs, on };
        return this.#take(this.#frame);
      }
    }
    this.#options.feed.input(this.#atMs, { from: 'call', event });
    this.#take({ ...event, atMs: this.#atMs, on });
  }

  /** Arms the timers of the first phase; separate, so that a replay can begin at its own time. */
  start(): void {
    this.receive({ type: 'call.admitted' });
  }

  #openSession(wanted: WantedSession): void {
    const options = this.#options;
    const { clock, feed } = options;
    const { session } = wanted;
    const hooks: SessionHooks = {
      received: (input) => {
        if (this.#finishing) return;
        this.#atMs = clock.nowMs();
        feed.input(this.#atMs, { from: 'session', session, input });
      },
      sent: (message) => feed.sent(this.#atMs, message),
      emit: (event) => {
        const { on } = this.#state;
        this.#take({ ...event, atMs: this.#atMs, on: on.session === session ? on : { ...on, session } });
      },
      released: () => {
        this.#sessions.delete(session);
        this.#finishIfDone();
      },
      fault: (error) => {
        options.fault(error);
        this.#collapse();
      },
    };
    this.#sessions.set(session, options.openSession(hooks, wanted));
  }

  #take(event: CallEvent): void {
    if (this.#working) return void this.#queue.push(event);
    this.#working = true;
    try {
      this.#step(event);
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#step(next);
    } catch (error) {
      this.#queue.length = 0;
      // What the fault came of is on the tape.
      if (this.#frame !== null) this.#options.feed.input(this.#atMs, { from: 'call', event: this.#frame });
      this.#frame = null;
      this.#options.fault(error);
      this.#collapse();
    } finally {
      this.#working = false;
    }
  }

  #step(event: CallEvent): void {
    const before = this.#state;
    const [state, effects] = step(before, event);
    this.#state = state;
    if (state.phase === 'ended' && before.phase !== 'ended') this.#endedHidden = isHidden(before, event.atMs);
    const { feed } = this.#options;
    if (this.#frame === null) feed.stepped(event, effects);
    else {
      feed.framed(this.#frame, effects);
      this.#frame = null;
    }
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: CallEffect): void {
    const { clock, feed, shelf } = this.#options;
    switch (effect.do) {
      case 'leg.play': {
        const pieces = shelf.take(effect.utterance, effect.fromByte, effect.toByte, effect.padBytes);
        for (const piece of pieces) this.#leg?.play(piece);
        feed.played(effect.startsAtMs, pieces);
        return;
      }
      case 'leg.mark':
        return this.#leg?.mark(effect.mark);
      case 'leg.clear':
        return this.#leg?.clear();
      case 'leg.recall':
        return this.#options.recallLeg();
      case 'leg.close':
        return this.#closeLeg(effect.next);
      case 'leg.move':
        return this.#moveLeg(effect);
      case 'session.append':
        this.#recent.put(effect.chunk);
        return this.#sessions.get(effect.on.session)?.append(effect.chunk);
      case 'session.append_silence':
        return this.#sessions.get(effect.on.session)?.appendSilence(effect.ms);
      case 'session.append_recent':
        return this.#appendRecent(effect.on.session, effect.ms);
      case 'session.open':
        return this.#openSession(effect);
      case 'session.recall':
      case 'session.speak':
      case 'session.last_words':
      case 'session.interrupt':
      case 'session.settle_tool':
      case 'session.tell':
      case 'session.summarise':
      case 'session.commit':
      case 'session.hold_answers':
      case 'session.allow_answer':
        return this.#sessions.get(effect.on.session)?.request(effect);
      case 'session.close':
        return this.#sessions.get(effect.on.session)?.close();
      case 'shelf.put':
        return shelf.put(effect.utterance, effect.chunk);
      case 'shelf.tones':
        return shelf.put(effect.utterance, tonesOf(effect.keys));
      case 'shelf.drop':
        return shelf.drop(effect.utterance);
      case 'digits.collect':
        return this.#drawer.collect(effect.field, effect.endKey, effect.max);
      case 'digits.done':
        return this.#drawer.done(effect.field, effect.keep);
      case 'person.call':
        return this.#options.people.call(effect);
      case 'person.drop':
        return this.#options.people.drop();
      case 'timer.set':
        this.#timers.get(effect.timer)?.();
        this.#timers.set(
          effect.timer,
          clock.at(effect.atMs, () => this.#timerFired(effect.timer, effect.on)),
        );
        return;
      case 'timer.clear':
        this.#timers.get(effect.timer)?.();
        this.#timers.delete(effect.timer);
        return;
      case 'tool.run':
        return this.#runTool(effect);
      case 'tool.abort':
        this.#tools.get(effect.toolCall)?.abort();
        return;
      case 'call.end':
        return this.#end(effect.termination);
      case 'budget.reserve':
        return this.#options.spending?.reserve();
      case 'ledger.charge':
      case 'note.settled':
      case 'note.stopped':
      case 'note.filled':
      case 'note.ignored':
      case 'note.underrun':
      case 'note.held':
      case 'note.left':
      case 'note.transfer':
      case 'note.handed_off':
      case 'note.guarded':
      case 'note.resumed':
        // For onlookers.
        return;
      default:
        return assertNever(effect);
    }
  }

  /** What the caller said last, in order; frames are 20 ms. */
  #appendRecent(session: string, ms: number): void {
    for (const chunk of this.#recent.latest(Math.ceil(ms / FRAME_MS))) this.#sessions.get(session)?.append(chunk);
  }

  #timerFired(timer: TimerName, on: Origin): void {
    this.#timers.delete(timer);
    this.receive({ type: 'timer.fired', timer }, on);
  }

  /** One that changes something settles after its own end, also when the caller has hung up: the record waits for it. */
  #runTool({ toolCall, agent, name, arguments: args, agreed, on }: Extract<CallEffect, { do: 'tool.run' }>): void {
    const abort = new AbortController();
    this.#tools.set(toolCall, abort);
    const digits = (field: string): string | null => this.#drawer.digits(field);
    const run = { toolCall, agent, name, arguments: args, agreed, digits, signal: abort.signal };
    void this.#options.runTool(run).then((outcome) => {
      this.#tools.delete(toolCall);
      this.receive({ type: 'tool.settled', toolCall, status: outcome.status, output: outcome.output }, on);
      this.#finishIfDone();
    });
  }

  /** The caller is sent on: what follows is stored first, so that any process can say it. */
  #moveLeg({ next, by }: Extract<CallEffect, { do: 'leg.move' }>): void {
    const options = this.#options;
    const leg = this.#leg;
    void options.storeNext(next).then(() => {
      // The carrier asks what follows as soon as its media is over.
      if (by === 'close') return leg?.close();
      this.#orderLeg(next);
    });
  }

  /** By an order; one that was carried out is not given again, for it would take the caller out of where it led. */
  #orderLeg(next: NextStep): void {
    const { clock } = this.#options;
    const leg = this.#leg;
    const unwanted = new AbortController();
    const over = (): void => {
      cancel();
      unwanted.abort();
      // The carrier asks what follows as soon as its media is over.
      if (this.#leg === leg) leg?.close();
    };
    const cancel = clock.at(clock.nowMs() + ORDER_WITHIN_MS, over);
    this.#legGone = over;
    void this.#options.redirectLeg(next, unwanted.signal).then((moved) => (moved ? cancel() : over()));
  }

  /** The carrier asks what follows as soon as its media ends: the answer is stored first. */
  #closeLeg(next: NextStep): void {
    let closed = false;
    const close = (): void => {
      if (closed) return;
      closed = true;
      cancel();
      this.#leg?.close();
    };
    const { clock } = this.#options;
    const cancel = clock.at(clock.nowMs() + STORE_WITHIN_MS, close);
    void this.#options.storeNext(next).then(close);
  }

  #end(termination: Termination): void {
    const { clock } = this.#options;
    this.#ended = true;
    const giveUp = (): void => {
      if (this.#sessions.size > 0 || !this.#legReleased) this.#options.swept();
      if (this.#tools.size === 0) return this.#finish();
      this.#sessions.clear();
      this.#legReleased = true;
      this.#giveUp = clock.at(clock.nowMs() + TOOLS_WITHIN_MS - CLOSE_WITHIN_MS, () => this.#finish());
    };
    // After a process that stood still the closes lie ready, and are heard of before the next turn's timers.
    this.#giveUp = clock.at(clock.nowMs() + CLOSE_WITHIN_MS, () => {
      this.#giveUp = clock.at(clock.nowMs(), giveUp);
    });
    this.#options.ended(termination);
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (this.#ended && this.#sessions.size === 0 && this.#legReleased && this.#tools.size === 0) this.#finish();
  }

  #finish(): void {
    if (this.#finishing) return;
    this.#finishing = true;
    this.#giveUp();
    this.#drawer.empty();
    void this.#options.feed.closed(this.#options.clock.nowMs()).then(this.#resolveClosed);
  }

  /** A fault of ours: this call ends by name, whatever state it is in; no other call is touched. */
  #collapse(): void {
    if (this.#state.phase !== 'ended') {
      this.#endedHidden = isHidden(this.#state, this.#atMs);
      const { v, callId, direction, on, policy, capabilities } = this.#state;
      const termination = terminationOf('internal_error');
      this.#state = { v, callId, direction, on, policy, capabilities, phase: 'ended', termination };
      this.#end(termination);
    }
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    for (const abort of this.#tools.values()) abort.abort();
    for (const session of this.#sessions.values()) session.close();
    this.#closeLeg(afterFault(this.#state.policy));
  }
}
