// Orders about calls of browser phones, which no carrier's API knows: they go straight to the call. Everything else goes to
// the carrier as before.
import type { CarrierControl, ControlOutcome, NextStep } from '../../carrier/carrier.ts';
import type { BrowserPhones } from './browser-phones.ts';

export interface BrowserControl extends CarrierControl {
  /** Whether anything can be ordered about this call: of a carrier's only where there is an API to order by. */
  reaches(carrierCallId: string): boolean;
}

export interface BrowserControlOptions {
  /** The carrier's own, where there is one. */
  control: CarrierControl | null;
  phones: Pick<BrowserPhones, 'find'>;
  /** The document of a step after a call's media. */
  twiml: (next: NextStep) => string;
}

const NO_API = 'no orders can be given to the carrier: its account is not configured';

/** Orders to browser phones, and to the carrier for all other calls. */
export function withBrowserCalls({ control, phones, twiml }: BrowserControlOptions): BrowserControl {
  const order = async (
    carrierCallId: string,
    unwanted: AbortSignal | undefined,
    ours: (call: Exclude<ReturnType<BrowserPhones['find']>, 'over' | null>) => void,
    theirs: (carrier: CarrierControl) => Promise<ControlOutcome>,
  ): Promise<ControlOutcome> => {
    const call = phones.find(carrierCallId);
    if (call === null) return control === null ? 'failed' : theirs(control);
    if (call === 'over' || call.isOver) return 'gone';
    if (unwanted?.aborted === true) return 'failed';
    ours(call);
    return 'done';
  };
  return {
    reaches: (carrierCallId) => control !== null || phones.find(carrierCallId) !== null,
    redirect: (carrierCallId, next, unwanted) =>
      order(
        carrierCallId,
        unwanted,
        (call) => call.update(twiml(next)),
        (carrier) => carrier.redirect(carrierCallId, next, unwanted),
      ),
    hangUp: (carrierCallId, unwanted) =>
      order(
        carrierCallId,
        unwanted,
        (call) => call.complete(),
        (carrier) => carrier.hangUp(carrierCallId, unwanted),
      ),
    async call(person) {
      // Nobody's telephone rings for a caller who cannot be brought together with them.
      if (phones.find(person.parentCallId) !== null)
        return { outcome: 'refused', why: 'the caller is in a browser, which cannot be connected to a person' };
      return control === null ? { outcome: 'refused', why: NO_API } : control.call(person);
    },
    async message(message) {
      return control === null ? { outcome: 'refused', why: NO_API } : control.message(message);
    },
  };
}
