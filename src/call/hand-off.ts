// Hand-off to another agent: the same call, other instructions, tools and voice. The other agent's session opens beside the
// present one and takes over in the first pause, with the history. Pure.
import { cause, change, type Draft } from './draft.ts';
import { dropSpare, nextSession } from './recovery.ts';
import { settleTool } from './tool-outcome.ts';

const MAX_WHY_CHARS = 500;

/** The model hands the call to another agent of its list. */
export function handOff(d: Draft, toolCall: string, { agent, why }: Record<string, unknown>): void {
  const { handOffs } = d.state.policy.errands;
  if (typeof agent !== 'string' || !handOffs.includes(agent) || d.state.handOffs[agent] === undefined)
    return settleTool(d, toolCall, `Not done: agent must be one of ${handOffs.join(', ')}.`);
  if (d.state.spare?.agent !== undefined || d.state.transfer !== null)
    return settleTool(d, toolCall, 'Not done: the caller is being handed over already.', true);
  dropSpare(d);
  const session = nextSession(d, 0, 0, agent);
  const reason =
    typeof why === 'string' && why.trim() !== '' ? ` The reason: ${why.trim().slice(0, MAX_WHY_CHARS)}` : '';
  const note =
    `The caller was talking to ${d.state.agent} and was handed over to you just now.${reason} ` +
    'Say in a few words who you are, then go on with what the caller wants. Do not greet as if the call had just begun.';
  change(d, { spare: { session, ready: false, sinceMs: d.atMs, agent, note } });
  settleTool(d, toolCall, `${agent} takes over as soon as it is ready. Say nothing more.`, true);
}

/** The other agent's session is there, and nobody speaks: it goes on under that agent's policy. */
export function becomeAgent(d: Draft, agent: string): void {
  const next = d.state.handOffs[agent];
  if (next === undefined) return;
  change(d, { agent, policy: next.policy, capabilities: next.capabilities, consent: null });
  cause(d, { do: 'note.handed_off', to: agent });
}
