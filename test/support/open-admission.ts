// The sections `admission`, `budget` and `retention` of an agent that lets everybody in, may spend what it likes and forgets
// nothing, for agents that tests make by hand.
import type { AgentAdmission, AgentBudget, AgentRetention } from '../../src/agent/agent.ts';
import type { CallPolicy } from '../../src/call/policy.ts';
import type { SpendMeter } from '../../src/call/spending.ts';

export const OPEN_ADMISSION: AgentAdmission = {
  allow: null,
  deny: [],
  attestation: null,
  callsPerMinutePerCaller: null,
  callsAtOncePerCaller: null,
  refused: {
    ...{ denied: { give: 'busy' }, limited: { give: 'busy' }, full: { give: 'busy' }, draining: { give: 'busy' } },
    budget: { give: 'busy' },
  },
};

export const NO_BUDGET: AgentBudget = {
  perCallNanoUsd: null,
  perCallerDayNanoUsd: null,
  perDayNanoUsd: null,
  nearly: 'Come to an end.',
  goodbye: 'We have to stop here.',
  forwardTo: null,
};

export const KEPT_FOR_EVER: AgentRetention = { audioDays: null, textDays: null, metadataDays: null };

/** The same as the core reads it. */
export const BUDGET_POLICY: CallPolicy['budget'] = {
  nearly: NO_BUDGET.nearly,
  goodbye: NO_BUDGET.goodbye,
  next: { do: 'hang_up' },
};

/** Nothing costs anything. */
export const free = (): SpendMeter => ({ read() {}, nextAnswerNanoUsd: () => 0, carriedNanoUsd: () => 0 });
