// What an AudioWorkletGlobalScope has and the page has not; the compiler's DOM library does not know it.
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
  constructor(options?: unknown);
}
declare function registerProcessor(name: string, processor: new (options?: unknown) => AudioWorkletProcessor): void;
/** Of the context, in samples a second. */
declare const sampleRate: number;
/** Samples of the context before this quantum. */
declare const currentFrame: number;
/** Of the context, in seconds. */
declare const currentTime: number;
