// What a replayed call came to, measured from what its two sides sounded like. Pure: the phone's result and audio in, the
// call's result out; words, tools and cost come from the server's record, where there is one.
import { bytesToMs } from '../audio/mulaw.ts';
import type { CallRecord, ToolRecord, Turn } from '../record/call-record.ts';
import type { CheckedStop } from './buffer-check.ts';
import type { AnswerLatency, BargeIn, CallResult, DeadAir, ResultTool, ResultTurn, Span } from './call-result.ts';
import { soundSpans } from './loudness.ts';
import type { PhoneResult } from '../phone/phone-result.ts';
import { dialled, type Reached } from './replay-people.ts';

export interface MeasuredCall {
  /** The file that was replayed. */
  source: string;
  result: PhoneResult;
  /**
   * PCMU of both sides, from the start of the first stream: `callerAudio()` and `agentAudio()` of the phone. A phone told
   * to keep no audio has none to measure.
   */
  callerAudio: Uint8Array;
  agentAudio: Uint8Array;
  /** Null: nothing is known of words, tools, cost and reason. */
  record: CallRecord | null;
  stops: readonly CheckedStop[];
  /** Absent: only what the call itself dialled is known. */
  reached?: Reached | undefined;
}

/** Longer silence of both sides makes a caller ask whether anyone is there. */
const DEAD_AIR_MS = 2_000;
/** An agent who falls silent this soon after the caller's onset gave way, even where no `clear` shows it. */
const GIVES_WAY_MS = 1_000;
/** What a caller says for so long wants an answer; "yes" and "mhm" are shorter. */
const WANTS_ANSWER_MS = 1_000;
/** How exactly edges of sound are known: a lesser overlap is none. */
const EDGE_MS = 40;

/** One call's result. Times count from the start of the first media stream, also through further ones. */
export function measureCall(call: MeasuredCall): CallResult {
  const { source, result, record } = call;
  const callerSpoke = soundSpans(call.callerAudio);
  const agentSpoke = cutAtClears(soundSpans(call.agentAudio), result);
  const announced = result.announced.map(({ verb, about, atMs, durationMs }) => ({
    verb,
    about,
    fromMs: Math.round(atMs),
    toMs: Math.round(atMs + durationMs),
  }));
  const heard = merged([...agentSpoke, ...announced]).filter(({ toMs }) => toMs > 0);
  const bargeIns = bargeInsOf(callerSpoke, agentSpoke, call);
  const answers = answersOf(callerSpoke, heard, bargeIns);
  const durationMs = Math.round(result.streamMs);
  const latencies = answers.map(({ ms }) => ms);
  return {
    v: 1,
    source,
    callSid: result.callSid,
    callId: record?.callId ?? null,
    end: {
      by: result.endedBy,
      callStatus: result.callStatus,
      reason: record?.end.reason ?? null,
      result: record?.end.result ?? null,
      timedOut: result.timedOut,
    },
    durationMs,
    firstSoundMs: heard[0] ? Math.max(0, heard[0].fromMs) : null,
    turns: record ? record.turns.map(turnOf) : spokenTurns(callerSpoke, agentSpoke),
    callerSpoke,
    agentSpoke,
    announced,
    answers,
    answerP50Ms: percentile(latencies, 0.5),
    answerP95Ms: percentile(latencies, 0.95),
    bargeIns,
    unanswered: unansweredOf(callerSpoke, heard, result.endedBy, durationMs),
    deadAir: deadAirOf(callerSpoke, heard, durationMs),
    talkOverMs: talkOver(callerSpoke, agentSpoke),
    keysPressed: result.keys.map(({ digit }) => digit).join(''),
    tools: record ? record.tools.map(toolOf) : null,
    costUsd: record ? record.cost.totalNanoUsd / 1e9 : null,
    verbs: result.verbs.map(({ name, about }) => ({ name, about })),
    transfers: call.reached?.transfers ?? dialled(result),
    messages: call.reached?.messages ?? null,
    warnings: result.warnings,
    webhookMs: Math.round(result.webhookMs),
    underruns: result.underruns.map(({ atMs, gapMs }) => ({ atMs: Math.round(atMs), gapMs: Math.round(gapMs) })),
    unplayedMs: Math.round(bytesToMs(result.unplayedBytes)),
    framesSent: result.framesSent,
    framesLate: result.framesLate,
  };
}

