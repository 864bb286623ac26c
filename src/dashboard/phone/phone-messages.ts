// What goes over the socket of a browser phone beside the media-stream protocol itself: a few messages of our own, in the same
// JSON frames, told apart by `event`. The page and the server share these types. Pure.
import { z } from 'zod';
import type { LiveEntry } from '../schemas/live.ts';

/** Why a phone call is over. */
export type PhoneEnd =
  /** The caller hung up, or the page went away. */
  | 'hung_up'
  /** The other side ended it in good order. */
  | 'completed'
  /** The server gave a busy signal: it takes no call now, or none from here. */
  | 'busy'
  /** The server turned the call away otherwise. */
  | 'rejected'
  /** This process has as many phone calls as it takes. */
  | 'full'
  /** The webhook could not be asked, or answered with something that no carrier could follow. */
  | 'failed'
  /** The page sent what no page of ours sends. */
  | 'protocol'
  /** The server is being stopped. */
  | 'stopped';

/** What the agent would do now, and a browser cannot follow. */
export type CannotDo = 'dial' | 'conference' | 'record' | 'play' | 'other';

/** From the server. Beside these come `media`, `mark` and `clear` of the media stream, untouched. */
export type PhoneMessage =
  | { event: 'ringing'; callSid: string }
  /** A media stream is open: from here on the browser speaks the protocol, beginning with `connected` and `start`. */
  | {
      event: 'stream';
      callId: string;
      callSid: string;
      accountSid: string;
      streamSid: string;
      customParameters: Record<string, string>;
    }
  /** The media stream is over; the call goes on. */
  | { event: 'stream_over' }
  /** A sentence that the carrier would read aloud; answer `said` when it has been. */
  | { event: 'say'; text: string }
  | { event: 'cannot'; what: CannotDo; text: string }
  /** Lines of the call's running transcript, new or changed: a line is known by its number. */
  | { event: 'caption'; entries: LiveEntry[] }
  | { event: 'ended'; by: 'caller' | 'server'; why: PhoneEnd };

/** Half a letter can be in no address, and nobody could be told of it. */
const isText = (given: string): boolean => given.isWellFormed() && !/\p{Cc}/u.test(given);

/** What of ours the browser may send. `dial` is the first and comes once. */
export const fromPhone = z.discriminatedUnion('event', [
  z.strictObject({
    event: z.literal('dial'),
    /** A number, or a word that an agent answers. */
    to: z.string().min(1).max(100).refine(isText),
    /** Under which name to call; a phone session always has its own. */
    name: z.string().max(60).refine(isText).optional(),
  }),
  z.strictObject({ event: z.literal('said') }),
  z.strictObject({ event: z.literal('hang_up') }),
]);
export type FromPhone = z.infer<typeof fromPhone>;

/** Messages of the media-stream protocol that a caller's side sends. */
const STREAM_EVENTS = new Set(['connected', 'start', 'media', 'mark', 'dtmf', 'stop']);

/** A frame of the browser, as far as the server looks at it. */
export type PhoneFrame =
  | { kind: 'stream'; event: string; digit: string }
  | { kind: 'ours'; message: FromPhone }
  | { kind: 'garbage' };

const GARBAGE: PhoneFrame = Object.freeze({ kind: 'garbage' });
const MEDIA: PhoneFrame = Object.freeze({ kind: 'stream', event: 'media', digit: '' });

/** Reads one text frame. Never throws. Audio is not looked into: the media socket judges it. */
export function readPhoneFrame(text: string): PhoneFrame {
  if (text.startsWith('{"event":"media",')) return MEDIA;
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return GARBAGE;
  }
  if (typeof given !== 'object' || given === null || !('event' in given)) return GARBAGE;
  const { event } = given;
  if (typeof event === 'string' && STREAM_EVENTS.has(event)) return { kind: 'stream', event, digit: digitOf(given) };
  const { data } = fromPhone.safeParse(given);
  return data === undefined ? GARBAGE : { kind: 'ours', message: data };
}

/** The key of a `dtmf`; empty for everything else. */
function digitOf(given: object): string {
  const digit = (given as { dtmf?: { digit?: unknown } }).dtmf?.digit;
  return typeof digit === 'string' && /^[0-9*#A-D]$/.test(digit) ? digit : '';
}
