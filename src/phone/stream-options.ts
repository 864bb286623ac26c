// What one media stream of the phone is asked to be, over which network, and how it ended.
import type { Clock } from '../clock.ts';
import type { PhoneCaller } from './phone-caller.ts';
import type { PhoneFeed } from './phone-events.ts';
import type { PhoneFault } from './phone-faults.ts';
import type { CallUpdate } from './phone-options.ts';

/** The network between carrier and server; nothing given means loopback. Everything is the same for the same seed. */
export interface NetworkOptions {
  /** One-way delay of caller audio, ms. */
  toServerMs?: number;
  /** One-way delay of agent audio, ms. */
  fromServerMs?: number;
  /** Every message is late by a further 0 to this many ms, in order. */
  jitterMs?: number;
  /** Now and then each direction holds everything back for so many ms and then delivers it together. Default 0: never. */
  burstMs?: number;
  /** Mean time from one such hold to the next, ms. Default 2000. */
  burstEveryMs?: number;
  /** Times of the call at which the media socket is lost (1006); the call goes on as its TwiML says. */
  loseSocketAtMs?: readonly number[];
  /** For so long nothing passes and neither side notices that the socket was lost. Default 0; tens of seconds happen. */
  lossNoticedAfterMs?: number;
  /** Seed of jitter, of bursts and of the first timestamp. Default 1. */
  seed?: number;
}

export interface PhoneStreamOptions {
  clock: Clock;
  feed: PhoneFeed;
  /** Where the socket is opened, and the headers of the upgrade. */
  address: string;
  headers: Record<string, string>;
  ids: { accountSid: string; callSid: string; streamSid: string };
  customParameters: Record<string, string>;
  caller: PhoneCaller;
  /** Clock time that counts as 0: the start of the call's first stream. Undefined: this is the first. */
  zeroMs: number | undefined;
  /** What earlier streams of the call had played. */
  playedBytesBefore: number;
  network: NetworkOptions;
  faults: readonly PhoneFault[];
  keepAudio: boolean;
  /** False leaves the server waiting for `start` after `connected`. */
  sendStart: boolean;
  /** A fault says that the caller hangs up now. */
  hangUp(): void;
  /** A fault says that the call is sent elsewhere now. */
  update(update: CallUpdate): void;
  /** A second socket at the stream's address is gone; `status` is what its upgrade was answered with. */
  duplicated: (status: number) => void;
  warn(code: number, reason: string): void;
}

/** How a stream ended. `upgradeStatus` is the HTTP answer to the upgrade: 101 when the stream came to be. */
export interface StreamEnd {
  by: 'phone' | 'server' | 'network';
  code: number;
  upgradeStatus: number;
}
