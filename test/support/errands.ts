// What end-to-end tests of errands share: an agent that may do them, a caller who asks at once, and what an ear and a model's
// side tell afterwards.
import type { Agent } from '../../src/agent/agent.ts';
import type { CallerStep } from '../../src/phone/caller-track.ts';
import type { PhoneCall } from '../../src/phone/phone.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import type { CallRecord } from '../../src/record/call-record.ts';
import type { Answer, AnswerItem } from '../../src/simulator/script.ts';
import type { SimulatedSession } from '../../src/simulator/session.ts';
import { type E2e, interruption, within } from './e2e.ts';

export const DESK = '+15005550009';
export const NIGHT_DESK = '+15005550010';

/** An agent that waits for its caller, and may do what `more` says. */
export const errandAgent = (more: Partial<Agent> = {}): Partial<Agent> => ({
  greeting: null,
  recording: { disclosure: 'This call is recorded.' },
  ...more,
});

/** A target of the agent file. */
export const target = (how: 'cold' | 'warm', to = DESK, ringSeconds = 20): Agent['transfer'][string] => ({
  ...{ to, how, ringSeconds },
  when: 'The caller asks for a person.',
});

export const says = (...ms: number[]): Answer => ({ items: ms.map((stampedMs) => ({ stampedMs })) });

/** Says so much, then calls a tool. */
export const calls = (tool: string, args: object, ...ms: number[]): Answer => ({
  items: [...ms.map((stampedMs): AnswerItem => ({ stampedMs })), { tool, arguments: args }],
});

export const farewell = calls('end_call', {}, 300);

/** A caller on a quiet line, who asks at once and then does what the steps say. */
export const asksFirst = (...steps: CallerStep[]): Partial<PhoneOptions> => ({
  idle: 'silence',
  track: { steps: [{ cue: { atMs: 100 }, action: { say: interruption() } }, ...steps] },
});

/** The caller speaks when the agent has said so much since the step before and is silent. */
export const speaksAfter = (minHeardMs: number, forMs = 300, patienceMs = 60_000): CallerStep => ({
  cue: { after: 'agent_silent', forMs, minHeardMs, patienceMs },
  action: { say: interruption() },
});

export const verbsOf = ({ verbs }: { verbs: readonly { name: string }[] }): string[] => verbs.map(({ name }) => name);

/** What the model was told of a tool. */
export const outputsOf = ({ clientEvents }: SimulatedSession): string[] =>
  clientEvents.flatMap(({ event }) => {
    const item = event['item'] as { type?: string; output?: string } | undefined;
    return item?.type === 'function_call_output' ? [item.output ?? ''] : [];
  });

export const stagesOf = ({ transfers }: CallRecord): string[] =>
  transfers.map(({ target: name, stage, why }) => `${name} ${stage}${why === '' ? '' : `: ${why}`}`);

/** So many answers were completed, those beside the conversation left out. */
export async function answered(session: SimulatedSession, count: number): Promise<void> {
  const enough = (): boolean =>
    session.responses.filter(({ outOfBand, status }) => !outOfBand && status === 'completed').length >= count;
  if (!enough()) await within(15_000, `${count} answers`, session.next('response_done', enough));
}

/** The stream of a phone after the first. */
export async function secondStream(phone: PhoneCall): Promise<void> {
  const { streamSid: first } = await phone.once('streaming');
  await phone.once('streaming', { withinMs: 20_000, where: ({ streamSid }) => streamSid !== first });
}

/** Orders about the caller's own call. */
export const ordersAbout = (e2e: E2e, { callSid }: PhoneCall): string[] =>
  e2e.api.requests
    .filter(({ path }) => path.endsWith(`/Calls/${callSid}.json`))
    .map(({ params }) => (params['Status'] === undefined ? 'redirect' : `status ${params['Status']}`));

/** Calls that were made to people. */
export const madeCalls = (e2e: E2e) =>
  e2e.api.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/Calls.json'));
