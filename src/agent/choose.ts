// Which agent answers: asked once per call, at admission. And whether it would send its caller back to itself.
import type { Agent } from './agent.ts';

/**
 * The agent that claims the dialled address, else the one that answers `*`, else null.
 * @param to E.164, or the URI of a call through a SIP domain or a softphone (`sip:frontdesk@example.com`, `client:frontdesk`)
 */
export function chooseAgent(agents: readonly Agent[], to: string): Agent | null {
  const user = addressee(to);
  const claimed = user === '*' ? undefined : agents.find((agent) => agent.answers.includes(user));
  return claimed ?? agents.find((agent) => agent.answers.includes('*')) ?? null;
}

/** Every number to which an agent forwards a caller. */
export function forwardsOf({ failure, budget, admission }: Agent): string[] {
  const refused = Object.values(admission.refused).map((refusal) => (refusal.give === 'forward' ? refusal.to : null));
  return [failure.forwardTo, budget.forwardTo, ...refused].filter((to) => to !== null);
}

/** The user part of a URI (RFC 3261 §19.1.1: no password, no user parameters, %-escapes decoded); a number as it is. */
export function addressee(to: string): string {
  const uri = /^\s*<?(?:sips?|client|tel):([^@>;:?]*)/i.exec(to);
  if (!uri) return to.trim();
  try {
    return decodeURIComponent(uri[1] ?? '');
  } catch {
    return uri[1] ?? '';
  }
}
