// The microphone's side of the audio thread: makes frames of mu-law and hands them to the page. Only glue: capture.ts does it.
import { Capture } from '../phone/capture.ts';

class CaptureProcessor extends AudioWorkletProcessor {
  readonly #capture = new Capture(sampleRate, (frame) => this.port.postMessage(frame, [frame.bytes.buffer]));
  #over = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<{ muted: boolean } | 'over'>) => {
      if (data === 'over') this.#over = true;
      else this.#capture.muted = data.muted;
    };
  }

  process([input]: Float32Array[][]): boolean {
    // A microphone without a channel yet gives nothing.
    const channel = input?.[0];
    if (channel !== undefined) this.#capture.push(channel, currentFrame);
    return !this.#over;
  }
}

registerProcessor('trunkline-capture', CaptureProcessor);
