// A bare client of the Realtime protocol. It judges every event it is sent by the official schema, so that each test of
// the simulator is also a test of the simulator's honesty.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { WebSocket } from 'ws';
import type { RawData } from 'ws';
import { silence } from '../../src/audio/mulaw.ts';
import { readWav } from '../../src/audio/wav.ts';
import { startSimulator } from '../../src/simulator/server.ts';
import type { Simulator, SimulatorOptions } from '../../src/simulator/server.ts';
import type { SimulatedSession } from '../../src/simulator/session.ts';

const FIXTURES = new URL('../fixtures/openai/', import.meta.url);
const schema = (name: string): object => JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8')) as object;
const ajv = new Ajv2020({ strict: false, validateFormats: false });

/** The official schemas. */
export const isServerEvent = ajv.compile(schema('openai-realtime-server-events.schema.json'));
export const isClientEvent = ajv.compile(schema('openai-realtime-client-events.strict.schema.json'));

export interface ServerEvent {
  type: string;
  event_id: string;
  [field: string]: unknown;
  item_id: string;
  item: { id: string; type: string; role?: string; status: string; content: { type: string; transcript?: string }[] };
  response: {
    id: string;
    conversation_id: string | null;
    status: string;
    status_details: { type: string; reason?: string; error?: { code: string } } | null;
    output: {
      id: string;
      type: string;
      status: string;
      name?: string;
      content?: { transcript?: string; text?: string }[];
    }[];
    usage: {
      total_tokens: number;
      input_tokens: number;
      output_tokens: number;
      input_token_details: { text_tokens: number; audio_tokens: number; cached_tokens: number };
      output_token_details: { text_tokens: number; audio_tokens: number };
    };
    metadata: unknown;
  };
  error: { code: string; message: string; param: string | null; event_id: string | null };
}

/** One connected client and the session it talks to. */
export class SocketClient {
  readonly events: ServerEvent[] = [];
  /** Events that the official schema refuses. */
  readonly invalid: { event: unknown; errors: unknown }[] = [];
  readonly frames: (string | Buffer)[] = [];
  readonly socket: WebSocket;
  readonly session: SimulatedSession;
  readonly closed: Promise<{ code: number; reason: string }>;
  #waiting = new Set<() => void>();

  constructor(socket: WebSocket, session: SimulatedSession, early: [RawData, boolean][]) {
    this.socket = socket;
    this.session = session;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    for (const [data, isBinary] of early) this.#take(data, isBinary);
    socket.on('message', (data, isBinary) => this.#take(data, isBinary));
  }

  get types(): string[] {
    return this.events.map((event) => event.type);
  }

  of(type: string): ServerEvent[] {
    return this.events.filter((event) => event.type === type);
  }

  send(event: Record<string, unknown>): void {
    this.socket.send(JSON.stringify(event));
  }

  /** Waits until `count` events of this type have come, and returns the last of them. */
  async seen(type: string, count = 1): Promise<ServerEvent> {
    while (this.of(type).length < count) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    return this.of(type)[count - 1] as ServerEvent;
  }

  /** Sends an event that must be refused, and returns the error. */
  async refused(event: Record<string, unknown>): Promise<ServerEvent['error']> {
    const count = this.of('error').length + 1;
    this.send(event);
    return (await this.seen('error', count)).error;
  }

  /** Configures the session for the telephone: PCMU both ways. */
  async update(input: Record<string, unknown> = {}, rest: Record<string, unknown> = {}): Promise<void> {
    const count = this.of('session.updated').length + 1;
    const format = { type: 'audio/pcmu' };
    this.send({
      type: 'session.update',
      session: {
        type: 'realtime',
        audio: { input: { format, ...input }, output: { format, voice: 'marin' } },
        ...rest,
      },
    });
    await this.seen('session.updated', count);
  }

  /** Appends audio in 20 ms frames, as fast as the socket takes it. */
  append(audio: Uint8Array): void {
    for (let i = 0; i < audio.length; i += 160)
      this.send({
        type: 'input_audio_buffer.append',
        audio: Buffer.from(audio.subarray(i, i + 160)).toString('base64'),
      });
  }

  /** A recorded caller, then a second of silence: one turn. */
  say(recording: string): void {
    this.append(Buffer.concat([recorded(recording), silence(8000)]));
  }

  /** All audio received of one item. */
  audioOf(itemId: string): Buffer {
    const deltas = this.of('response.output_audio.delta').filter((event) => event.item_id === itemId);
    return Buffer.concat(deltas.map((event) => Buffer.from(String(event.delta), 'base64')));
  }

  #take(data: RawData, isBinary: boolean): void {
    const frame = isBinary ? (data as Buffer) : (data as Buffer).toString('utf8');
    this.frames.push(frame);
    try {
      const event = JSON.parse(frame.toString()) as ServerEvent;
      this.events.push(event);
      if (!isServerEvent(event)) this.invalid.push({ event, errors: isServerEvent.errors });
    } catch {
      this.invalid.push({ event: 'no JSON', errors: null });
    }
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** The PCMU bytes of a recorded caller. */
export function recorded(name: string): Buffer {
  const { channels } = readWav(readFileSync(new URL(`audio/${name}.wav`, FIXTURES)));
  return Buffer.from(channels[0] as Uint8Array);
}

const running: Simulator[] = [];

/** A simulator that `closeSimulators` ends. */
export async function simulate(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator(options);
  running.push(simulator);
  return simulator;
}

/** Ends what `simulate` started. */
export async function closeSimulators(): Promise<void> {
  await Promise.all(running.splice(0).map((simulator) => simulator.close()));
}

/** The URL of a simulator's socket. */
export const socketUrl = (simulator: Simulator, query = '?model=gpt-realtime-2.1'): string =>
  `${simulator.origin.replace('http', 'ws')}/realtime${query}`;

/** Connects a client and waits for its session. */
export async function connect(simulator: Simulator): Promise<SocketClient> {
  const session = new Promise<SimulatedSession>((resolve) => {
    const stop = simulator.onSession((started) => {
      stop();
      resolve(started);
    });
  });
  const socket = new WebSocket(socketUrl(simulator), { headers: { authorization: 'Bearer test' } });
  // The first events come with the handshake: collect them before anything is awaited.
  const early: [RawData, boolean][] = [];
  const collect = (data: RawData, isBinary: boolean): void => void early.push([data, isBinary]);
  socket.on('message', collect);
  const opened = new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  const started = await session;
  await opened;
  socket.off('message', collect);
  return new SocketClient(socket, started, early);
}

/** Starts a simulator with these session options, connects, and configures for the telephone. */
export async function phoneSession(
  session: NonNullable<SimulatorOptions['session']> = {},
  input: Record<string, unknown> = {},
  rest: Record<string, unknown> = {},
): Promise<SocketClient> {
  const client = await connect(await simulate({ session }));
  await client.update(input, rest);
  return client;
}
