// What the simulated model of one call says, session after session: a session that takes over goes on in the script where
// the one before had got, and the faults of the call that begin with a connection are in its options.
import { clip } from '../simulator/clips.ts';
import type { Garbage, SessionOptions } from '../simulator/options.ts';
import type { Answer, Script } from '../simulator/script.ts';
import { FAULT_NAMES, type FaultName } from './fault-kinds.ts';
import type { CallPlan, Scene, Strike } from './plan.ts';

/** Everything that the models of chaos say, by the clips' names. */
const SAID = [
  ...['go_on', 'order_taken', 'weather_answer', 'clinic_support_long', 'lamp_on', 'clinic_one_moment', 'farewell'],
  ...['clinic_anything', 'sorry_repeat', 'still_there', 'silence_goodbye', 'wrap_up'],
] as const;
/** Clips that ask the caller to wait. */
export const ASKS_TO_WAIT: readonly string[] = ['clinic_one_moment'];

/** The model's clips by name. */
export const modelClips = (): [string, Buffer][] => SAID.map((name) => [name, clip(name).audio]);

const say = (name: (typeof SAID)[number]): Answer => ({ items: [{ say: [name] }] });
const lookup = { tool: 'lookup', arguments: {} };

/** Answers to the caller's turns. */
export function turnsOf(scene: Scene, faults: readonly FaultName[]): Answer[] {
  const first =
    scene.shape === 'barge_in' ? 'clinic_support_long' : scene.patienceMs > 1_000 ? 'weather_answer' : 'order_taken';
  const unannounced = faults.includes('tool_hangs_unannounced');
  const second: Answer =
    scene.shape === 'tool'
      ? { items: unannounced ? [lookup] : [{ say: ['clinic_one_moment'] }, lookup] }
      : say('lamp_on');
  const last: Answer =
    scene.endedBy === 'agent'
      ? { items: [{ say: ['farewell'] }, { tool: 'end_call', arguments: {} }] }
      : say('lamp_on');
  return turnsInOrder().map((answer, i) => spoilt(answer, i, faults));

  function turnsInOrder(): Answer[] {
    if (!scene.brief) return [say(first), second, last];
    if (scene.shape === 'tool') return [second];
    return scene.shape === 'barge_in' ? [say(first), last] : [last];
  }
}

/** The answer as the model gives it the first time. */
function spoilt(answer: Answer, index: number, faults: readonly FaultName[]): Answer {
  if (index !== 0) return answer;
  if (faults.includes('answer_incomplete')) return { ...answer, status: 'incomplete' };
  const code = failureOf(faults);
  return code === undefined ? answer : { items: [], status: 'failed', error: { code } };
}

function failureOf(faults: readonly FaultName[]): string | undefined {
  if (faults.includes('answer_fails_once') || faults.includes('answer_fails_twice')) return 'server_error';
  if (faults.includes('answer_rate_limited')) return 'rate_limit_exceeded';
  return faults.includes('answer_without_quota') ? 'insufficient_quota' : undefined;
}

export interface ModelSessionOptions {
  plan: CallPlan;
  /** Which connection attempt of this model in this call, from 1. */
  attempt: number;
  /** The call had a session before: this one takes over. */
  takesOver: boolean;
  /** How many of the caller's turns were answered to their end before. */
  answered: number;
  /** A fallback is well, whatever the first model suffers. */
  fallback: boolean;
  /** The fault that begins with a connection strikes now. */
  struck: (strike: Strike) => void;
}

/** Options of one session of a call. */
export function sessionOptions({
  plan,
  attempt,
  takesOver,
  answered,
  fallback,
  struck,
}: ModelSessionOptions): SessionOptions {
  const strikes = fallback ? [] : plan.strikes;
  const faults = strikes.map(({ fault }) => fault);
  const whole = turnsOf(plan.scene, []);
  const script = scriptOf(plan.scene, { attempt, takesOver, answered }, faults);
  const options: SessionOptions = {
    script: { ...script, fallback: whole.at(-1) ?? say('sorry_repeat') },
    keepAudio: false,
  };
  for (const strike of strikes) {
    const more = connectingFault(strike, attempt);
    if (more === null) continue;
    struck(strike);
    Object.assign(options, more);
  }
  return options;
}

