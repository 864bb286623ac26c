// How good a call was for its caller, as a number from 0 to 100 with its reasons: every point that is missing stands in
// the record beside what it was taken for. Pure. What is measured comes from quality-tracker.ts; why each weight is what it
// is, is argued in docs/operations.md ("The quality of a call").

/** What a caller got of one call. Milliseconds are whole; every time is the feed's own. */
export interface QualityMeasures {
  /** The caller's audio: frames that came; of these the late ones; frames of silence put in where none came. */
  frames: { received: number; late: number; filled: number };
  /** Gaps inside an utterance. */
  underruns: { count: number; ms: number };
  /** Waits for the agent of more than two seconds with nothing to hear: how many, their time beyond two seconds each. */
  deadAir: { count: number; beyondMs: number; longestMs: number };
  /** Caller and agent heard at once. */
  talkOverMs: number;
  /** Speech that stopped the agent: from its report to the clear. */
  bargeIns: { count: number; meanMs: number; slowestMs: number };
  /** Media start → first sound; null when the agent never made one. */
  firstWordMs: number | null;
  /** The caller's last words → first sound of the answer. */
  answers: { count: number; meanMs: number; slowestMs: number };
  /** How often the caller was asked for a moment. */
  holds: number;
  /**
   * Model sessions: opened, of these with the agent's fallback model; lost under the call and replaced; replaced in a
   * pause before their life ended.
   */
  sessions: { opened: number; fallback: number; lost: number; rolledOver: number };
  /** The carrier's media: whether it ever started, how often it was lost and came back, and how long it was away in all. */
  media: { started: boolean; lost: number; awayMs: number };
  /** Answers and tool calls that failed. */
  failures: { answers: number; tools: number };
}

/** What points are taken for, in the order of the record. */
export const QUALITY_PARTS = [
  'unfinished',
  'dead_air',
  'lost_session',
  'lost_media',
  'first_word',
  'answer_time',
  'failed_answer',
  'underrun',
  'caller_audio',
  'late_audio',
  'talk_over',
  'barge_in',
] as const;

export type QualityPart = (typeof QUALITY_PARTS)[number];

/** Points taken for one part, and for what: numbers only, no word of anybody. */
export interface Deduction {
  part: QualityPart;
  points: number;
  why: string;
}

/** The part of a record that tells how the call was for the caller. */
export interface CallQuality extends QualityMeasures {
  /** 100 less all deductions, at least 0; null when the media never started, so that there was nothing to hear. */
  score: number | null;
  deductions: Deduction[];
}

/** What the score needs to know of a call beside its measures. */
export interface Circumstances {
  /** The call ended by a failure. */
  failed: boolean;
  /** The agent speaks first. */
  greets: boolean;
  /** How long a caller must speak to interrupt, as the agent file says. */
  interruptAfterMs: number;
}

/** Silence up to here is thinking; beyond it a caller takes the line for dead. */
export const DEAD_AIR_AFTER_MS = 2_000;
/** A wait up to here costs nothing. */
const PROMPT_MS = 1_000;
/** Reaction beyond the agent's own `interrupt_after_ms` that nobody notices. */
const QUICK_STOP_MS = 300;
/** Talking at once up to here is how people take turns. */
const USUAL_TALK_OVER_MS = 1_000;

/** One rule: how much of what is taken for how many points. */
interface Rule {
  part: QualityPart;
  /** What counts, in units of which each costs `each` points. */
  units: number;
  each: number;
  most: number;
  why: string;
}

/** The score of a call and why it is not 100. */
export function judge(m: QualityMeasures, circumstances: Circumstances): CallQuality {
  if (!m.media.started) return { score: null, deductions: [], ...m };
  const deductions = rules(m, circumstances).flatMap(({ part, units, each, most, why }): Deduction[] => {
    const points = Math.min(most, Math.round(units * each));
    return points > 0 ? [{ part, points, why }] : [];
  });
  const lost = deductions.reduce((sum, { points }) => sum + points, 0);
  return { score: Math.max(0, 100 - lost), deductions, ...m };
}

function rules(m: QualityMeasures, { failed, greets, interruptAfterMs }: Circumstances): Rule[] {
  const frames = m.frames.received + m.frames.filled;
  const lostSessions = m.sessions.lost;
  const slowStopMs = m.bargeIns.slowestMs - interruptAfterMs;
  return [
    { part: 'unfinished', units: failed ? 1 : 0, each: 30, most: 30, why: 'the call ended by a failure' },
    {
      part: 'dead_air',
      units: m.deadAir.beyondMs / 1_000,
      each: 5,
      most: 40,
      why: `${seconds(m.deadAir.beyondMs)} of silence beyond 2 s, in ${times(m.deadAir.count, 'wait')}`,
    },
    {
      part: 'lost_session',
      units: lostSessions,
      each: 5,
      most: 15,
      why: `${times(lostSessions, 'model session')} lost and replaced`,
    },
    {
      part: 'lost_media',
      units: m.media.lost,
      each: 5,
      most: 15,
      why: `the carrier's media was lost and came back ${times(m.media.lost, 'time')}, after ${seconds(m.media.awayMs)}`,
    },
    {
      part: 'first_word',
      units: greets && m.firstWordMs !== null ? slow(m.firstWordMs) : 0,
      each: 1,
      most: 10,
      why: `first sound after ${seconds(m.firstWordMs ?? 0)}`,
    },
    {
      part: 'answer_time',
      units: slow(m.answers.meanMs),
      each: 1,
      most: 10,
      why: `answers came after ${seconds(m.answers.meanMs)} on the mean of ${m.answers.count}`,
    },
    {
      part: 'failed_answer',
      units: m.failures.answers,
      each: 2,
      most: 10,
      why: `${times(m.failures.answers, 'answer')} of the model failed`,
    },
    {
      part: 'underrun',
      units: m.underruns.ms / 100,
      each: 1,
      most: 20,
      why: `${seconds(m.underruns.ms)} of gaps inside the agent's speech, in ${m.underruns.count}`,
    },
    {
      part: 'caller_audio',
      units: percent(m.frames.filled, frames),
      each: 2,
      most: 15,
      why: `${percent(m.frames.filled, frames).toFixed(1)} % of the caller's audio was missing`,
    },
    {
      part: 'late_audio',
      units: percent(m.frames.late, m.frames.received),
      each: 0.5,
      most: 5,
      why: `${percent(m.frames.late, m.frames.received).toFixed(1)} % of the caller's frames came late`,
    },
    {
      part: 'talk_over',
      units: Math.max(0, m.talkOverMs - USUAL_TALK_OVER_MS) / 1_000,
      each: 1,
      most: 10,
      why: `caller and agent spoke at once for ${seconds(m.talkOverMs)}`,
    },
    {
      part: 'barge_in',
      units: Math.max(0, slowStopMs - QUICK_STOP_MS) / 100,
      each: 1,
      most: 10,
      why: `the agent stopped ${seconds(m.bargeIns.slowestMs)} after the caller began to speak`,
    },
  ];
}

/** Tenths of a second between one and two seconds: beyond two it is dead air, which has a rule of its own. */
const slow = (ms: number): number => Math.max(0, Math.min(ms, DEAD_AIR_AFTER_MS) - PROMPT_MS) / 100;

const percent = (part: number, whole: number): number => (whole === 0 ? 0 : (part / whole) * 100);
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const times = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
