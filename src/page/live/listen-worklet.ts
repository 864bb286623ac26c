// The audio thread of a listener: frames come in as they came over the socket, both sides go out, each with its volume; how
// loud they are is told twenty times a second.
import { JitterBuffer } from './jitter-buffer.ts';
import { readFrame, type Side } from './listen-frame.ts';

/** What the page tells this thread; audio comes as a bare ArrayBuffer. */
export type ListenOrders =
  | ArrayBuffer
  | { do: 'clear'; atMs: number }
  | { do: 'volume'; side: Side; volume: number }
  | { do: 'apart'; apart: boolean }
  | { do: 'forget' };

/** What it tells the page. Levels are root mean squares, 0 to 1. */
export interface ListenReport {
  caller: number;
  agent: number;
}

const REPORT_EVERY_S = 0.05;
/** How much of the other ear's side stays, when they are apart: nothing sounds worse than one ear alone. */
const CROSS = 0.25;

class Listener extends AudioWorkletProcessor {
  #buffer = new JitterBuffer();
  readonly #volume: Record<Side, number> = { caller: 1, agent: 1 };
  #apart = false;
  #caller = new Float32Array(128);
  #agent = new Float32Array(128);
  readonly #squares: Record<Side, number> = { caller: 0, agent: 0 };
  #summed = 0;
  #reportAtS = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ListenOrders>) => this.#told(data);
  }

  #told(data: ListenOrders): void {
    if (data instanceof ArrayBuffer) {
      const frame = readFrame(data);
      if (frame !== null) this.#buffer.write(frame.side, frame.startMs, frame.audio, currentTime);
    } else if (data.do === 'clear') this.#buffer.clear(data.atMs);
    else if (data.do === 'volume') this.#volume[data.side] = data.volume;
    else if (data.do === 'apart') this.#apart = data.apart;
    else this.#buffer = new JitterBuffer();
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const [left, right] = outputs[0] ?? [];
    if (left === undefined || right === undefined) return true;
    if (this.#caller.length !== left.length) {
      this.#caller = new Float32Array(left.length);
      this.#agent = new Float32Array(left.length);
    }
    const [caller, agent] = [this.#caller, this.#agent];
    this.#buffer.read(caller, agent, sampleRate, currentTime);
    const cross = this.#apart ? CROSS : 1;
    for (let i = 0; i < left.length; i += 1) {
      const [c, a] = [caller[i] as number, agent[i] as number];
      this.#squares.caller += c * c;
      this.#squares.agent += a * a;
      const [cOut, aOut] = [c * this.#volume.caller, a * this.#volume.agent];
      left[i] = cOut + aOut * cross;
      right[i] = aOut + cOut * cross;
    }
    this.#summed += left.length;
    if (currentTime >= this.#reportAtS) this.#report();
    return true;
  }

  #report(): void {
    this.#reportAtS = currentTime + REPORT_EVERY_S;
    const report: ListenReport = {
      caller: Math.sqrt(this.#squares.caller / this.#summed),
      agent: Math.sqrt(this.#squares.agent / this.#summed),
    };
    this.port.postMessage(report);
    this.#squares.caller = 0;
    this.#squares.agent = 0;
    this.#summed = 0;
  }
}

registerProcessor('trunkline-listen', Listener);
