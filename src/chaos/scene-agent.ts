// The agent that answers one call of chaos: the sample agent, short of words and patience, with the ladder of the call's
// scene, a model of its own, so that one call's failing endpoint is no other call's, and a tool that fails as it is told.
import { cutClip } from '../phone/caller-track.ts';
import type { Agent } from '../agent/agent.ts';
import { defineTool, type ToolContext } from '../tools/tool.ts';
import type { FaultName } from './fault-kinds.ts';
import type { CallPlan, Scene } from './plan.ts';

/** What agents and callers of chaos are known by. */
export const calledNumber = (call: number): string => `+1500${String(call).padStart(7, '0')}`;
export const callingNumber = (call: number): string => `+1501${String(call).padStart(7, '0')}`;
export const modelName = (call: number, fallback = false): string => `chaos-${call}${fallback ? '-fallback' : ''}`;

/** The call and which of its agent's models are meant by a model's name. */
export function callOfModel(model: string): { call: number; fallback: boolean } | null {
  const [, call, fallback] = /^chaos-(\d+)(-fallback)?$/.exec(model) ?? [];
  return call === undefined ? null : { call: Number(call), fallback: fallback !== undefined };
}

export const HUMAN = '+15005550009';
/** A recorded greeting: the first words of the sample agent's. */
const GREETING_MS = 2_000;
const TOOL_MS = 2_500;
/** Longer than a tool may take: the rejection comes when nobody waits any more. */
const LATE_MS = TOOL_MS + 1_000;
const LARGE = 'x'.repeat(1024 * 1024);

/** The sample's recorded greeting, cut to a sentence. */
export const greetingClip = (greeting: Uint8Array): Uint8Array => cutClip(greeting, 0, GREETING_MS);

export interface SceneAgentOptions {
  plan: CallPlan;
  sample: Agent;
  greeting: Uint8Array;
  /** API root of the first model; null = the simulator. */
  endpoint: string | null;
  toolFault: FaultName | undefined;
  /** The tool is asked for. */
  toolRuns: () => void;
}

export function sceneAgent({ plan, sample, greeting, endpoint, toolFault, toolRuns }: SceneAgentOptions): Agent {
  const { number, scene } = plan;
  return {
    ...sample,
    name: `chaos ${number}`,
    answers: [calledNumber(number)],
    model: { ...sample.model, name: modelName(number), endpoint },
    greeting: {
      text: 'Thank you for calling Harbor Clinic.',
      clip: scene.greeting === 'clip' ? greeting : null,
      protected: false,
    },
    limits: { ...sample.limits, toolMs: TOOL_MS },
    recording: scene.recorded ? { disclosure: 'This call is recorded.' } : null,
    failure: { ...sample.failure, ...ladderOf(scene, number, sample) },
    tools: [
      defineTool({
        name: 'lookup',
        description: 'Looks something up.',
        parameters: { type: 'object', properties: {} },
        run(_args, context) {
          toolRuns();
          return answerOf(toolFault, context);
        },
      }),
    ],
  };
}

function ladderOf({ ladder, fallback }: Scene, number: number, sample: Agent): Partial<Agent['failure']> {
  return {
    fallback: fallback ? { name: modelName(number, true), endpoint: null, voice: sample.model.voice } : null,
    forwardTo: ladder === 'forward' ? HUMAN : null,
    voicemail: ladder === 'voicemail' ? { prompt: 'Please leave a message.', maxSeconds: 10 } : null,
  };
}

function answerOf(fault: FaultName | undefined, { signal }: ToolContext): unknown {
  switch (fault) {
    case 'tool_throws':
      throw new Error('The account service is down.');
    case 'tool_hangs':
    case 'tool_hangs_unannounced':
      return new Promise(() => {});
    case 'tool_rejects_late':
      return new Promise((_, reject) => {
        const late = setTimeout(() => reject(new Error('too late')), LATE_MS);
        late.unref();
        signal.addEventListener('abort', () => {
          clearTimeout(late);
          setImmediate(() => reject(new Error('after the end')));
        });
      });
    case 'tool_too_large':
      return { rows: LARGE };
    case 'tool_unreadable':
      return { amount: 10n };
    default:
      return { balance: 42 };
  }
}
