// Compares what both ends wrote down: where every frame stayed, how long it was on its way, and how fast the agent
// stopped. Pure.
import { FRAME_MS } from '../src/audio/mulaw.ts';
import {
  type Answer,
  type CallBooks,
  type CarrierBooks,
  DELTA_MS,
  type ModelBooks,
  type SessionBooks,
} from './books.ts';
import type { Range } from './stamps.ts';

/** Frames of one direction. */
export interface Account {
  sent: number;
  arrived: number;
  lost: number;
  /** Those of the lost that came before the first that arrived: what was said while the other side was not there yet. */
  lostAtStart: number;
  /** Rests of interrupted answers that were rightly not sent on. */
  dropped: number;
  repeated: number;
  disordered: number;
  /** Came on another call. */
  strays: number;
  /** Bytes that nobody sent: silence filled in, or damage. */
  foreignBytes: number;
}

/** A stretch of the shared clock. */
export interface Window {
  fromMs: number;
  toMs: number;
}

/** How the interruptions of a window went. */
export interface Stops {
  /** From `speech_started` handed to the socket to `clear` come, each. */
  stopMs: number[];
  /** Interruptions that brought no `clear`. */
  unanswered: number;
  /** Frames of an interrupted answer that came after its `clear`. */
  framesAfterClear: number;
}

/** Deltas that end later than this in their answer may be held back on purpose, by a server that sends ahead of playback. */
export const PROMPT_MS = 3_800;
/** No `clear` for this long is none. */
const CLEAR_WITHIN_MS = 1_000;

/** Both sides of each call; a call that no session heard stands alone. */
export interface Pair {
  call: CallBooks;
  session: SessionBooks | undefined;
}

export function pairs(carrier: CarrierBooks, model: ModelBooks): Pair[] {
  const byLine = new Map(model.sessions.map((session) => [session.heard.line, session]));
  return carrier.calls.map((call) => ({ call, session: byLine.get(call.number) }));
}

/** The caller's frames. */
export function accountToModel(all: readonly Pair[]): Account {
  const account = nothing();
  for (const { call, session } of all) {
    const sent = call.sentAtMs.length;
    account.sent += sent;
    if (!session) {
      account.lost += sent;
      account.lostAtStart += sent;
      continue;
    }
    const missing = lengthOf(session.heard.missing) + Math.max(0, sent * FRAME_MS - session.heard.next);
    account.lost += missing / FRAME_MS;
    account.lostAtStart += lengthOf(session.heard.missing.filter(({ from }) => from === 0)) / FRAME_MS;
    account.arrived += sent - missing / FRAME_MS;
    addFaults(account, session.heard);
  }
  return account;
}

/** The agent's frames. What is missing at the end of an interrupted answer was dropped, everything else is lost. */
export function accountToCarrier(all: readonly Pair[]): Account {
  const account = nothing();
  for (const { call, session } of all) {
    if (!session) continue;
    const written = session.answers.at(-1)?.to ?? 0;
    account.sent += written / FRAME_MS;
    const missing = missingOf(call, written);
    const dropped = session.answers.reduce((sum, answer) => sum + lengthOf([droppedOf(answer, missing)]), 0);
    const lost = lengthOf(missing) - dropped;
    account.dropped += dropped / FRAME_MS;
    account.lost += lost / FRAME_MS;
    account.arrived += (written - dropped - lost) / FRAME_MS;
    addFaults(account, call.heard);
    if (call.heard.line !== null && call.heard.line !== session.number) account.strays += call.heard.next / FRAME_MS;
  }
  return account;
}

/** Ms from socket to socket of each caller frame that was sent in the window. */
export function delaysToModel(
  all: readonly Pair[],
  carrier: CarrierBooks,
  model: ModelBooks,
  window: Window,
): number[] {
  const delays: number[] = [];
  for (const { call, session } of all) {
    if (!session) continue;
    const came = cameAt(session.arrivedAtMs, session.heard.missing, FRAME_MS);
    collect(delays, call.sentAtMs, came, { from: carrier.clockOriginMs, to: model.clockOriginMs }, window);
  }
  return delays;
}

