// Measures how a call was for its caller, from what the call's feed shows: who waited how long for whom, who talked over
// whom, what was missing. No clock: equal events give equal measures. The judgement of them is in quality.ts.
import { bytesToMs, FRAME_MS } from '../audio/mulaw.ts';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { APOLOGY_CLIP, GREETING_CLIP, HOLD_CLIP } from '../call/policy.ts';
import type { CallOpening } from '../call/state.ts';
import { HeardAtOnce } from './heard-at-once.ts';
import { LateFrames } from './late-frames.ts';
import { DEAD_AIR_AFTER_MS, type QualityMeasures } from './quality.ts';
import { SessionChanges } from './session-changes.ts';

// Values of call/policy.ts, kept equal by the compiler: only types of the core are imported here.
const GREETING: typeof GREETING_CLIP = 'clip:greeting';
const APOLOGY: typeof APOLOGY_CLIP = 'clip:apology';
const HOLD: typeof HOLD_CLIP = 'clip:hold';

/** Durations of one kind: how many, their sum, the longest. */
interface Spans {
  count: number;
  sumMs: number;
  mostMs: number;
}

const noSpans = (): Spans => ({ count: 0, sumMs: 0, mostMs: 0 });

function add(spans: Spans, ms: number): void {
  spans.count += 1;
  spans.sumMs += ms;
  spans.mostMs = Math.max(spans.mostMs, ms);
}

const told = ({ count, sumMs, mostMs }: Spans) => ({
  count,
  meanMs: count === 0 ? 0 : Math.round(sumMs / count),
  slowestMs: Math.round(mostMs),
});

export class QualityTracker {
  readonly #greeting: CallOpening['policy']['greeting'];
  readonly #late = new LateFrames();
  readonly #heard = new HeardAtOnce();
  readonly #changes = new SessionChanges();
  #frames = 0;
  #filledMs = 0;
  readonly #underruns = noSpans();
  /** Waits beyond the bound; the sum is of what is beyond it. */
  readonly #deadAir = noSpans();
  #longestWaitMs = 0;
  readonly #bargeIns = noSpans();
  readonly #answers = noSpans();
  #firstWordMs: number | null = null;
  #holds = 0;
  readonly #sessions = { opened: 1, fallback: 0, lost: 0, rolledOver: 0 };
  readonly #media = { started: false, lost: 0, awayMs: 0 };
  readonly #failures = { answers: 0, tools: 0 };

  #startedAtMs = 0;
  #over = false;
  /** The model's first utterance, which may be a protected greeting. */
  #firstUtterance: string | null = null;
  /** Since when the agent owes a sound; null = owes none. */
  #owedSinceMs: number | null = null;
  /** When the caller's last words ended that are still to be answered. */
  #askedAtMs: number | null = null;
  readonly #tools = new Set<string>();

  constructor({ policy, target = 0 }: CallOpening) {
    this.#greeting = policy.greeting;
    if (target > 0) this.#sessions.fallback = 1;
  }

