// What became of one call, and what must not have been: too long a silence, an end without a name or with two, a caller cut
// off, a control that was hurt. Pure.
import { END_REASONS } from '../call/termination.ts';
import { type FaultName, faultKind } from './fault-kinds.ts';
import { type HeardCall, hearCall, type KnownClip, type Silence } from './heard-call.ts';
import type { CallRecord } from '../record/call-record.ts';
import type { PhoneResult } from '../phone/phone-result.ts';
import type { CallPlan } from './plan.ts';
import type { Stalls } from './stalls.ts';
import type { Struck } from './struck-call.ts';

/** What the caller got, in one word of a table. */
export const OUTCOMES = [
  'unnoticed',
  'recovered',
  'filler, recovered',
  'resumed',
  'forward',
  'voicemail',
  'apology',
  'hung up',
  'refused',
  'cut off',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What is known of one call when it is over. */
export interface JudgedCall {
  call: {
    plan: CallPlan;
    struck: readonly Struck[];
    sessions: readonly { model: string }[];
    /** Null: it was not let in. */
    callId: string | null;
  };
  phone: { zeroMs: number; agentAudio(): Uint8Array };
  result: Pick<PhoneResult, 'announced' | 'said' | 'streamMs' | 'streams' | 'verbs' | 'timedOut' | 'warnings'>;
  /** Null: the server wrote none in time. */
  record: { end: Omit<CallRecord['end'], 'next'> } | null;
  /** How many the server wrote. */
  records: number;
  /** How many ends the server told of. */
  ends: number;
  log: readonly string[];
  /** By the clock. */
  fromMs: number;
  toMs: number;
}

export interface Verdict {
  number: number;
  control: boolean;
  faults: FaultName[];
  planned: FaultName[];
  outcome: Outcome;
  reason: string | null;
  /** Without the time for which this process stood still. */
  longestUnexplainedMs: number;
  /** False: this process stood still for so long meanwhile that nothing can be said of the sound. */
  soundJudged: boolean;
  /** What must not be. */
  violations: string[];
  overlong: boolean;
  unnamed: boolean;
  stuck: boolean;
  hurt: boolean;
  /** When it was placed, and when it was over. */
  fromMs: number;
  toMs: number;
  /** When each of its faults struck. */
  strikes: { fault: FaultName; atMs: number }[];
  heard: HeardCall;
}

/** How exactly silences are known: the edges of two sounds. */
const MEASURED_TO_MS = 100;
const ALLOWED_MS = 2_000;
/** A call's sockets are given up on 1.5 s after its end. */
const SWEPT_WITHIN_MS = 3_000;
const STOOD_STILL_MS = 300;
/** Who stands still for longer during one call lets timeouts strike that nobody drew, and is no witness of its silences. */
const STOOD_STILL_TOO_LONG_MS = 2_000;
/** In these the caller leaves, or is sent away by others. */
const LEAVES: readonly FaultName[] = [
  'stop_without_close',
  'close_without_stop',
  'sent_elsewhere',
  'status_before_stop',
];
/** In these nothing passes on the media socket, and only time can tell; so it is with the faults of REST. */
const DEAD_SOCKETS: readonly FaultName[] = ['stops_reading', 'half_open', 'half_open_noticed'];
/** After these nothing of ours can reach the caller, unless the carrier opens another stream. */
const SILENCES: readonly FaultName[] = ['stops_reading', 'half_open', 'rest_refuses_once'];

/**
 * How long a silence may last. Only what is sent shows that a socket is dead: where another fault delays the next sound, its
 * time comes before.
 */
function allowedFor(faults: readonly FaultName[]): number {
  const isDead = (fault: FaultName): boolean => DEAD_SOCKETS.includes(fault) || faultKind(fault).family === 'rest';
  const delayed = faults.some((fault) => ['model', 'tool'].includes(faultKind(fault).family));
  const allowedMs = Math.max(ALLOWED_MS, ...faults.map((fault) => faultKind(fault).silentMs));
  return faults.some(isDead) && delayed ? allowedMs + ALLOWED_MS : allowedMs;
}

/** @param stalls when this process itself stood still: that is nobody's silence */
export function judge(ended: JudgedCall, clips: readonly KnownClip[], stalls: Pick<Stalls, 'between'>): Verdict {
  const { call, phone, result, record, records, ends, log } = ended;
  const { plan } = call;
  const heard = hearCall(result, phone.agentAudio(), clips);
  const owedMs = ({ fromMs, toMs, unexplainedMs }: Silence): number =>
    Math.max(0, Math.round(unexplainedMs - stalls.between(phone.zeroMs + fromMs, phone.zeroMs + toMs)));
  const faults = [...new Set(call.struck.map(({ strike }) => strike.fault))];
  const outcome = outcomeOf(ended, heard);
  const reason = record?.end.reason ?? null;
  const violations: string[] = [];
  const allowedMs = allowedFor(faults);
  const worst = heard.silences.toSorted((a, b) => owedMs(b) - owedMs(a))[0];
  const soundJudged = stalls.between(ended.fromMs, ended.toMs) <= STOOD_STILL_TOO_LONG_MS;
  const overlong = soundJudged && worst !== undefined && owedMs(worst) > allowedMs + MEASURED_TO_MS;
  if (overlong)
    violations.push(
      `${owedMs(worst)} ms of silence unexplained (${worst.fromMs} to ${worst.toMs}, after ${worst.after}; allowed ${allowedMs})`,
    );
  const letIn = call.callId !== null;
  const unnamed =
    letIn && (reason === null || !END_REASONS.some((known) => known === reason) || ends !== 1 || records !== 1);
  if (unnamed) violations.push(`ends: ${ends} told, ${records} records, reason ${reason ?? 'none'}`);
  // The bound on its sockets ends a call also where the process stood still meanwhile: then they had no time.
  const stood = stalls.between(ended.toMs - SWEPT_WITHIN_MS, ended.toMs + SWEPT_WITHIN_MS) > STOOD_STILL_MS;
  const swept = log.some((line) => line.includes('did not go in time')) && !stood;
  const stuck = result.timedOut || swept || log.some((line) => line.includes('left over'));
  if (stuck) violations.push(result.timedOut ? 'the call never ended' : 'sockets of the call did not go in time');
  if (reason === 'internal_error') violations.push('the call ended as internal_error');
  // Straight to the ladder: the caller must have heard what follows.
  if (!letIn && (!faults.includes('circuit_open') || outcome === 'refused')) violations.push('the call was not let in');
  if (soundJudged && outcome === 'cut off' && !faults.some((fault) => SILENCES.includes(fault)))
    violations.push(`cut off: the agent broke off and the call was over (${reason ?? 'no reason'})`);
  const control = plan.strikes.length === 0;
  const warned = result.warnings.map(({ code }) => code);
  const disturbed = soundJudged && (outcome !== 'unnoticed' || warned.length > 0);
  const hurt = control && (violations.length > 0 || disturbed);
  if (hurt && violations.length === 0)
    violations.push(`a control was hurt: ${outcome}, ${reason ?? 'no reason'}, warnings ${warned.join(' ') || 'none'}`);
  return {
    number: plan.number,
    ...{ control, faults, outcome, reason, violations, soundJudged, overlong, unnamed, stuck, hurt, heard },
    ...{ fromMs: ended.fromMs, toMs: ended.toMs },
    strikes: call.struck.map(({ strike, clockMs }) => ({ fault: strike.fault, atMs: clockMs })),
    planned: plan.strikes.map(({ fault }) => fault),
    longestUnexplainedMs: worst === undefined ? 0 : owedMs(worst),
  };
}

const isHeard = ({ clips }: HeardCall, name: string): boolean => clips.some((clip) => clip.name === name);

function outcomeOf({ call, result, record }: JudgedCall, heard: HeardCall): Outcome {
  const verbs = result.verbs.map(({ name }) => name);
  if (verbs.includes('Dial')) return 'forward';
  if (verbs.includes('Record')) return 'voicemail';
  if (call.callId === null) return result.announced.length > 0 ? 'apology' : 'refused';
  if (isHeard(heard, 'apology')) return 'apology';
  const faults = call.struck.map(({ strike }) => strike.fault);
  if (faults.some((fault) => LEAVES.includes(fault))) return 'hung up';
  const overMs = result.streams.at(-1)?.toMs ?? 0;
  if (result.announced.some(({ verb, atMs }) => verb === 'Say' && atMs >= overMs)) return 'apology';
  const back = result.streams.length > 1;
  if (heard.cutOff || record?.end.result !== 'success') return 'cut off';
  if (back) return 'resumed';
  const another = call.sessions.length > 1 || call.sessions.some(({ model }) => model.endsWith('-fallback'));
  if (isHeard(heard, 'hold')) return 'filler, recovered';
  return another ? 'recovered' : 'unnoticed';
}
