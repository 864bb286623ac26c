// Fastify plugin: everything Twilio talks to. Voice webhook, what follows the media, status callbacks, and the media
// socket, each behind Twilio's signature. Registers its parsers and hooks in its own context; nothing leaks out.
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import type { CallIntake, Peers } from '../carrier.ts';
import { noCounters, type TwilioCounters } from './counters.ts';
import { mediaRoute } from './media-route.ts';
import { parsePublicUrl } from './public-url.ts';
import { signatureCheck } from './signature.ts';
import type { TakeOther } from './upgrade-gate.ts';
import { loadTwiml, MEDIA_PATH_PREFIX, twimlUrls } from './twiml.ts';
import { webhooks } from './webhooks.ts';

export interface TwilioCarrierOptions {
  intake: CallIntake;
  /** The origin that Twilio reaches; signatures are checked against it and media URLs are built from it. */
  publicUrl: string;
  /** The account's primary auth token. */
  authToken: string;
  /** When given, webhooks and streams of any other account are refused. */
  accountSid: string | null;
  /** Path of the media socket before its token. Default `/media`. */
  mediaPathPrefix?: string;
  log: Pick<Logger, 'warn' | 'error'>;
  /** Default: counts nothing. */
  counters?: TwilioCounters;
  clock: Clock;
  /** Milliseconds from an open media socket to its `start`. Default 10,000. */
  startDeadlineMs?: number;
  /**
   * Awaited when `app.close()` begins, before any live media socket is closed. A server drains before it calls
   * `app.close()`, since Fastify answers 503 to /voice/next from then on; this keeps calls alive where it did not.
   */
  drained?: () => Promise<void>;
  /** Our other processes that serve the same calls. Default: there are none. */
  peers?: Peers | null;
  /** Notes an open media socket of a call until the result is called; `close` ends it. Default: nobody notes it. */
  hold?: (callId: string, close: () => void) => () => void;
  /** Gets the upgrades that are not of the media socket, which are otherwise answered with 404. */
  others?: TakeOther | null;
}

/** POST /voice, /voice/next, /voice/status and GET /media/:token; throws TRK_CONFIG for a bad URL or TwiML document. */
export async function twilioCarrier(app: FastifyInstance, options: TwilioCarrierOptions): Promise<void> {
  const { intake, accountSid, log, clock, startDeadlineMs, drained, peers = null } = options;
  const { hold = () => () => {}, others = null } = options;
  const { counters = noCounters, mediaPathPrefix = MEDIA_PATH_PREFIX } = options;
  const url = parsePublicUrl(options.publicUrl);
  const signature = signatureCheck(url, options.authToken);
  const shared = { intake, accountSid, signature, log, counters, peers };
  await app.register(webhooks, { ...shared, twiml: loadTwiml(twimlUrls(url, mediaPathPrefix)) });
  await app.register(mediaRoute, { ...shared, mediaPathPrefix, clock, startDeadlineMs, drained, hold, others });
}
