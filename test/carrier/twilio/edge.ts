// A Twilio edge on loopback with a scripted intake behind it and a hand-driven Twilio in front.
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { getExpectedTwilioSignature } from 'twilio/lib/webhooks/webhooks.js';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type {
  Admission,
  CallIntake,
  CallStatus,
  CarrierLeg,
  DialOutcome,
  IncomingCall,
  LegEvent,
  MediaClaim,
  NextStep,
  StreamStatus,
  TokenRefusal,
  VoicemailMessage,
} from '../../../src/carrier/carrier.ts';
import { type TwilioCarrierOptions, twilioCarrier } from '../../../src/carrier/twilio/plugin.ts';
import { FakeClock } from '../../support/fake-clock.ts';

export const AUTH_TOKEN = '0123456789abcdef0123456789abcdef';
export const PUBLIC_URL = 'https://voice.example.com';
export const ACCOUNT_SID = `AC${'0'.repeat(32)}`;
export const CALL_SID = `CA${'0'.repeat(31)}1`;
/** The leg to a person. */
export const PERSON_SID = `CA${'0'.repeat(31)}2`;
export const STREAM_SID = `MZ${'0'.repeat(31)}1`;
export const TOKEN = 'one-time-token';
export const CLAIM: MediaClaim = { callId: 'call-1', carrierCallId: CALL_SID };

/** Twilio's signature of `path` under the public URL. */
export const sign = (path: string, form: Record<string, string> = {}, base = PUBLIC_URL): string =>
  getExpectedTwilioSignature(AUTH_TOKEN, base + path, form);

/** A call as Twilio announces it. */
export const voiceForm = (extra: Record<string, string> = {}): Record<string, string> => ({
  AccountSid: ACCOUNT_SID,
  ApiVersion: '2010-04-01',
  CallSid: CALL_SID,
  CallStatus: 'ringing',
  Direction: 'inbound',
  From: '+15005550006',
  To: '+15005550001',
  FromCity: '',
  CallerName: ' Smith & Sons <sales> ',
  ...extra,
});

/** Remembers what it was asked; answers what the test sets. */
export class ScriptedIntake implements CallIntake {
  admission: Admission = { outcome: 'accepted', callId: 'call-1', token: TOKEN, facts: {} };
  claimed: MediaClaim | TokenRefusal = CLAIM;
  following: NextStep = { do: 'hang_up' };
  afterDial: NextStep = { do: 'hang_up' };
  toPerson: NextStep | null = null;
  attached = true;
  /** Runs inside `attach`, as a call does that speaks at once. */
  onAttach: (leg: CarrierLeg) => void = () => {};
  /** Runs on each event, as a call's shell does. */
  onEvent: (event: LegEvent) => void = () => {};

  readonly admitted: IncomingCall[] = [];
  readonly claims: string[] = [];
  readonly abandoned: { claim: MediaClaim; cause: string; detail: string }[] = [];
  readonly statuses: CallStatus[] = [];
  readonly streamStatuses: StreamStatus[] = [];
  readonly messages: { carrierCallId: string; message: VoicemailMessage }[] = [];
  readonly asked: string[] = [];
  /** Of those asked about, the ones of which the carrier said that they are over. */
  readonly over: string[] = [];
  readonly dials: { carrierCallId: string; outcome: DialOutcome }[] = [];
  readonly persons: { carrierCallId: string; key: string | null }[] = [];
  readonly events: LegEvent[] = [];
  leg: CarrierLeg | null = null;
  #waiting: { until: () => boolean; resolve: () => void }[] = [];

  async admit(call: IncomingCall): Promise<Admission> {
    this.admitted.push(call);
    return this.admission;
  }
  claim(token: string): MediaClaim | TokenRefusal {
    this.claims.push(token);
    return this.claimed;
  }
  attach(_claim: MediaClaim, leg: CarrierLeg): ((event: LegEvent) => void) | null {
    this.leg = leg;
    this.onAttach(leg);
    if (!this.attached) return null;
    return (event) => {
      this.events.push(event);
      this.onEvent(event);
      this.#changed();
    };
  }
  abandon(claim: MediaClaim, cause: string, detail: string): void {
    this.abandoned.push({ claim, cause, detail });
    this.#changed();
  }
  async next(_carrier: string, carrierCallId: string, over: boolean): Promise<NextStep> {
    this.asked.push(carrierCallId);
    if (over) this.over.push(carrierCallId);
    return this.following;
  }
  async dialled(_carrier: string, carrierCallId: string, outcome: DialOutcome): Promise<NextStep> {
    this.dials.push({ carrierCallId, outcome });
    return this.afterDial;
  }
  async person(_carrier: string, carrierCallId: string, key: string | null): Promise<NextStep | null> {
    this.persons.push({ carrierCallId, key });
    return this.toPerson;
  }
  async status(_carrier: string, status: CallStatus): Promise<void> {
    this.statuses.push(status);
  }
  streamStatus(_carrier: string, status: StreamStatus): void {
    this.streamStatuses.push(status);
  }
  async voicemail(_carrier: string, carrierCallId: string, message: VoicemailMessage): Promise<void> {
    this.messages.push({ carrierCallId, message });
  }

