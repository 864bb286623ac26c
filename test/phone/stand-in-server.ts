// A server small enough to be trusted by eye: answers the phone's requests with given TwiML and records what it is sent.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export interface FormPost {
  path: string;
  method: string;
  headers: Record<string, string | string[] | undefined>;
  params: Record<string, string>;
}

/** A message of the phone, as parsed; `at` is the arrival in ms of performance.now(). */
export interface PhoneMessage {
  at: number;
  event: string;
  sequenceNumber?: string;
  streamSid?: string;
  start?: { callSid: string; accountSid: string; customParameters: Record<string, string> } & Record<string, unknown>;
  media?: { track: string; chunk: string; timestamp: string; payload: string };
  mark?: { name: string };
  dtmf?: { digit: string; track: string };
  stop?: unknown;
  protocol?: string;
}

/** One media stream as the server sees it. */
export class ServerSide {
  readonly messages: PhoneMessage[] = [];
  readonly socket: WebSocket;
  readonly upgrade: IncomingMessage;
  closeCode: number | undefined;
  #waiting: (() => void)[] = [];

  constructor(socket: WebSocket, upgrade: IncomingMessage) {
    this.socket = socket;
    this.upgrade = upgrade;
    socket.on('message', (data) => {
      this.messages.push({ at: performance.now(), ...JSON.parse((data as Buffer).toString()) });
      this.#wake();
    });
    socket.on('close', (code) => {
      this.closeCode = code;
      this.#wake();
    });
  }

  get streamSid(): string {
    return this.messages.find((message) => message.event === 'start')?.streamSid ?? '';
  }

  of(event: string): PhoneMessage[] {
    return this.messages.filter((message) => message.event === event);
  }

  /** Waits until `count` messages of this event have come. */
  async received(event: string, count = 1): Promise<PhoneMessage[]> {
    while (this.of(event).length < count) await this.#next();
    return this.of(event);
  }

  async closed(): Promise<number> {
    while (this.closeCode === undefined) await this.#next();
    return this.closeCode;
  }

  media(bytes: Uint8Array): void {
    this.#send({
      event: 'media',
      streamSid: this.streamSid,
      media: { payload: Buffer.from(bytes).toString('base64') },
    });
  }

  mark(name: string): void {
    this.#send({ event: 'mark', streamSid: this.streamSid, mark: { name } });
  }

  clear(): void {
    this.#send({ event: 'clear', streamSid: this.streamSid });
  }

  #send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  #next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

export interface StandIn {
  url: string;
  posts: FormPost[];
  stream: Promise<ServerSide>;
  close(): Promise<void>;
}

export interface StandInOptions {
  /** TwiML by path; functions see the post. Paths ending in `status` answer 204, others 404. */
  twiml: Record<string, string | ((post: FormPost) => string | Promise<string>)>;
  contentType?: string;
  /** Whole answers by path, before `twiml`; without a status 200. */
  answers?: Record<
    string,
    (post: FormPost) => { status?: number; headers?: Record<string, string>; body?: string | Buffer }
  >;
  /** Runs as soon as a stream is open. */
  onStream?: (stream: ServerSide) => void;
  /** Refuse the upgrade with this status. */
  refuseUpgrade?: number;
}

export async function standIn(options: StandInOptions): Promise<StandIn> {
  const posts: FormPost[] = [];
  const http = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const path = new URL(request.url ?? '/', 'http://x').pathname;
      const post = {
        path: request.url ?? '',
        method: request.method ?? '',
        headers: request.headers,
        params: Object.fromEntries(new URLSearchParams(Buffer.concat(parts).toString())),
      };
      posts.push(post);
      const answer = options.answers?.[path]?.(post);
      if (answer) return response.writeHead(answer.status ?? 200, answer.headers).end(answer.body);
      const twiml = options.twiml[path];
      if (twiml === undefined) return response.writeHead(path.endsWith('status') ? 204 : 404).end();
      void Promise.resolve(typeof twiml === 'string' ? twiml : twiml(post)).then((body) =>
        response.writeHead(200, { 'Content-Type': options.contentType ?? 'text/xml' }).end(body),
      );
    });
  });
  const sockets = new WebSocketServer({ noServer: true });
  const stream = new Promise<ServerSide>((resolve) => {
    http.on('upgrade', (request, socket, head) => {
      if (options.refuseUpgrade)
        return socket.end(`HTTP/1.1 ${options.refuseUpgrade} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      sockets.handleUpgrade(request, socket, head, (ws) => {
        const side = new ServerSide(ws, request);
        options.onStream?.(side);
        resolve(side);
      });
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    posts,
    stream,
    close: () => new Promise((resolve) => http.close(() => resolve())),
  };
}

/** TwiML that connects the call to `url`. */
export const connectTo = (url: string, { action = '', inside = '', after = '<Hangup/>' } = {}): string =>
  `<?xml version="1.0" encoding="UTF-8"?><Response><Connect${action && ` action="${action}"`}>` +
  `<Stream url="${url}">${inside}</Stream></Connect>${after}</Response>`;