/** A `clear` ends what sounds, however soon the agent speaks again: that pause is not one between two words. */
function cutAtClears(spans: readonly Span[], { clears, heard }: PhoneResult): Span[] {
  return spans.flatMap(({ fromMs, toMs }) => {
    const pieces = [{ fromMs, toMs }];
    for (const { atMs, droppedBytes } of clears) {
      const again = heard.find((segment) => segment.atMs >= atMs)?.atMs ?? toMs;
      const last = pieces.at(-1);
      if (!last || droppedBytes === 0 || atMs <= last.fromMs || again >= last.toMs) continue;
      pieces.push({ fromMs: Math.round(again), toMs: last.toMs });
      last.toMs = Math.round(atMs);
    }
    return pieces;
  });
}

/**
 * An answer is the agent's first onset after a stretch of caller speech, before the caller speaks again: so of several
 * stretches in a row only the last is answered. Where the agent still sounded when the caller ended, there is an answer
 * only if it gave way, and it begins after that.
 */
function answersOf(caller: readonly Span[], agent: readonly Span[], bargeIns: readonly BargeIn[]): AnswerLatency[] {
  return caller.flatMap((spoke, i) => {
    const callerEndMs = spoke.toMs;
    const again = caller[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    const still = agent.some(({ fromMs, toMs }) => fromMs < callerEndMs && toMs > callerEndMs);
    const gaveWay = bargeIns.some(({ atMs, stopMs }) => atMs === spoke.fromMs && stopMs !== null);
    if (still && !gaveWay) return [];
    const next = agent.find(({ fromMs }) => fromMs >= callerEndMs);
    if (!next || next.fromMs >= again) return [];
    return [{ callerEndMs, agentStartMs: next.fromMs, ms: next.fromMs - callerEndMs }];
  });
}

/**
 * Caller onsets while the agent could be heard, or in a pause of a talk that a `clear` then stopped. The agent gave way
 * where a `clear` fell to this onset, or where it was silent within a second; else it spoke on.
 */
function bargeInsOf(caller: readonly Span[], agent: readonly Span[], call: MeasuredCall): BargeIn[] {
  const { clears } = call.result;
  const owners = clears.map(({ atMs }) => {
    const latest = caller.findLast(({ fromMs }) => fromMs <= atMs + EDGE_MS);
    return latest && atMs <= latest.toMs + GIVES_WAY_MS ? latest : undefined;
  });
  const truncations = clears.map((_, i) => truncationAt(i, call));
  return caller.flatMap((spoke) => {
    const atMs = spoke.fromMs;
    const sounding = agent.find(({ fromMs, toMs }) => fromMs < atMs && toMs > atMs + EDGE_MS);
    const own = clears.findIndex((clear, i) => owners[i] === spoke && clear.droppedBytes > 0);
    const clear = clears[own];
    if (!sounding && !clear) return [];
    const lastSound = clear ? agent.findLast(({ fromMs }) => fromMs <= clear.atMs) : sounding;
    const silentMs = Math.max(0, (lastSound?.toMs ?? atMs) - atMs);
    return [
      {
        atMs,
        stopMs: clear || silentMs <= GIVES_WAY_MS ? silentMs : null,
        clearMs: clear ? Math.max(0, Math.round(clear.atMs) - atMs) : null,
        truncation: truncations[own] ?? null,
      },
    ];
  });
}

/** Of what the `clear` of this index cut, the utterance that the two sides see furthest apart; the last of equals. */
function truncationAt(index: number, { stops }: MeasuredCall): BargeIn['truncation'] {
  const apart = ({ ledgerMs, phoneMs }: CheckedStop) => Math.abs(ledgerMs - phoneMs);
  const cut = stops
    .filter(({ clear }) => clear === index)
    .toSorted((a, b) => apart(a) - apart(b))
    .at(-1);
  if (!cut) return null;
  const { utterance, ledgerMs, phoneMs } = cut;
  return { utterance, ledgerMs, phoneMs, errorMs: ledgerMs - phoneMs };
}

const wantsAnswer = ({ fromMs, toMs }: Span): boolean => toMs - fromMs >= WANTS_ANSWER_MS;

/** Whether the agent began to speak after the caller did, and was heard once the caller had ended. */
const isAnswered = (spoke: Span, agent: readonly Span[], untilMs: number): boolean =>
  agent.some(({ fromMs, toMs }) => fromMs > spoke.fromMs && toMs > spoke.toMs && fromMs < untilMs);

/**
 * Caller stretches that want an answer and got none, although the caller waited for one, or was hung up on. A pause of
 * the caller's own, too short for dead air, is no waiting.
 */
function unansweredOf(
  caller: readonly Span[],
  agent: readonly Span[],
  endedBy: PhoneResult['endedBy'],
  durationMs: number,
): Span[] {
  return caller.filter((spoke, i) => {
    const untilMs = caller[i + 1]?.fromMs ?? durationMs;
    const waited = untilMs - spoke.toMs > DEAD_AIR_MS || (i === caller.length - 1 && endedBy === 'server');
    return wantsAnswer(spoke) && waited && !isAnswered(spoke, agent, untilMs);
  });
}

/**
 * Silence of both sides, from the start of the stream to its end. Whoever spoke last waits for the other; so does a caller
 * whom the agent spoke over and did not answer.
 */
function deadAirOf(caller: readonly Span[], agent: readonly Span[], durationMs: number): DeadAir[] {
  const silences: DeadAir[] = [];
  let fromMs = 0;
  const quietUntil = (toMs: number) => {
    if (toMs - fromMs <= DEAD_AIR_MS) return;
    const lastOf = (side: readonly Span[]) =>
      Math.max(-1, ...side.map((span) => span.toMs).filter((ms) => ms <= fromMs));
    const asked = caller.findLast((spoke) => spoke.toMs <= fromMs && wantsAnswer(spoke));
    const ignored = asked !== undefined && !isAnswered(asked, agent, fromMs);
    const waitingFor = lastOf(agent) > lastOf(caller) && !ignored ? 'caller' : 'agent';
    silences.push({ fromMs, toMs, waitingFor });
  };
  for (const sound of merged([...caller, ...agent])) {
    quietUntil(Math.min(sound.fromMs, durationMs));
    fromMs = Math.max(fromMs, sound.toMs);
  }
  quietUntil(durationMs);
  return silences;
}

function talkOver(caller: readonly Span[], agent: readonly Span[]): number {
  const both = caller.flatMap((c) => agent.map((a) => Math.min(a.toMs, c.toMs) - Math.max(a.fromMs, c.fromMs)));
  return both.reduce((sum, ms) => sum + Math.max(0, ms), 0);
}

function turnOf(turn: Turn): ResultTurn {
  if (turn.who === 'caller') {
    const { speechStartAtMs, committedAtMs, transcript } = turn;
    return { who: 'caller', atMs: speechStartAtMs ?? committedAtMs ?? 0, text: transcript, unheardText: '' };
  }
  const { soundAtMs, startAtMs, heardText, unheardText } = turn;
  return { who: 'agent', atMs: soundAtMs ?? startAtMs, text: heardText, unheardText };
}

const toolOf = ({ name, atMs, status, arguments: args, output }: ToolRecord): ResultTool => ({
  name,
  atMs,
  status,
  arguments: args,
  output,
});

function spokenTurns(caller: readonly Span[], agent: readonly Span[]): ResultTurn[] {
  const turns = (who: ResultTurn['who'], spans: readonly Span[]) =>
    spans.map(({ fromMs }): ResultTurn => ({ who, atMs: fromMs, text: null, unheardText: '' }));
  return [...turns('caller', caller), ...turns('agent', agent)].toSorted((a, b) => a.atMs - b.atMs);
}

/** Overlapping spans as one, by time. */
function merged(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const { fromMs, toMs } of spans.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = joined.at(-1);
    if (last && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else joined.push({ fromMs, toMs });
  }
  return joined;
}

/** By nearest rank; null for none. */
function percentile(values: readonly number[], share: number): number | null {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * values.length) - 1)] ?? null;
}
