// The section `admission` of an agent that lets everybody in, for agents that tests make by hand.
import type { AgentAdmission } from '../../src/agent/agent.ts';

export const OPEN_ADMISSION: AgentAdmission = {
  allow: null,
  deny: [],
  attestation: null,
  callsPerMinutePerCaller: null,
  callsAtOncePerCaller: null,
  refused: { denied: { give: 'busy' }, limited: { give: 'busy' }, full: { give: 'busy' }, draining: { give: 'busy' } },
};
