// The state of a call: a union by phase, plain JSON, versioned. Each phase holds what exists in that phase.
import type { BudgetState } from './budget.ts';
import type { SessionCapabilities } from '../realtime/session.ts';
import type { NextStep } from '../carrier/carrier.ts';
import type { Origin, TimerName } from './event.ts';
import type { History } from './history.ts';
import { emptyPlayback, type Playback } from './playback.ts';
import type { CallPolicy } from './policy.ts';
import type { EndReason, Termination } from './termination.ts';

/** An agent that the call may be handed to: how it goes on then. */
export interface HandOffAgent {
  policy: CallPolicy;
  capabilities: SessionCapabilities;
}

interface CallFacts {
  v: 1;
  callId: string;
  direction: 'inbound' | 'outbound';
  /** The leg, session and epoch that count now; events of others are ignored. */
  on: Origin;
  policy: CallPolicy;
  capabilities: SessionCapabilities;
}

/** Who has the floor, and what the model owes. */
export interface Turn {
  callerSpeaking: boolean;
  /** When the caller's speech will count as interrupting; null = nothing pending. */
  bargeInAtMs: number | null;
  /** The answer being produced; null between answers. */
  answer: { id: string; startedAtMs: number; spoke: boolean } | null;
  /** Since when the model owes an answer; null = it owes none. */
  owedSinceMs: number | null;
  /** The model's last sign of life inside an answer. */
  lastSignMs: number;
  /** When somebody last did something: the silence clock counts from the later of this and the end of playback. */
  lastActivityMs: number;
  /** How often the silent caller was asked. */
  prompts: number;
  /** What the last answer asked for was to say; null = whatever the conversation calls for. A failed one is asked again. */
  asked: string | null;
  /** Answers in a row that failed, or were cut off by themselves. */
  failures: number;
  /** Answers in a row that only called tools. */
  wordless: number;
  /** Since when the caller waits for the outcome of tools; null = for none, or has heard something since. */
  waitsSinceMs: number | null;
  /** Keys pressed and not yet told to the model, and when the last one was. */
  keys: string;
  lastKeyMs: number;
  /** The tone of a key may be in the caller's audio until then; the model would take it for speech. */
  toneUntilMs: number;
}

/** The caller's audio clock, on the carrier's timestamps. */
export interface Hearing {
  /** Timestamp that the next frame should carry; null before the first. */
  nextTimestampMs: number | null;
  lastSequence: number;
  lastFrameAtMs: number;
  /** Silence was already sent for the stall that is going on. */
  stallFilled: boolean;
  /** When the stream was last looked at for a stall. */
  checkedAtMs: number;
  /** When the stream began, and how much audio the model was given of it, silence included. */
  sinceMs: number;
  givenMs: number;
}

/** `asking`: it waits for the caller or for a person, not for a machine. */
export type ToolState = 'running' | 'asking' | 'settled';

/** What cannot be undone waits for the caller's word. */
export interface Consent {
  tool: string;
  /** The arguments, in one order of keys. */
  args: string;
  /** `asked`: it is to be read back; `reading`: it sounds; `heard`: all of it was heard. */
  stage: 'asked' | 'reading' | 'heard';
  /** Utterances of the read-back that are still sounding, or waiting to. */
  readBack: readonly string[];
  sinceMs: number;
  /** Turns of the caller since it was heard, or since the key. Null: what was said is not known yet. */
  turns: readonly { turn: string; words: string | null }[];
  /** The caller pressed 1 since it was heard. */
  key: boolean;
  /** The caller pressed another key since it was heard. */
  refused: boolean;
  /** The same was asked for again, and only the caller's words are missing. */
  waiting: { toolCall: string; sinceMs: number } | null;
}

/** Digits that the caller is keying in. Sensitive ones are not here: the shell keeps them. */
export interface Collecting {
  toolCall: string;
  field: string;
  count: number;
  digits: string;
  sinceMs: number;
  lastKeyMs: number | null;
}