  /** Resolves as soon as `until` holds after an event or an abandonment. */
  async when(until: () => boolean): Promise<void> {
    if (until()) return;
    await new Promise<void>((resolve) => this.#waiting.push({ until, resolve }));
  }
  /** The first event of a type, awaited. */
  async event<T extends LegEvent['type']>(type: T): Promise<Extract<LegEvent, { type: T }>> {
    const find = () => this.events.find((event): event is Extract<LegEvent, { type: T }> => event.type === type);
    await this.when(() => find() !== undefined);
    return find() as Extract<LegEvent, { type: T }>;
  }
  ofType<T extends LegEvent['type']>(type: T): Extract<LegEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<LegEvent, { type: T }> => event.type === type);
  }
  #changed(): void {
    this.#waiting = this.#waiting.filter(({ until, resolve }) => {
      if (!until()) return true;
      resolve();
      return false;
    });
  }
}

export interface Edge {
  app: FastifyInstance;
  intake: ScriptedIntake;
  clock: FakeClock;
  origin: string;
  /** Every counted word, such as `refused media signature_wrong`. */
  counted: string[];
  /** Every line logged, as JSON. */
  logged: string[];
  /** POSTs a form, signed unless headers say otherwise. */
  post: (path: string, form: Record<string, string>, headers?: Record<string, string>) => Promise<Response>;
  /** Opens a media socket, signed unless headers say otherwise; rejects with the status when refused. */
  open: (path?: string, headers?: Record<string, string>) => Promise<Peer>;
}

/** A running edge, closed when the test is over. */
export async function startEdge(
  options: Partial<TwilioCarrierOptions> = {},
  more: (root: FastifyInstance) => void = () => {},
): Promise<Edge> {
  const app = Fastify();
  const intake = new ScriptedIntake();
  const clock = new FakeClock();
  const counted: string[] = [];
  const logged: string[] = [];
  const note = (fields: unknown, message?: unknown) => void logged.push(JSON.stringify({ fields, message }));
  await app.register(twilioCarrier, {
    intake,
    clock,
    publicUrl: PUBLIC_URL,
    authToken: AUTH_TOKEN,
    accountSid: ACCOUNT_SID,
    log: { warn: note, error: note },
    counters: {
      refused: (kind, reason) => counted.push(`refused ${kind} ${reason}`),
      message: (direction, kind) => counted.push(`${direction} ${kind}`),
      webhook: (route, status) => counted.push(`webhook ${route} ${status}`),
      ordered: (order, outcome) => counted.push(`ordered ${order} ${outcome}`),
    },
    ...options,
  });
  app.get('/healthz', async () => 'ok');
  more(app);
  await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const origin = `127.0.0.1:${port}`;
  return {
    app,
    intake,
    clock,
    origin,
    counted,
    logged,
    post: (path, form, headers) =>
      fetch(`http://${origin}${path}`, {
        method: 'POST',
        body: new URLSearchParams(form),
        headers: headers ?? { 'x-twilio-signature': sign(path, form, options.publicUrl) },
      }),
    open: (path = `/media/${TOKEN}`, headers) =>
      openPeer(`ws://${origin}${path}`, headers ?? { 'x-twilio-signature': sign(path, {}, 'wss://voice.example.com') }),
  };
}

/** Twilio's end of a media socket. */
export class Peer {
  readonly socket: WebSocket;
  readonly received: Record<string, unknown>[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #waiting: { count: number; resolve: () => void }[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => {
      if (isBinary) throw new Error('Twilio does not take binary messages (31950)');
      this.received.push(JSON.parse(String(data as Buffer)));
      this.#waiting = this.#waiting.filter(({ count, resolve }) => this.received.length < count || resolve());
    });
  }
  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }
  /** Resolves when `count` messages have come in altogether. */
  async gets(count: number): Promise<Record<string, unknown>[]> {
    if (this.received.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    }
    return this.received;
  }
  /** Sends `connected` and `start`. */
  start(extra: Record<string, unknown> = {}): void {
    this.send({ event: 'connected', protocol: 'Call', version: '1.0.0' });
    this.send(startMessage(extra));
  }
}

export const startMessage = (extra: Record<string, unknown> = {}) => ({
  event: 'start',
  sequenceNumber: '1',
  streamSid: STREAM_SID,
  start: {
    accountSid: ACCOUNT_SID,
    streamSid: STREAM_SID,
    callSid: CALL_SID,
    tracks: ['inbound'],
    mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
    customParameters: {},
    ...extra,
  },
});

export const mediaMessage = (chunk: number, payload = Buffer.alloc(160, 0xff).toString('base64')) => ({
  event: 'media',
  sequenceNumber: String(chunk + 1),
  streamSid: STREAM_SID,
  media: { track: 'inbound', chunk: String(chunk), timestamp: String(155 + (chunk - 1) * 20), payload },
});

export const markMessage = (name: string) => ({
  event: 'mark',
  sequenceNumber: '9',
  streamSid: STREAM_SID,
  mark: { name },
});

export async function openPeer(url: string, headers: Record<string, string>): Promise<Peer> {
  const socket = new WebSocket(url, { headers });
  const peer = new Peer(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_request, response) => {
      reject(new Error(String(response.statusCode)));
      socket.terminate();
    });
    socket.once('error', reject);
  });
  return peer;
}
