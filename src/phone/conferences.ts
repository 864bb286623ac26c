// The conference rooms of one account: who is in which, since when, and what ends one. A room comes into being with the
// first who enters and is over with the last who leaves, or with somebody whose leaving ends it. No clock, no sound.
import type { Cancel } from '../clock.ts';
import { newSid } from './call-params.ts';

/** Why somebody is in a room no more. `redirected`: the call was sent elsewhere. */
export type LeaveCause = 'left' | 'conference_ended' | 'removed' | 'redirected';

/** A call as it enters. */
export interface Entering {
  callSid: string;
  /** The number of whoever is at the other end. */
  party: string;
  /** `startConferenceOnEnter` */
  starts: boolean;
  /** `endConferenceOnExit` */
  ends: boolean;
  /** Everybody hears a beep when this one enters. */
  beeps: boolean;
}

/** A call in a room. */
export interface Member extends Entering {
  enteredWallMs: number;
  muted: boolean;
  hold: boolean;
}

export type ConferenceChange =
  | { change: 'entered' | 'left'; member: Member }
  | { change: 'started' }
  | { change: 'ended'; reason: ConferenceReason };

/** In the API's own words. */
export type ConferenceReason =
  | 'conference-ended-via-api'
  | 'participant-with-end-conference-on-exit-left'
  | 'participant-with-end-conference-on-exit-kicked'
  | 'last-participant-kicked'
  | 'last-participant-left';

/** Nobody starts a conference alone. */
const START_WITH = 2;
/** The carrier's own limit. */
export const MAX_PARTICIPANTS = 250;
/** Rooms beyond this many are forgotten, the oldest first. */
const MAX_REMEMBERED = 1_000;

/** A place in a room, held by a call until it leaves or is made to. */
export interface Seat {
  conference: Conference;
  member: Member;
  left: Promise<LeaveCause>;
  leave(cause: 'left' | 'redirected' | 'removed'): void;
}

interface Place {
  member: Member;
  settle: (cause: LeaveCause) => void;
}

/** One conference, from the first who enters to its end. */
export class Conference {
  readonly sid = newSid('CF');
  readonly room: string;
  readonly createdWallMs: number;
  /** `init` until there are two of whom one may start it. */
  status: 'init' | 'in-progress' | 'completed' = 'init';
  reason: ConferenceReason | undefined;
  /** The call whose leaving ended it. */
  endedBy: string | undefined;
  updatedWallMs: number;
  /** Every call that was in it. */
  readonly met = new Set<string>();
  readonly #seats: Place[] = [];
  readonly #listeners = new Set<(change: ConferenceChange) => void>();

  constructor(room: string, wallMs: number) {
    this.room = room;
    this.createdWallMs = wallMs;
    this.updatedWallMs = wallMs;
  }

  get members(): Member[] {
    return this.#seats.map(({ member }) => member);
  }

  /** Reports each change until cancelled. */
  on(listener: (change: ConferenceChange) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  enter(entering: Entering, wallMs: number): Seat {
    const member = { ...entering, enteredWallMs: wallMs, muted: false, hold: false };
    const { promise: left, resolve: settle } = Promise.withResolvers<LeaveCause>();
    this.#seats.push({ member, settle });
    this.met.add(entering.callSid);
    this.updatedWallMs = wallMs;
    this.#tell({ change: 'entered', member });
    if (this.status === 'init' && this.#seats.length >= START_WITH && this.members.some(({ starts }) => starts)) {
      this.status = 'in-progress';
      this.#tell({ change: 'started' });
    }
    return { conference: this, member, left, leave: (cause) => this.remove(entering.callSid, cause) };
  }

  /** Somebody is in it no more; that may end it. */
  remove(callSid: string, cause: 'left' | 'redirected' | 'removed'): void {
    const gone = this.#seats.find(({ member }) => member.callSid === callSid);
    if (!gone) return;
    this.#unseat(gone, cause);
    const kicked = cause === 'removed';
    if (gone.member.ends) {
      const reason = `participant-with-end-conference-on-exit-${kicked ? 'kicked' : 'left'}` as const;
      this.#end(reason, callSid);
    } else if (this.#seats.length === 0) this.#end(`last-participant-${kicked ? 'kicked' : 'left'}`, callSid);
  }

  /** Ends it for everybody. */
  end(): void {
    this.#end('conference-ended-via-api', undefined);
  }

  #end(reason: ConferenceReason, callSid: string | undefined): void {
    if (this.status === 'completed') return;
    this.status = 'completed';
    this.reason = reason;
    this.endedBy = callSid;
    for (const seat of [...this.#seats]) this.#unseat(seat, 'conference_ended');
    this.#tell({ change: 'ended', reason });
    this.#listeners.clear();
  }

  #unseat(seat: Place, cause: LeaveCause): void {
    this.#seats.splice(this.#seats.indexOf(seat), 1);
    seat.settle(cause);
    this.#tell({ change: 'left', member: seat.member });
  }

  #tell(change: ConferenceChange): void {
    for (const listener of [...this.#listeners]) listener(change);
  }
}

/** All rooms of an account. */
export class Conferences {
  /** Those that are over, too, in the order they began. */
  readonly all: Conference[] = [];

  /** The room of this name that is not over, or the conference of this sid. */
  find(name: string): Conference | undefined {
    return this.all.find(({ sid, room, status }) => sid === name || (room === name && status !== 'completed'));
  }

  /** The room of this name, made where there is none: whoever asks for it enters it. */
  open(room: string, wallMs: number): Conference {
    const open = this.all.find((one) => one.room === room && one.status !== 'completed');
    if (open) return open;
    const conference = new Conference(room, wallMs);
    this.all.push(conference);
    if (this.all.length > MAX_REMEMBERED) this.all.splice(0, 1);
    return conference;
  }
}