/** The caller is being handed over to a person. */
export interface Transfer {
  /** The model's tool call; an operator's hand-over has a name of that kind. */
  toolCall: string;
  by: 'model' | 'operator';
  target: string;
  /**
   * `announcing`: what is being said is heard first. `summarising`: the model sums up for the person. `calling`: the person is
   * rung up. `deciding`: the person has answered. `taken`: the person waits for the caller. `moving`: the carrier is told to
   * move the caller. `away`: the caller is with the carrier.
   */
  stage: 'announcing' | 'summarising' | 'calling' | 'deciding' | 'taken' | 'moving' | 'away';
  sinceMs: number;
  /** Words for the person, from the model's own arguments until the summary is there. */
  say: string;
}

/** What an operator has asked for. */
export interface Orders {
  /** Lines for the agent to say, in order; they wait until nobody speaks. */
  lines: readonly string[];
  /** The line that this session was asked for, and that has not sounded yet. */
  asked: { text: string; session: string } | null;
  /** Whom the caller is to be handed over to as soon as nobody speaks. */
  transferTo: string | null;
  /** Hand-overs begun so far. */
  transfers: number;
  /** What the model was told, for a session that takes over. */
  told: readonly string[];
}

/** A model that failed and was not made good yet. */
export interface Trouble {
  /** Since when the caller has been without, in what the present model is given time for. */
  sinceMs: number;
  /** Since when the caller has waited: for an answer that was owed before, or for what comes now. */
  waitingSinceMs: number;
  /** What the call ends by if nothing helps. */
  reason: EndReason;
  detail: string;
  /** The model owed an answer, or was in the middle of one. */
  owes: boolean;
  /** It was in the middle of one. */
  cut: boolean;
  /** Since when no session may have heard the caller. */
  deafSinceMs: number;
}

/** A call between two legs. */
export interface Away {
  sinceMs: number;
  /** The carrier was asked to bring the caller back. */
  asked: boolean;
  /** Something was being said, or owed. */
  owes: boolean;
  /** For so long before that nothing of the caller may have come through. */
  deafMs: number;
  /** `moved`: by us, to a person. */
  cause: 'socket_lost' | 'stopped_reading' | 'moved';
  detail: string;
  /** No model can go on, should the caller come back. */
  failed?: { reason: EndReason; detail: string };
}

interface Line extends CallFacts {
  session: 'opening' | 'ready' | 'gone';
  /** Sessions opened so far; they are named s1, s2, … */
  sessions: number;
  /** Which of the agent's models is used: 0, or 1 for its fallback. */
  target: number;
  /** When sessions of the present model were lost, the latest few. */
  lostAtMs: readonly number[];
  /** When the carrier's media was lost, the latest few. */
  legLostAtMs: readonly number[];
  /** When the carrier was last asked to bring the caller back. */
  recalledAtMs: number | null;
  /** Null while all is well. */
  trouble: Trouble | null;
  /** When the session opened, and when it became ready; for its replacement before it expires. */
  sessionSinceMs: number;
  /** The session that will replace this one; `agent`: it is another agent's, told `note` when it takes over. */
  spare: { session: string; ready: boolean; sinceMs: number; agent?: string; note?: string } | null;
  budget: BudgetState;
  /** What was said so far, for a session that takes over. */
  history: History;
  /** How often the caller was asked for a moment: in all, and since the last sound of the model. */
  holds: number;
  holdsInRow: number;
  /** When everything else had been heard, as the caller was asked for a moment: that buys the model no time. */
  heldSinceMs: number;
  playback: Playback;
  turn: Turn;
  /** Tool calls by id. */
  tools: Record<string, ToolState>;
  /** How often the caller's wait for the tools that run was filled. */
  fills: number;
  /** The latest utterance that a guardrail stopped, and how many in a row. */
  guarded: { utterance: string; inRow: number };
  consent: Consent | null;
  collecting: Collecting | null;
  /** Caller audio and keys are hidden until then: the tone of the last key may still sound. 0 = they are not. */
  hiddenUntilMs: number;
  /** Keys until then may be the rest of a secret that was given up: they belong to nobody. */
  lateKeysUntilMs: number;
  transfer: Transfer | null;
  orders: Orders;
  /** Who answers now: the agent's name; and whom it could be handed to, those of every agent that can be reached. */
  agent: string;
  handOffs: Readonly<Record<string, HandOffAgent>>;
  /** Tones of keys played so far. */
  keysPlayed: number;
  /** Armed timers and when they are due. */
  timers: Partial<Record<TimerName, number>>;
  admittedAtMs: number;
  /** The model has begun its first utterance: the greeting, if it speaks one. */
  greeted: boolean;
}