/** Ms from socket to socket of each delta that was sent in the window and that nothing holds back on purpose. */
export function delaysToCarrier(
  all: readonly Pair[],
  carrier: CarrierBooks,
  model: ModelBooks,
  window: Window,
): number[] {
  const delays: number[] = [];
  for (const { call, session } of all) {
    if (!session) continue;
    const sent = session.sentAtMs.slice();
    for (const { from, to } of session.answers)
      for (let end = from + DELTA_MS; end <= to; end += DELTA_MS)
        if (end - from > PROMPT_MS) sent[end / DELTA_MS - 1] = Number.NaN;
    const came = cameAt(call.arrivedAtMs, call.heard.missing, DELTA_MS);
    collect(delays, sent, came, { from: model.clockOriginMs, to: carrier.clockOriginMs }, window);
  }
  return delays;
}

export function stopsOf(all: readonly Pair[], carrier: CarrierBooks, model: ModelBooks, window: Window): Stops {
  const stops: Stops = { stopMs: [], unanswered: 0, framesAfterClear: 0 };
  for (const { call, session } of all) {
    for (const answer of session?.answers ?? []) {
      if (answer.interruptedAtMs === null) continue;
      const toldAtMs = model.clockOriginMs + answer.interruptedAtMs;
      if (toldAtMs < window.fromMs || toldAtMs > window.toMs) continue;
      const clear = call.clears.find(({ atMs }) => {
        const afterMs = carrier.clockOriginMs + atMs - toldAtMs;
        return afterMs >= 0 && afterMs < CLEAR_WITHIN_MS;
      });
      if (!clear) {
        stops.unanswered++;
        continue;
      }
      stops.stopMs.push(carrier.clockOriginMs + clear.atMs - toldAtMs);
      const cameUntil = droppedOf(answer, missingOf(call, answer.to)).from;
      stops.framesAfterClear += Math.max(0, cameUntil - clear.next) / FRAME_MS;
    }
  }
  return stops;
}

const nothing = (): Account => ({
  sent: 0,
  arrived: 0,
  lost: 0,
  lostAtStart: 0,
  dropped: 0,
  repeated: 0,
  disordered: 0,
  strays: 0,
  foreignBytes: 0,
});

const lengthOf = (ranges: readonly Range[]): number => ranges.reduce((sum, { from, to }) => sum + to - from, 0);

function addFaults(account: Account, heard: CallBooks['heard']): void {
  account.repeated += heard.repeated / FRAME_MS;
  account.disordered += heard.disordered / FRAME_MS;
  account.strays += heard.strays / FRAME_MS;
  account.foreignBytes += heard.foreignBytes;
}

/** Everything of the agent's audio that did not come, up to `writtenMs`. */
function missingOf({ heard }: CallBooks, writtenMs: number): Range[] {
  return [...heard.missing, ...(heard.next < writtenMs ? [{ from: heard.next, to: writtenMs }] : [])];
}

/** The rest of an interrupted answer that did not come; empty at its end when all came or it was not interrupted. */
function droppedOf(answer: Answer, missing: readonly Range[]): Range {
  const rest = missing.find(({ from, to }) => from < answer.to && to >= answer.to);
  if (answer.interruptedAtMs === null || !rest) return { from: answer.to, to: answer.to };
  return { from: Math.max(answer.from, rest.from), to: answer.to };
}

/** Times of arrival by unit of audio; NaN where the unit's last millisecond never came and a later one told the time. */
function cameAt(arrivedAtMs: Float64Array, missing: readonly Range[], unitMs: number): Float64Array {
  const came = arrivedAtMs.slice();
  for (const { from, to } of missing)
    for (let unit = Math.floor(from / unitMs); (unit + 1) * unitMs <= to; unit++) came[unit] = Number.NaN;
  return came;
}

function collect(
  delays: number[],
  sentAtMs: Float64Array,
  cameAtMs: Float64Array,
  origins: { from: number; to: number },
  window: Window,
): void {
  const count = Math.min(sentAtMs.length, cameAtMs.length);
  for (let i = 0; i < count; i++) {
    const sent = origins.from + (sentAtMs[i] as number);
    const came = origins.to + (cameAtMs[i] as number);
    if (sent >= window.fromMs && sent <= window.toMs && !Number.isNaN(came)) delays.push(came - sent);
  }
}
