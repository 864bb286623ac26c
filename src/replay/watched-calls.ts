// Calls of the phone against a server of this same process, seen from both ends: the phone's result, the server's record,
// and where the two differ. Shared by the demo and by `trunkline replay`.
import type { CallFacts, Onlooker } from '../call/feed.ts';
import { realClock } from '../clock.ts';
import type { CallRecord } from '../record/call-record.ts';
import type { Server } from '../server.ts';
import { BufferCheck, type CheckedStop } from './buffer-check.ts';
import { type PhoneCall, placeCall } from '../phone/phone.ts';
import type { PhoneOptions } from '../phone/phone-options.ts';
import type { PhoneResult } from '../phone/phone-result.ts';

export interface WatchedCall {
  call: PhoneCall;
  ended: Promise<BothEnds>;
}

export interface BothEnds {
  result: PhoneResult;
  /** Null when the server let no call in. */
  record: CallRecord | null;
  stops: CheckedStop[];
}

/** From the phone's last word to the record being written. */
const RECORDED_WITHIN_MS = 10_000;

/** Give `onlooker` to the server, then place calls. */
export class WatchedCalls {
  readonly #checks = new Map<string, BufferCheck | null>();

  readonly onlooker = ({ incoming }: CallFacts): Onlooker | null => {
    if (!this.#checks.has(incoming.carrierCallId)) return null;
    const check = new BufferCheck();
    this.#checks.set(incoming.carrierCallId, check);
    return check;
  };

  place(server: Server, options: Omit<PhoneOptions, 'server' | 'publicUrl' | 'authToken'>): WatchedCall {
    const { origin, publicUrl, authToken } = server;
    const call = placeCall({ ...options, server: origin, publicUrl, authToken });
    this.#checks.set(call.callSid, null);
    const recorded = Promise.withResolvers<CallRecord | null>();
    const forget = server.records.onRecord((record) => {
      if (record.carrierCallId === call.callSid) recorded.resolve(record);
    });
    const bothEnds = async (): Promise<BothEnds> => {
      const result = await call.ended;
      const check = this.#checks.get(call.callSid) ?? null;
      this.#checks.delete(call.callSid);
      if (!check) recorded.resolve(null);
      const cancel = realClock.at(realClock.nowMs() + RECORDED_WITHIN_MS, () => recorded.resolve(null));
      const record = await recorded.promise;
      cancel();
      forget();
      return { result, record, stops: check?.against(result) ?? [] };
    };
    return { call, ended: bothEnds() };
  }
}