function scriptOf(
  scene: Scene,
  { attempt, takesOver, answered }: Pick<ModelSessionOptions, 'attempt' | 'takesOver' | 'answered'>,
  faults: readonly FaultName[],
): Script {
  const failsAgain = faults.includes('answer_without_quota');
  const turns = turnsOf(scene, attempt === 1 || failsAgain ? faults : []);
  const failed = turns[0];
  if (attempt === 1 && failed?.status === 'failed') {
    // What failed is asked again: once more it fails, or it goes well.
    if (faults.includes('answer_fails_twice')) turns.unshift(failed);
    turns.splice(faults.includes('answer_fails_twice') ? 2 : 1, 0, ...turnsOf(scene, []).slice(0, 1));
  }
  return {
    // One that takes over without any words of the caller was told to ask for them again.
    greeting: takesOver ? (failsAgain && failed ? failed : say('sorry_repeat')) : say('go_on'),
    turns: failsAgain && failed ? Array.from({ length: 5 }, () => failed) : turns.slice(answered),
    afterTool: { lookup: say(scene.brief ? 'lamp_on' : 'clinic_anything') },
    whenInstructions: [
      { contains: 'still there', answer: say('still_there') },
      { contains: 'cannot hear', answer: say('silence_goodbye') },
      { contains: 'time limit', answer: say('wrap_up') },
    ],
    onSilence: say('still_there'),
  };
}

const SLOW = { leastMs: 1_600, mostMs: 3_500 };
const slowMs = (chance: number): number => Math.round(SLOW.leastMs + chance * (SLOW.mostMs - SLOW.leastMs));
const NEVER_MS = 600_000;

/** What a connection of this number is made to do by a fault; null: the fault lies elsewhere, or is over. */
function connectingFault({ fault, chance }: Strike, attempt: number): SessionOptions | null {
  const first = attempt === 1;
  switch (fault) {
    case 'handshake_slow':
      return { handshakeDelayMs: slowMs(chance) };
    case 'handshake_hangs':
      return first ? { hangHandshake: true } : null;
    case 'handshake_hangs_always':
      return { hangHandshake: true };
    case 'open_but_silent':
      return first ? { silent: true } : null;
    case 'refused_401':
      return { refuse: { status: 401, code: 'invalid_api_key' } };
    case 'refused_403':
      return { refuse: { status: 403 } };
    case 'refused_429_once':
      return first ? { refuse: { status: 429, retryAfter: 1 } } : null;
    case 'refused_429_always':
      return { refuse: { status: 429 } };
    case 'refused_500_once':
      return first ? { refuse: { status: 500 } } : null;
    case 'refused_503_once':
      return attempt <= 2 ? { refuse: { status: 503 } } : null;
    case 'refused_503_always':
      return { refuse: { status: 503 } };
    case 'update_slow':
      return { updateDelayMs: slowMs(chance) };
    case 'update_never':
      return { updateDelayMs: NEVER_MS };
    case 'update_refused':
      return { refuseUpdate: { code: 'invalid_value', message: 'Refused by chaos.' } };
    case 'answer_fails_once':
    case 'answer_fails_twice':
    case 'answer_rate_limited':
    case 'answer_without_quota':
    case 'answer_incomplete':
      return first ? {} : null;
    case 'late_audio':
      return { lateDeltas: 3, lateDeltasAfterDone: 3 };
    case 'transcription_fails':
      return { failTranscription: true };
    default:
      return fault.startsWith('frames_') ? { garbage: garbageOf(fault.slice('frames_'.length), chance) } : null;
  }
}

/** Events that a broken frame follows; of `out_of_order` those with another right behind them. */
const EVENTS = [
  ...['session.updated', 'response.created', 'response.output_item.added', 'response.output_audio.delta'],
  ...['response.output_audio_transcript.delta', 'response.output_item.done', 'response.done'],
  ...['input_audio_buffer.speech_started', 'input_audio_buffer.committed'],
  ...['response.function_call_arguments.done', 'conversation.item.input_audio_transcription.completed'],
];
const FOLLOWED = ['response.created', 'response.output_item.added', 'input_audio_buffer.committed'];

function garbageOf(kind: string, chance: number): Garbage[] {
  const pool = kind === 'out_of_order' ? FOLLOWED : EVENTS;
  const from = Math.floor(chance * pool.length);
  // A few kinds of events of the call, others with another seed.
  const at = Array.from({ length: Math.min(4, pool.length) }, (_, i) => pool[(from + i * 3) % pool.length] as string);
  const times = kind === 'huge' ? 1 : 3;
  const wanted = kind === 'bare' ? at.filter((type) => !type.startsWith('session')) : at;
  return (kind === 'huge' ? wanted.slice(0, 1) : wanted).map((type) => ({
    at: type,
    kind: kind as Garbage['kind'],
    times,
  }));
}

/** Faults that this file commits. */
export const CONNECTING: readonly FaultName[] = FAULT_NAMES.filter(
  (fault) => connectingFault({ fault, moment: 'connect', nth: 1, delayMs: 0, chance: 0 }, 1) !== null,
);
