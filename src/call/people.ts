// The people whom calls ring up: what they hear, which key they press, and which call is told of it. One person per call.
import type { CallStatus, Controls, NextStep } from '../carrier/carrier.ts';
import type { MissedBecause, ShellEvent } from './event.ts';

/** Whom to ring up, on whose behalf. */
export interface PersonWanted {
  /** Whose call the caller's is. */
  carrier: string;
  callId: string;
  /** The carrier's id of that call. */
  parentCallId: string;
  from: string;
  to: string;
  say: string;
  room: string;
  ringSeconds: number;
}

interface Person extends PersonWanted {
  /** Null until the carrier has said. */
  carrierCallId: string | null;
  /** The carrier has not answered the order yet. */
  placing: boolean;
  took: boolean;
  /** Nobody waits for this person any more. */
  dropped: boolean;
}

type Tell = (event: Extract<ShellEvent, { type: `person.${string}` }>) => void;

/** The key that accepts; every other one declines. */
const TAKE_KEY = '1';
const MAX_FORMER = 16;

const GONE: NextStep = { do: 'say_and_hang_up', text: 'The caller is no longer waiting. Goodbye.' };

export interface PeopleOptions {
  /** Null: nobody can be rung up. */
  controls: Controls;
  /** Where a live call hears of its person; null: it is over. */
  tell(callId: string): Tell | null;
  failed(callId: string, error: unknown): void;
}

export class People {
  readonly #options: PeopleOptions;
  /** By the carrier's id of the call that they were rung up for. */
  readonly #persons = new Map<string, Person>();
  /** Whom a live call has rung up before, by its carrier's id: news of them is not news of the next. */
  readonly #former = new Map<string, string[]>();

  constructor(options: PeopleOptions) {
    this.#options = options;
  }

  /** Rings a person up. What becomes of it is told to the call. */
  call(wanted: PersonWanted): void {
    const person: Person = { ...wanted, carrierCallId: null, placing: true, took: false, dropped: false };
    this.#persons.set(wanted.parentCallId, person);
    void this.#place(person).catch((error: unknown) => {
      this.#options.failed(wanted.callId, error);
      this.#missed(person, 'failed', '');
    });
  }

  async #place(person: Person): Promise<void> {
    const control = this.#options.controls(person.carrier);
    if (control === null) {
      // Told when the call has taken the step that asked for it.
      await Promise.resolve();
      return this.#missed(person, 'unavailable', '');
    }
    const { from, to, ringSeconds, parentCallId } = person;
    const placed = await control.call({ from, to, ringSeconds, parentCallId });
    person.placing = false;
    if (placed.outcome === 'refused') return this.#missed(person, 'failed', placed.why);
    // One that may have been placed all the same is heard of when it rings, or when the call has waited long enough.
    if (placed.outcome === 'placed') person.carrierCallId ??= placed.carrierCallId;
    if (!person.dropped) return;
    if (person.carrierCallId !== null) this.#hangUp(person);
    // Should it ring all the same, whoever answers hears that nobody waits.
    else this.#forget(person);
  }

  /** What the person hears: asked when they answer (`key` null) and with each key. Null: nobody of ours. */
  heard(parentCallId: string, carrierCallId: string, key: string | null): NextStep | null {
    const person = this.#find(parentCallId, carrierCallId);
    if (person === null) return null;
    if (person.dropped || this.#options.tell(person.callId) === null) return GONE;
    if (key === null) {
      this.#options.tell(person.callId)?.({ type: 'person.hears' });
      return { do: 'ask_to_take', say: person.say };
    }
    if (key !== TAKE_KEY) {
      this.#missed(person, 'declined', '');
      return { do: 'hang_up' };
    }
    if (!person.took) {
      person.took = true;
      this.#options.tell(person.callId)?.({ type: 'person.took' });
      // The call has no use for them any more.
      if (isDropped(person)) return GONE;
    }
    return { do: 'join', room: person.room };
  }

  /** What becomes of a person's call; true: it is one of ours. */
  status({ carrierCallId, parentCallId, final, status }: CallStatus): boolean {
    const person = parentCallId === undefined ? null : this.#find(parentCallId, carrierCallId);
    if (person === null) return false;
    if (final) this.#missed(person, person.took ? 'left' : (MISSED[status] ?? 'declined'), '');
    return true;
  }

  /** The call does not need its person any more. */
  drop(callId: string): void {
    const person = this.#of(callId);
    if (person === undefined) return;
    person.dropped = true;
    if (person.carrierCallId !== null) this.#hangUp(person);
    // Nobody knows whether it rings: whoever answers is hung up on.
    else if (!person.placing) this.#forget(person);
  }

  /** The call is over; a person who took it stays where they are. */
  over(callId: string, parentCallId: string): void {
    this.#former.delete(parentCallId);
    const person = this.#of(callId);
    if (person?.took === true) this.#persons.delete(person.parentCallId);
    else this.drop(callId);
  }

  #hangUp(person: Person): void {
    const options = this.#options;
    this.#forget(person);
    void options
      .controls(person.carrier)
      ?.hangUp(person.carrierCallId as string)
      .catch((error: unknown) => options.failed(person.callId, error));
  }

  #missed(person: Person, because: MissedBecause, detail: string): void {
    this.#forget(person);
    if (!person.dropped) this.#options.tell(person.callId)?.({ type: 'person.missed', because, detail });
  }

  #forget(person: Person): void {
    const { carrierCallId, parentCallId, callId } = person;
    if (carrierCallId !== null && this.#options.tell(callId) !== null)
      this.#former.set(parentCallId, [...(this.#former.get(parentCallId) ?? []), carrierCallId].slice(-MAX_FORMER));
    if (this.#persons.get(person.parentCallId) === person) this.#persons.delete(person.parentCallId);
  }

  #of(callId: string): Person | undefined {
    return [...this.#persons.values()].find((person) => person.callId === callId);
  }

  /** A carrier may ask what a person hears before it has answered who was rung up. */
  #find(parentCallId: string, carrierCallId: string): Person | null {
    const person = this.#persons.get(parentCallId);
    if (person === undefined || this.#former.get(parentCallId)?.includes(carrierCallId)) return null;
    person.carrierCallId ??= carrierCallId;
    return person.carrierCallId === carrierCallId ? person : null;
  }
}

/** Telling the call may have dropped them. */
const isDropped = ({ dropped }: Person): boolean => dropped;

const MISSED: Readonly<Record<string, MissedBecause>> = {
  busy: 'busy',
  'no-answer': 'no_answer',
  failed: 'failed',
  canceled: 'no_answer',
};
