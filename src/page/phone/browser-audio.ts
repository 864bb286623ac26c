// The browser's microphone and loudspeaker for one call. 8 kHz where the browser grants it, else its own rate, and the worklets
// change it. Owns the audio context, the microphone and the tones, and lets go of all of them.
import captureUrl from '../worklets/capture.worklet.ts?worker&url';
import playbackUrl from '../worklets/playback.worklet.ts?worker&url';
import type { PlaybackNews, PlaybackOrder } from '../worklets/playback.worklet.ts';
import type { CapturedFrame } from './capture.ts';
import type { Playback } from './media-stream-client.ts';
import { MULAW_RATE } from '../mu-law.ts';

export interface BrowserAudioHooks {
  frame: (frame: CapturedFrame) => void;
  /** All before these marks has been played, or thrown away. */
  marks: (names: readonly string[]) => void;
  /** 0 to 1, the highest sample of late. */
  agentLevel: (level: number) => void;
  /** The microphone was unplugged, or taken away. */
  lost: () => void;
}

export interface BrowserAudio {
  playback: Playback;
  mute(on: boolean): void;
  /** What a key sounds like to the one who presses it. */
  tone(digit: string): void;
  close(): void;
}

/** Why there is no audio. `insecure`: the page did not come by https. */
export type AudioProblem = 'unsupported' | 'insecure' | 'denied' | 'no_microphone' | 'in_use' | 'failed';

export class AudioError extends Error {
  readonly problem: AudioProblem;
  constructor(problem: AudioProblem, options?: { cause?: unknown }) {
    super(problem, options);
    this.problem = problem;
  }
}

/** The echo of the loudspeaker must go, or the agent would hear itself; the rest would mangle what a telephone carries. */
const MICROPHONE: MediaTrackConstraints = {
  channelCount: 1,
  echoCancellation: true,
  noiseSuppression: false,
  autoGainControl: false,
};
const ROWS_HZ = [697, 770, 852, 941];
const COLUMNS_HZ = [1209, 1336, 1477, 1633];
const KEYS = '123A456B789C*0#D';
const TONE_SECONDS = 0.12;
const TONE_GAIN = 0.06;

/** Asks for the microphone, and opens both directions. Call it from a click. @throws AudioError */
export async function openAudio(hooks: BrowserAudioHooks): Promise<BrowserAudio> {
  if (!isSecureContext) throw new AudioError('insecure');
  if (!('mediaDevices' in navigator) || typeof AudioWorkletNode === 'undefined') throw new AudioError('unsupported');
  const microphone = await askForMicrophone();
  try {
    return await open(microphone, hooks);
  } catch (cause) {
    stop(microphone);
    throw cause instanceof AudioError ? cause : new AudioError('failed', { cause });
  }
}

async function askForMicrophone(): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE });
  } catch (cause) {
    const name = cause instanceof DOMException ? cause.name : '';
    if (name === 'NotAllowedError' || name === 'SecurityError') throw new AudioError('denied', { cause });
    if (name === 'NotFoundError' || name === 'OverconstrainedError') throw new AudioError('no_microphone', { cause });
    throw new AudioError(name === 'NotReadableError' ? 'in_use' : 'failed', { cause });
  }
}

async function open(microphone: MediaStream, hooks: BrowserAudioHooks): Promise<BrowserAudio> {
  const { context, source } = contextFor(microphone);
  try {
    await Promise.all([captureUrl, playbackUrl].map((url) => context.audioWorklet.addModule(url)));
    await context.resume();
  } catch (cause) {
    void context.close();
    throw new AudioError('unsupported', { cause });
  }
  const capture = new AudioWorkletNode(context, 'trunkline-capture', {
    numberOfOutputs: 0,
    channelCount: 1,
    channelCountMode: 'explicit',
  });
  const playback = new AudioWorkletNode(context, 'trunkline-playback', { numberOfInputs: 0, outputChannelCount: [1] });
  source.connect(capture);
  playback.connect(context.destination);
  let over = false;
  const lost = (): void => {
    if (!over) hooks.lost();
  };
  capture.port.onmessage = ({ data }: MessageEvent<CapturedFrame>) => hooks.frame(data);
  playback.port.onmessage = ({ data }: MessageEvent<PlaybackNews>) =>
    'marks' in data ? hooks.marks(data.marks) : hooks.agentLevel(data.level);
  capture.onprocessorerror = lost;
  playback.onprocessorerror = lost;
  for (const track of microphone.getTracks()) track.onended = lost;
  const order = (what: PlaybackOrder, transfer: Transferable[] = []): void => playback.port.postMessage(what, transfer);
  return {
    playback: {
      append: (bytes) => order({ append: bytes }, [bytes.buffer]),
      mark: (name) => order({ mark: name }),
      clear: () => order('clear'),
    },
    mute: (muted) => capture.port.postMessage({ muted }),
    tone: (digit) => sound(context, digit),
    close() {
      if (over) return;
      over = true;
      order('over');
      capture.port.postMessage('over');
      stop(microphone);
      void context.close();
    },
  };
}

/** Firefox joins a microphone only to a context of the microphone's own rate. */
function contextFor(microphone: MediaStream): { context: AudioContext; source: MediaStreamAudioSourceNode } {
  for (const options of [
    { sampleRate: MULAW_RATE, latencyHint: 'interactive' },
    { latencyHint: 'interactive' },
  ] as const) {
    let context: AudioContext | null = null;
    try {
      context = new AudioContext(options);
      return { context, source: context.createMediaStreamSource(microphone) };
    } catch {
      void context?.close();
    }
  }
  throw new AudioError('unsupported');
}

function sound(context: AudioContext, digit: string): void {
  const key = KEYS.indexOf(digit);
  if (key < 0) return;
  const gain = new GainNode(context, { gain: TONE_GAIN });
  gain.connect(context.destination);
  const endsAt = context.currentTime + TONE_SECONDS;
  for (const frequency of [ROWS_HZ[key >> 2], COLUMNS_HZ[key & 3]]) {
    const wave = new OscillatorNode(context, { frequency: frequency as number });
    wave.connect(gain);
    wave.start();
    wave.stop(endsAt);
    wave.onended = () => gain.disconnect();
  }
}

function stop(microphone: MediaStream): void {
  for (const track of microphone.getTracks()) track.stop();
}
