// An agent that only talks: what tests of other things say about tools, people and keys.
import type { Agent } from '../../src/agent/agent.ts';
import type { ErrandPolicy } from '../../src/call/policy.ts';

export const NO_ERRANDS: ErrandPolicy = {
  targets: {},
  fields: {},
  consent: { by: 'voice_or_key', yes: ['yes'], no: ['no'], transcribes: true },
  dispositions: null,
  pressesKeys: false,
  handOffs: [],
  guardrails: [],
  filler: { afterMs: 1_700, say: null, musicBytes: 0, musicAfterMs: 2_000 },
};

/** The same of an agent. */
export const ONLY_TALKS: Pick<
  Agent,
  | 'sources'
  | 'outbound'
  | 'transfer'
  | 'keypad'
  | 'consent'
  | 'notes'
  | 'sendsDtmf'
  | 'sms'
  | 'handOff'
  | 'guardrails'
  | 'filler'
> = {
  sources: [],
  outbound: { hosts: [], private: [] },
  transfer: {},
  keypad: {},
  consent: { by: 'voice_or_key', yes: ['yes'], no: ['no'] },
  notes: null,
  sendsDtmf: false,
  sms: null,
  handOff: [],
  guardrails: [],
  filler: { afterMs: 1_700, say: null, music: null, musicAfterMs: 2_000 },
};