interface Connected extends Line {
  startedAtMs: number;
  /** The media went away and the caller may be brought back; null while there is a leg. */
  away: Away | null;
  hearing: Hearing;
}

/** Entered when the call is admitted; the model session opens meanwhile. Left when the carrier's media starts. */
export interface AwaitingMedia extends Line {
  phase: 'awaiting_media';
  /** Set when the model failed before the caller was there: the apology is played as soon as the media starts. */
  failed: Termination | null;
}

/** Entered with the media's start, or when the caller spoke up during a farewell. Left for a farewell or an end. */
export interface Talking extends Connected {
  phase: 'talking';
}

/** Entered when the call is to end after something was heard: a goodbye, a wrap-up, an apology. Left when it was heard. */
export interface Leaving extends Connected {
  phase: 'leaving';
  farewell: Farewell;
}

export interface Farewell {
  termination: Termination;
  next: NextStep;
  sinceMs: number;
  /** True: when the caller speaks up before it was heard, the call goes on. */
  revocable: boolean;
}

/** Entered once; only late usage is still taken. */
export interface Ended extends CallFacts {
  phase: 'ended';
  termination: Termination;
}

export type LiveState = AwaitingMedia | Talking | Leaving;
export type ConnectedState = Talking | Leaving;
export type CallState = LiveState | Ended;

/** What a call starts from. */
export interface CallOpening {
  callId: string;
  direction: 'inbound' | 'outbound';
  on: Origin;
  policy: CallPolicy;
  capabilities: SessionCapabilities;
  /** The agent's name, and those it may hand the call to. */
  agent?: string;
  handOffs?: Readonly<Record<string, HandOffAgent>>;
  /** Which of the agent's models the call begins with; default 0. */
  target?: number;
  atMs: number;
}

/** The state of a call that was just admitted. */
export const admittedCall = (o: CallOpening): AwaitingMedia => ({
  v: 1,
  phase: 'awaiting_media',
  callId: o.callId,
  direction: o.direction,
  on: o.on,
  policy: o.policy,
  capabilities: o.capabilities,
  handOffs: o.handOffs ?? {},
  agent: o.agent ?? '',
  session: 'opening',
  sessions: 1,
  target: o.target ?? 0,
  lostAtMs: [],
  legLostAtMs: [],
  recalledAtMs: null,
  trouble: null,
  sessionSinceMs: o.atMs,
  spare: null,
  budget: { held: false, told: false, over: false },
  history: [],
  holds: 0,
  holdsInRow: 0,
  heldSinceMs: 0,
  playback: emptyPlayback(),
  turn: {
    callerSpeaking: false,
    bargeInAtMs: null,
    answer: null,
    owedSinceMs: null,
    lastSignMs: o.atMs,
    lastActivityMs: o.atMs,
    prompts: 0,
    asked: null,
    failures: 0,
    wordless: 0,
    waitsSinceMs: null,
    keys: '',
    lastKeyMs: 0,
    toneUntilMs: 0,
  },
  tools: {},
  fills: 0,
  guarded: { utterance: '', inRow: 0 },
  consent: null,
  collecting: null,
  hiddenUntilMs: 0,
  lateKeysUntilMs: 0,
  transfer: null,
  orders: { lines: [], asked: null, transferTo: null, transfers: 0, told: [] },
  keysPlayed: 0,
  timers: {},
  admittedAtMs: o.atMs,
  greeted: false,
  failed: null,
});
