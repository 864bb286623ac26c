// Everything that can happen to a call. Edges report; the shell stamps each with its time and origin; the machine decides.
import type { LegEvent } from '../carrier/carrier.ts';
import type { RealtimeEvent } from '../realtime/session.ts';
import type { EndReason } from './termination.ts';

/**
 * Where something happened: which leg, which model session, in which epoch of the call. One of each exists today; a
 * second leg, a prepared second session or a resume on another node raises them, and what carries an old epoch is void.
 */
export interface Origin {
  leg: string;
  session: string;
  epoch: number;
}

/** When (monotonic milliseconds, one value per outside input) and where. */
export interface Stamp {
  atMs: number;
  on: Origin;
}

/** The timers a call may have; each exists at most once. */
export type TimerName =
  /** The carrier has not opened the media socket. */
  | 'media'
  /** More audio may go to the carrier. */
  | 'pace'
  /** The model owes an answer, or stopped in the middle of one. */
  | 'stall'
  /** The caller hears nothing and waits: a moment is asked for. */
  | 'filler'
  /** No session becomes ready. */
  | 'recovery'
  /** The carrier has not brought a caller back whose media went away. */
  | 'resume'
  /** The session nears the end of its life: another is prepared. */
  | 'rollover'
  /** Nobody speaks. */
  | 'silence'
  /** A farewell takes too long. */
  | 'farewell'
  /** The call has lasted as long as it may. */
  | 'duration'
  /** The caller has pressed no further key. */
  | 'keypad'
  /** The caller agreed, and nobody knows the words yet. */
  | 'consent'
  /** A step of a hand-over to a person takes too long. */
  | 'transfer'
  /** Caller audio stopped arriving while the caller speaks. */
  | 'input'
  /** The caller has spoken long enough to count as interrupting. */
  | 'barge_in';

/** How much of a budget is used: less than 80 %, less than all, or all. */
export type BudgetShare = 'low' | 'near' | 'spent';

/** Why a person did not take the call, or did not keep it. */
export type MissedBecause = 'busy' | 'no_answer' | 'declined' | 'failed' | 'left' | 'unavailable';

/** What the call's own shell reports. */
export type ShellEvent =
  /** The call was let in; its model session is opening. */
  | { type: 'call.admitted' }
  | { type: 'timer.fired'; timer: TimerName }
  | { type: 'tool.settled'; toolCall: string; status: string; output: string }
  /** What may still be spent; `share` is of the budget that is nearest to its end. */
  | { type: 'budget.changed'; reserved: boolean; share: BudgetShare }
  /** The carrier has taken the caller where it was told to. */
  | { type: 'person.moved' }
  /** A person who was rung up has answered, and hears what it is about. */
  | { type: 'person.hears' }
  /** A person takes the call: by a key, or by answering. */
  | { type: 'person.took' }
  /** A person does not take the call, or left it at once; `detail` is the carrier's word for it. */
  | { type: 'person.missed'; because: MissedBecause; detail: string }
  /** An operator tells the agent something that the caller does not hear. */
  | { type: 'operator.whispered'; text: string }
  /** An operator has the agent say this to the caller. */
  | { type: 'operator.said'; text: string }
  /** An operator hands the caller over to a target of the agent file. */
  | { type: 'operator.transfers'; target: string }
  /** Somebody inside wants the call over, with a spoken wrap-up if there is a line: drain, operator. */
  | { type: 'call.asked_to_end'; reason: EndReason };

export type UnstampedEvent = LegEvent | RealtimeEvent | ShellEvent;
export type CallEvent = Stamp & UnstampedEvent;
