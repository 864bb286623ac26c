// What a carrier is told to do next with a caller whose media is over: back into the call, on to a person, or what the call
// left in the store. And the orders that say the same when the carrier does not ask.
import type {
  Admission,
  CarrierLeg,
  ControlOutcome,
  Controls,
  DialOutcome,
  IncomingCall,
  NextStep,
} from '../carrier/carrier.ts';
import type { Coordination } from '../coordination/port.ts';
import type { Call } from './call.ts';
import type { CallStore } from './call-store.ts';
import type { MissedBecause } from './event.ts';
import type { Following } from './following.ts';

/** A live call, as far as what follows its media goes. */
export interface NextCall {
  call: Call;
  incoming: IncomingCall;
  admission: Extract<Admission, { outcome: 'accepted' }>;
  leg: CarrierLeg | null;
}

export interface NextStepsOptions {
  store: CallStore;
  tokens: Coordination['tokens'];
  controls: Controls;
  following: Following;
  /** The live call of a carrier's call, by `carrierKey`. */
  live(key: string): NextCall | undefined;
  watch: {
    fault(callId: string, error: unknown): void;
    ordered(callId: string, order: 'redirect' | 'hang_up', outcome: ControlOutcome): void;
  };
}

/** Longer than a call waits for its caller to be brought back. */
const RECONNECT_WITHIN_MS = 15_000;

/** A carrier's call among those of all carriers. */
export const carrierKey = (carrier: string, id: string): string => `${carrier}/${id}`;

export class NextSteps {
  readonly #options: NextStepsOptions;

  constructor(options: NextStepsOptions) {
    this.#options = options;
  }

  /** What follows the media of a call; `over`: the carrier says that it has ended. */
  async next(carrier: string, carrierCallId: string, over: boolean): Promise<NextStep> {
    const key = carrierKey(carrier, carrierCallId);
    const live = this.#options.live(key);
    this.#options.following.asked(key, live !== undefined);
    if (live?.leg && !over) {
      // The carrier's side of the media is over, also where the socket still looks open.
      live.call.loseLeg('the carrier went on');
      if (live.call.away) return this.#reconnect(live);
      live.call.receive({ type: 'person.moved' });
      // What an ending call promised is on its way into the store.
      await this.#options.store
        .update(carrier, carrierCallId, (c) => c)
        .catch((error: unknown) => {
          this.#options.watch.fault(live.call.callId, error);
        });
    }
    const stored = await this.#options.store.get(carrier, carrierCallId);
    return stored?.next ?? { do: 'hang_up' };
  }

  /** What follows a forward or a transfer, once it is known what became of it. */
  async dialled(carrier: string, carrierCallId: string, outcome: DialOutcome): Promise<NextStep> {
    const live = this.#options.live(carrierKey(carrier, carrierCallId));
    const how = live?.call.sentOn ?? null;
    if (live === undefined || (how === null && !live.call.away))
      // They have spoken: nothing follows, whatever is stored.
      return outcome === 'answered' ? { do: 'hang_up' } : this.#unanswered(carrier, carrierCallId);
    // A room is only left together: the person was not there for long.
    if (how === 'cold' && outcome === 'answered') live.call.receive({ type: 'person.took' });
    else if (how !== null) {
      const because = how === 'warm' ? 'left' : MISSED[outcome];
      live.call.receive({ type: 'person.missed', because, detail: '' });
    }
    return live.call.away ? this.#reconnect(live) : { do: 'hang_up' };
  }

  async #unanswered(carrier: string, carrierCallId: string): Promise<NextStep> {
    const stored = await this.#options.store.get(carrier, carrierCallId);
    const promised = stored?.next;
    const dials = promised?.do === 'forward' || promised?.do === 'transfer';
    const next: NextStep = (dials && promised.otherwise) || { do: 'hang_up' };
    await this.#options.store.update(carrier, carrierCallId, (c) => ({ ...c, next }));
    return next;
  }

  /** What brings the caller of a live call back into it. */
  async #reconnect({ call, admission }: NextCall): Promise<NextStep> {
    const token = await this.#options.tokens.issue(call.callId, RECONNECT_WITHIN_MS);
    return { do: 'reconnect', token, facts: admission.facts };
  }

  /** The second way to bring a caller back: the carrier has not asked what follows. Null: there was no need, or no way. */
  async recall(live: NextCall): Promise<ControlOutcome | null> {
    const { controls, watch } = this.#options;
    const { callId } = live.call;
    const { carrier, carrierCallId } = live.incoming;
    const control = controls(carrier);
    if (control === null) return null;
    const next = await this.#reconnect(live);
    // An order that was late and is repeated would cut off the stream that it brought.
    const key = carrierKey(carrier, carrierCallId);
    const unwanted = this.#options.following.unwanted(key);
    const outcome = await control.redirect(carrierCallId, next, unwanted);
    if (unwanted.aborted) return null;
    watch.ordered(callId, 'redirect', outcome);
    return outcome;
  }

  /** Tells the carrier to take the caller elsewhere. */
  async redirect({ call, incoming }: NextCall, next: NextStep, unwanted: AbortSignal): Promise<boolean> {
    const { controls, watch } = this.#options;
    const control = controls(incoming.carrier);
    if (control === null) return false;
    const outcome = await control.redirect(incoming.carrierCallId, next, unwanted);
    // The media is over: the order was carried out, whatever its answer is.
    if (unwanted.aborted) return true;
    watch.ordered(call.callId, 'redirect', outcome);
    return outcome === 'done';
  }
}

/** Why a dialled person counts as missed. */
const MISSED: Readonly<Record<DialOutcome, MissedBecause>> = {
  answered: 'left',
  busy: 'busy',
  no_answer: 'no_answer',
  failed: 'failed',
  canceled: 'failed',
};
