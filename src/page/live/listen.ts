// Listening in to one live call: the socket, and the audio that it feeds. The caller and the agent hear nothing of it. Audio is
// handed to the audio thread as it came, so that this thread has nothing to do per frame but pass it on.
import { loadSession } from '../api.ts';
import { readOrder, type Side } from './listen-frame.ts';
import type { ListenOrders, ListenReport } from './listen-worklet.ts';
import workletUrl from './listen-worklet.ts?worker&url';

export type ListenState =
  | 'off'
  | 'starting'
  | 'on'
  /** The socket was lost and is being opened anew. */
  | 'again'
  /** The call is over. */
  | 'over'
  | 'failed';

export interface ListenTold {
  state(state: ListenState, why: string): void;
  report(report: ListenReport): void;
}

const FIRST_RETRY_MS = 500;
const MOST_RETRY_MS = 5_000;
/** So often in a row without a socket; then somebody has to ask again. */
const MOST_TRIES = 6;
/** The server's close code where too many listen. */
const TRY_LATER = 1013;
/** And for a session that is over. */
const LOGGED_OUT = 4401;

/** Owns one socket and one AudioContext; `stop` closes both. */
export class Listening {
  readonly #callId: string;
  readonly #told: ListenTold;
  #state: ListenState = 'off';
  #context: AudioContext | null = null;
  #node: AudioWorkletNode | null = null;
  #socket: WebSocket | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  readonly #volumes: Record<Side, number> = { caller: 1, agent: 1 };
  #apart = false;

  constructor(callId: string, told: ListenTold) {
    this.#callId = callId;
    this.#told = told;
  }

  /** Must be called by a press of a button: browsers play nothing before one. */
  async start(): Promise<void> {
    if (this.#state !== 'off' && this.#state !== 'failed') return;
    this.#be('starting');
    let context: AudioContext | null = null;
    try {
      context = this.#context = newContext();
      await this.#openAudio(context);
    } catch (error) {
      // What was stopped while it was awaited has not failed.
      if (this.#context !== context) return;
      this.#end(
        'failed',
        error instanceof Unable ? error.message : `This browser could not open its audio: ${String(error)}`,
      );
      return;
    }
    if (this.#context !== context) return;
    this.#tries = 0;
    this.#openSocket();
  }

  stop(): void {
    this.#end('off', '');
  }

  /** 0 to 1. */
  volume(side: Side, volume: number): void {
    this.#volumes[side] = volume;
    this.#order({ do: 'volume', side, volume });
  }

  /** The caller in the left ear, the agent in the right. */
  apart(apart: boolean): void {
    this.#apart = apart;
    this.#order({ do: 'apart', apart });
  }

  async #openAudio(context: AudioContext): Promise<void> {
    if (context.audioWorklet === undefined)
      throw new Unable(
        'Browsers play live audio on https pages and on localhost only. Open this page by its https address.',
      );
    await context.audioWorklet.addModule(workletUrl);
    await context.resume();
    if (this.#context !== context) return;
    const node = new AudioWorkletNode(context, 'trunkline-listen', {
      numberOfInputs: 0,
      numberOfOutputs: 1,
      outputChannelCount: [2],
    });
    node.port.onmessage = ({ data }: MessageEvent<ListenReport>) => this.#told.report(data);
    node.connect(context.destination);
    this.#node = node;
    for (const side of ['caller', 'agent'] as const) this.volume(side, this.#volumes[side]);
    this.apart(this.#apart);
  }

  #openSocket(): void {
    const { protocol, host } = location;
    const socket = new WebSocket(
      `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/api/live/calls/${encodeURIComponent(this.#callId)}/listen`,
    );
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => {
      this.#order({ do: 'forget' });
      this.#be('on');
    };
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      // Only what is heard counts as a socket that works.
      this.#tries = 0;
      if (typeof data === 'string') this.#ordered(data);
      else this.#node?.port.postMessage(data, [data]);
    };
    socket.onclose = ({ code }) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      if (code === TRY_LATER) this.#end('failed', 'Too many listen in to this call already. Try again later.');
      else if (code === LOGGED_OUT) {
        this.#end('failed', 'Your session is over. Log in again.');
        loadSession().catch(() => {});
      } else this.#lost();
    };
  }

  #ordered(text: string): void {
    const order = readOrder(text);
    if (order?.event === 'cleared') this.#order({ do: 'clear', atMs: order.atMs });
    if (order?.event === 'gone') this.#end('over', '');
  }

  #lost(): void {
    this.#tries += 1;
    if (this.#tries > MOST_TRIES) {
      this.#end('failed', 'The server does not let this page listen in. The call may be over, or your session.');
      return;
    }
    this.#be('again');
    const waitMs = Math.min(MOST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#tries - 1));
    this.#again = setTimeout(() => this.#openSocket(), waitMs);
  }

  #end(state: 'off' | 'over' | 'failed', why: string): void {
    clearTimeout(this.#again);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#node?.disconnect();
    this.#node = null;
    const context = this.#context;
    this.#context = null;
    if (context !== null && context.state !== 'closed') context.close().catch(() => {});
    this.#be(state, why);
  }

  #order(order: ListenOrders): void {
    this.#node?.port.postMessage(order);
  }

  #be(state: ListenState, why = ''): void {
    this.#state = state;
    this.#told.state(state, why);
  }
}

function newContext(): AudioContext {
  if (typeof AudioContext === 'undefined') throw new Unable('This browser cannot play live audio. Use a current one.');
  // The rate of telephones; a browser that has another one gets the samples between from the worklet.
  try {
    return new AudioContext({ sampleRate: 8_000, latencyHint: 'interactive' });
  } catch {
    return new AudioContext({ latencyHint: 'interactive' });
  }
}

class Unable extends Error {}
