// GET /media/:token. Who may open a media socket is decided before the 101: whoever gets one gets a model session that
// costs money. Signature first, since it says nothing about tokens to a stranger; then the token, which is then used up.
import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import type { CallIntake, MediaClaim, Peers } from '../carrier.ts';
import type { TwilioCounters } from './counters.ts';
import { MediaSocket } from './media-socket.ts';
import type { SignatureCheck } from './signature.ts';
import { type TakeAway, type TakeOther, upgradeGate } from './upgrade-gate.ts';

export interface MediaRouteOptions {
  intake: CallIntake;
  signature: SignatureCheck;
  accountSid: string | null;
  mediaPathPrefix: string;
  log: Pick<Logger, 'warn' | 'error'>;
  counters: TwilioCounters;
  clock: Clock;
  startDeadlineMs: number | undefined;
  drained: (() => Promise<void>) | undefined;
  peers: Peers | null;
  hold: (callId: string, close: () => void) => () => void;
  others: TakeOther | null;
}

/** A media frame is some 400 bytes; `start` with many parameters stays under this too. Beyond it `ws` closes with 1009. */
const MAX_MESSAGE_BYTES = 64 * 1024;
/** Ends a socket whose close frame is never answered; the sockets' own deadline of 1 s comes first. */
const CLOSE_TIMEOUT_MS = 1500;
const GOING_AWAY = 1001;

/** Registers the websocket plugin and the media route. */
export async function mediaRoute(app: FastifyInstance, options: MediaRouteOptions): Promise<void> {
  const { intake, mediaPathPrefix, counters, log, clock, accountSid, startDeadlineMs, peers } = options;
  /** Tokens taken whose socket has not been accepted yet. */
  const claims = new WeakMap<FastifyRequest, MediaClaim>();
  const takeAway = peers === null ? null : toItsOwner(peers, options.signature);
  const gate = upgradeGate(app.server, mediaPathPrefix, takeAway, options.others);
  app.addHook('onClose', (_app, done) => {
    gate.remove();
    done();
  });
  // A variable, because the types of `ws` do not know `closeTimeout` yet.
  const socketOptions = {
    server: gate.server,
    maxPayload: MAX_MESSAGE_BYTES,
    // Twilio documents no extension and no subprotocol; an offered one is left alone.
    perMessageDeflate: false,
    handleProtocols: () => false as const,
    closeTimeout: CLOSE_TIMEOUT_MS,
  };
  await app.register(websocket, {
    options: socketOptions,
    // The sockets have their own listeners. The plugin's would log the request and cut off the close frame.
    errorHandler() {},
    // The plugin's own would close every live call the moment a deploy begins.
    async preClose() {
      await options.drained?.();
      for (const client of app.websocketServer.clients) client.close(GOING_AWAY, 'shutting down');
      // Until the last socket is gone, so that every call has heard of its end before the process may go.
      await new Promise((resolve) => app.websocketServer.close(resolve));
    },
  });

  async function mayUpgrade(
    request: FastifyRequest<{ Params: { token: string } }>,
    reply: FastifyReply,
  ): Promise<FastifyReply | undefined> {
    if (!request.ws) return reply.code(426).header('upgrade', 'websocket').send();
    const given = request.headers['x-twilio-signature'];
    if (given === undefined) return refuse(request, reply, 'signature_missing');
    if (!options.signature.upgrade(request.originalUrl, given)) return refuse(request, reply, 'signature_wrong');
    const claim = await intake.claim(request.params.token);
    if (typeof claim === 'string') return refuse(request, reply, `token_${claim}`);
    claims.set(request, claim);
    // The handshake may yet fail, by its own headers or by the network, and then nobody else speaks for the call.
    const lost = (): void => {
      if (claims.delete(request)) intake.abandon(claim, 'never_started', 'the upgrade was not completed');
    };
    if (request.raw.socket.destroyed) lost();
    else request.raw.socket.once('close', lost);
    return undefined;
  }

  function refuse(request: FastifyRequest, reply: FastifyReply, reason: string): FastifyReply {
    counters.refused('media', reason);
    log.warn({ reason, remote: request.ip }, 'media socket refused');
    return reply.code(403).header('cache-control', 'no-store').send();
  }

  app.get<{ Params: { token: string } }>(
    `${mediaPathPrefix}/:token`,
    // Fastify's own request lines hold the URL, hence the token.
    { websocket: true, logLevel: 'silent', preValidation: mayUpgrade },
    (socket, request) => {
      const claim = claims.get(request);
      if (claim === undefined) return socket.terminate();
      claims.delete(request);
      socket.once(
        'close',
        options.hold(claim.callId, () => socket.terminate()),
      );
      new MediaSocket(socket, { claim, intake, accountSid, clock, log, counters, remote: request.ip, startDeadlineMs });
    },
  );
}

/** A socket whose token another of our processes made goes there. Strangers get no further than the signature. */
function toItsOwner(peers: Peers, signature: SignatureCheck): TakeAway {
  return async (token, request, socket, head) =>
    !peers.isPeer(socket) &&
    signature.upgrade(request.url ?? '', request.headers['x-twilio-signature']) &&
    (await peers.handOver(token, request, socket, head));
}
