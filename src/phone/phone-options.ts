// What can be asked of a phone: whom to call, what the caller does, and how the carrier or the network misbehaves.
import type { ToneOptions } from '../audio/dtmf.ts';
import type { Clock } from '../clock.ts';
import type { IdleSound } from './caller-line.ts';
import type { CallerTrack } from './caller-track.ts';
import type { PhoneFault } from './phone-faults.ts';
import type { Fallback } from './phone-requests.ts';
import type { Signing } from './signed-request.ts';
import type { NetworkOptions } from './stream-options.ts';
import type { DialOutcome } from './verb-dial.ts';

export interface PhoneOptions {
  /** Origin the server listens on, for example http://127.0.0.1:3000. */
  server: string;
  /** Origin the carrier has been given; signatures are made over it. Default `server`. */
  publicUrl?: string;
  authToken: string;
  /** Default: a fresh id. */
  accountSid?: string;
  /** Default: a fresh id. */
  callSid?: string;
  /** Calling number. Default +15005550006. */
  from?: string;
  /** Dialled number. Default +15005550001. */
  to?: string;
  /** What the caller does. Default: silence until the server ends the call. */
  track?: CallerTrack;
  network?: NetworkOptions;
  /** What goes wrong on the carrier's side, and when. Default: nothing. */
  faults?: readonly PhoneFault[];
  /** Parameters added to, or replacing those of, every request about the call. */
  webhookParams?: Record<string, string>;
  /** Path of the voice webhook. Default /voice. */
  voicePath?: string;
  /** Path of the status callback. Default /voice/status. */
  statusPath?: string;
  /** Signature of HTTP requests. Default good. */
  sign?: Signing;
  /** Signature of the media stream's upgrade. Default as `sign`. */
  signSocket?: Signing;
  /** Sends the voice webhook twice with one idempotency token, as the carrier's retry does. Default false. */
  retryWebhook?: boolean;
  /** False leaves the server waiting for `start`. Default true. */
  sendStart?: boolean;
  /** CallSid named in `start`, when it shall differ from that of the webhook. */
  startCallSid?: string;
  /** What becomes of a Dial, or of a Dial to each number. Default: answered after 2 s, 10 s of talk. */
  dial?: DialOutcome | ((to: string) => DialOutcome);
  /** What the action of a Dial with a Conference is told. The documentation says answered; completed is seen, too. */
  conferenceDialStatus?: 'answered' | 'completed';
  /**
   * Whether keys can be heard on the line as on a real telephone, beside their messages. Undefined: those of the track can,
   * those of `press()` cannot. True: all. False: none. Options: all, and how they sound.
   */
  tones?: boolean | ToneOptions;
  /** Asked when TwiML cannot be had or read, as the number's fallback URL is. Default: the call ends. */
  fallback?: Fallback;
  /**
   * How many times faster than spoken Say, Play, Pause, Gather's waiting and Dial pass; 1 is as a caller would hear them.
   * Default Infinity: they take no time.
   */
  verbPace?: number;
  /** Hang up when the track is over; a number adds that many ms. Default false. */
  hangupAfterTrack?: boolean | number;
  /** The caller hangs up after this many ms in any case. Default 5 minutes. */
  maxMs?: number;
  /** Keep the audio of both sides. Default true; false keeps times and counts. */
  keepAudio?: boolean;
  /** The sound of the line while the caller is silent. Default noise. */
  idle?: IdleSound;
  /** Default: the real clock. */
  clock?: Clock;
}

/** New instructions for a call in progress, as a REST update of the call gives them. */
export type CallUpdate = { twiml: string } | { url: string; method?: string };