  /** A frame of the caller's came at `atMs`, and nothing of it was filled or left out. The frame path: a few additions. */
  frame(atMs: number, timestampMs: number): void {
    this.#frames += 1;
    this.#late.arrived(atMs, timestampMs);
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (event.type === 'leg.audio') return this.#frameCame(event, effects);
    if (this.#over) return;
    this.#happened(event, effects);
    const change = this.#changes.of(event, effects);
    if (change === 'lost') this.#sessionLost(event.atMs);
    else if (change === 'rolled_over') this.#sessions.rolledOver += 1;
    for (const effect of effects) this.#caused(effect, event);
  }

  /** What was measured until now. */
  get measures(): QualityMeasures {
    return {
      frames: { received: this.#frames, late: this.#late.count, filled: Math.round(this.#filledMs / FRAME_MS) },
      underruns: { count: this.#underruns.count, ms: Math.round(this.#underruns.sumMs) },
      deadAir: {
        count: this.#deadAir.count,
        beyondMs: Math.round(this.#deadAir.sumMs),
        longestMs: Math.round(this.#longestWaitMs),
      },
      talkOverMs: Math.round(this.#heard.bothMs),
      bargeIns: told(this.#bargeIns),
      firstWordMs: this.#firstWordMs === null ? null : Math.round(this.#firstWordMs),
      answers: told(this.#answers),
      holds: this.#holds,
      sessions: { ...this.#sessions },
      media: { ...this.#media },
      failures: { ...this.#failures },
    };
  }

  #frameCame(event: Extract<CallEvent, { type: 'leg.audio' }>, effects: readonly CallEffect[]): void {
    for (const effect of effects) {
      if (effect.do === 'note.filled') this.#filledMs += effect.ms;
      // Repeated, or of a leg that is no longer the call's.
      else if (effect.do === 'note.ignored') return;
    }
    this.frame(event.atMs, event.timestampMs);
  }

  #happened(event: Exclude<CallEvent, { type: 'leg.audio' }>, effects: readonly CallEffect[]): void {
    const { atMs } = event;
    switch (event.type) {
      case 'leg.started':
        return this.#mediaStarted(atMs);
      case 'leg.closed':
        // A caller who was listening waits for the rest, until the media is back or the call is over.
        if (this.#heard.soundUntilMs > atMs) this.#owe(atMs);
        return this.#heard.agentStops(atMs);
      case 'speech.started':
        this.#heard.callerSpeaks(atMs);
        this.#waitEnds(atMs);
        this.#owedSinceMs = null;
        this.#askedAtMs = null;
        return;
      case 'speech.stopped':
        this.#heard.callerStops(atMs);
        this.#owe(atMs);
        this.#askedAtMs = atMs;
        return;
      case 'turn.committed':
        if (!this.#isBackchannel(atMs, effects)) return;
        this.#owedSinceMs = null;
        this.#askedAtMs = null;
        return;
      case 'utterance.started':
        this.#firstUtterance ??= event.utterance;
        return;
      case 'answer.ended':
        if (event.status === 'failed') this.#failures.answers += 1;
        return;
      case 'tool.settled':
        this.#tools.delete(event.toolCall);
        if (event.status !== 'ok') this.#failures.tools += 1;
        return;
      default:
    }
  }

  #caused(effect: CallEffect, event: CallEvent): void {
    const { atMs } = event;
    switch (effect.do) {
      case 'leg.play':
        return this.#played(effect, atMs);
      case 'leg.clear':
        return this.#cleared(event);
      case 'session.speak':
      case 'session.last_words':
        return this.#owe(atMs);
      case 'session.settle_tool':
        if (!effect.quietly) this.#owe(atMs);
        return;
      case 'tool.run':
        this.#tools.add(effect.toolCall);
        return this.#owe(atMs);
      case 'tool.abort':
        this.#tools.delete(effect.toolCall);
        return;
      case 'note.filled':
        this.#filledMs += effect.ms;
        return;
      case 'note.underrun':
        add(this.#underruns, effect.ms);
        return this.#waited(effect.ms);
      case 'session.open':
        this.#sessions.opened += 1;
        if (effect.target > 0) this.#sessions.fallback += 1;
        return;
      case 'note.held':
        this.#holds += 1;
        return;
      case 'note.resumed':
        this.#media.lost += 1;
        this.#media.awayMs += effect.awayMs;
        return;
      case 'call.end':
        this.#heard.count(atMs);
        this.#waitEnds(atMs);
        this.#over = true;
        return;
      default:
    }
  }

  #mediaStarted(atMs: number): void {
    this.#late.restart();
    if (this.#media.started) return;
    this.#media.started = true;
    this.#startedAtMs = atMs;
    if (this.#greeting !== null) this.#owe(atMs);
  }

  #played(play: Extract<CallEffect, { do: 'leg.play' }>, atMs: number): void {
    const { utterance, fromByte, toByte, padBytes, startsAtMs } = play;
    if (fromByte === 0) {
      this.#firstWordMs ??= startsAtMs - this.#startedAtMs;
      this.#waitEnds(startsAtMs);
      // "One moment" is heard, but is not what the caller waits for.
      if (!utterance.startsWith(HOLD)) this.#answered(startsAtMs);
    }
    this.#heard.agentSpeaks(atMs, startsAtMs, bytesToMs(toByte - fromByte + padBytes), this.#isProtected(utterance));
  }

  /** An utterance that may be what the caller waits for begins to sound. */
  #answered(startsAtMs: number): void {
    if (this.#askedAtMs !== null) add(this.#answers, startsAtMs - this.#askedAtMs);
    this.#askedAtMs = null;
    // While a tool runs, what is said is not its answer.
    if (this.#tools.size === 0) this.#owedSinceMs = null;
  }

  #cleared(event: CallEvent): void {
    const { atMs } = event;
    const { speechSinceMs, protectedUntilMs } = this.#heard;
    const spokeUp = event.type === 'speech.started' || (event.type === 'timer.fired' && event.timer === 'barge_in');
    if (spokeUp && speechSinceMs !== null && protectedUntilMs <= speechSinceMs)
      add(this.#bargeIns, atMs - speechSinceMs);
    this.#heard.agentStops(atMs);
  }

  /** Nobody will report the end of what the caller was saying. */
  #sessionLost(atMs: number): void {
    this.#sessions.lost += 1;
    if (this.#heard.speechSinceMs === null) return;
    this.#heard.callerStops(atMs);
    this.#owe(atMs);
  }

  #owe(atMs: number): void {
    this.#owedSinceMs ??= atMs;
  }

  /** The caller waits no longer, or hears something: how long was it silent? The debt itself may remain. */
  #waitEnds(atMs: number): void {
    if (this.#owedSinceMs === null || !this.#media.started) return;
    const sinceMs = Math.max(this.#owedSinceMs, this.#heard.soundUntilMs, this.#startedAtMs);
    if (atMs > sinceMs) this.#waited(atMs - sinceMs);
  }

  #waited(ms: number): void {
    this.#longestWaitMs = Math.max(this.#longestWaitMs, ms);
    if (ms > DEAD_AIR_AFTER_MS) add(this.#deadAir, ms - DEAD_AIR_AFTER_MS);
  }

  /** What was said while the agent spoke on is not answered, unless it could not interrupt. */
  #isBackchannel(atMs: number, effects: readonly CallEffect[]): boolean {
    const { soundUntilMs, protectedUntilMs } = this.#heard;
    if (soundUntilMs <= atMs || protectedUntilMs > atMs) return false;
    return !effects.some(({ do: what }) => what === 'session.speak');
  }

  #isProtected(utterance: string): boolean {
    if (utterance === APOLOGY) return true;
    if (!this.#greeting?.protected) return false;
    return utterance === (this.#greeting.by === 'clip' ? GREETING : this.#firstUtterance);
  }
}
