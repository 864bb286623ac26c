// Orders about calls of browser phones, which no carrier's API knows: they go straight to the call.
import type { CarrierControl, ControlOutcome, NextStep } from '../../carrier/carrier.ts';
import type { BrowserCall } from './browser-call.ts';
import type { BrowserPhones } from './browser-phones.ts';

export interface BrowserControlOptions {
  phones: Pick<BrowserPhones, 'find'>;
  /** The document of a step after a call's media. */
  twiml: (next: NextStep) => string;
}

const NOBODY_RINGS = 'the caller is in a browser, which cannot be connected to a person';
const NO_MESSAGES = 'the caller is in a browser, which takes no text messages';

/** The control of the carrier `BROWSER`. */
export function browserControl({ phones, twiml }: BrowserControlOptions): CarrierControl {
  const order = (
    carrierCallId: string,
    unwanted: AbortSignal | undefined,
    give: (call: BrowserCall) => void,
  ): Promise<ControlOutcome> => {
    const call = phones.find(carrierCallId);
    // Of another process, which has its socket.
    if (call === null || unwanted?.aborted === true) return Promise.resolve('failed');
    if (call === 'over' || call.isOver) return Promise.resolve('gone');
    give(call);
    return Promise.resolve('done');
  };
  return {
    redirect: (carrierCallId, next, unwanted) => order(carrierCallId, unwanted, (call) => call.update(twiml(next))),
    hangUp: (carrierCallId, unwanted) => order(carrierCallId, unwanted, (call) => call.complete()),
    // Nobody's telephone rings for a caller who cannot be brought together with them.
    call: () => Promise.resolve({ outcome: 'refused', why: NOBODY_RINGS }),
    message: () => Promise.resolve({ outcome: 'refused', why: NO_MESSAGES }),
  };
}
