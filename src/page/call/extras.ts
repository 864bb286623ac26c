// What only the record file tells of a call: notes, hand-overs, troubles, what operators did, why points of quality are
// missing. The file may be of an older or a newer version, or somebody edited it: whatever does not look as expected is left
// out. Pure.

export interface Aside {
  atMs: number;
  what: string;
  text: string;
  tone: 'plain' | 'bad' | 'operator';
}

export interface Extras {
  asides: Aside[];
  /** Points that are missing of 100, and what for. */
  deductions: { part: string; points: number; why: string }[];
  /** When the agent was stopped by a decision of ours (keys, a wrap-up), not by the caller's voice. */
  ourStopsAtMs: number[];
  keysPressed: number;
  turnsDropped: number;
}

const STAGES: Record<string, string> = {
  begun: 'is being called',
  taken: 'took the call',
  missed: 'could not take the call',
  revoked: 'was called off',
};
const TROUBLES: Record<string, string> = {
  session_delayed: 'A try to reach the model failed; another follows',
  session_lost: 'The connection to the model was lost; another takes over',
  fallback_opened: "The agent's second model is used from now",
  media_lost: 'The media was lost; the call waits for its caller',
  media_back: 'The media is back',
};
const OPERATOR: Record<string, string> = {
  whispered: 'whispered to the agent',
  // Asked for: whether it came to that, the lines after it tell.
  said: 'asked the agent to say a line',
  transfers: 'asked for the call to be handed over',
  hung_up: 'asked for the call to be ended',
};

/** @param record `/api/calls/:id/record` */
export function extrasOf(record: unknown): Extras {
  const asides: Aside[] = [];
  const add = (one: Fields, what: string, text: string, tone: Aside['tone'] = 'plain'): void => {
    if (typeof one['atMs'] === 'number') asides.push({ atMs: one['atMs'], what, text, tone });
  };
  for (const one of list(record, 'notes')) add(one, `Note: ${word(one, 'disposition')}`, word(one, 'text'));
  for (const one of list(record, 'transfers')) {
    const stage = word(one, 'stage');
    const text = `${word(one, 'target')} ${STAGES[stage] ?? stage}${word(one, 'why') === '' ? '' : ` (${word(one, 'why')})`}`;
    add(one, 'Hand-over', text, stage === 'missed' ? 'bad' : 'plain');
  }
  for (const one of list(record, 'handOffs')) add(one, 'Hand-off', `${word(one, 'agent')} answers from now on`);
  for (const one of list(record, 'guarded'))
    add(one, 'Guardrail', `${word(one, 'guardrail')} stopped what was being said`, 'bad');
  for (const one of list(record, 'troubles')) {
    const what = word(one, 'what');
    add(one, 'Trouble', `${TROUBLES[what] ?? what} (${word(one, 'why')})`, what === 'media_back' ? 'plain' : 'bad');
  }
  for (const one of list(record, 'operated')) {
    const [action, target] = [word(one, 'action'), word(one, 'target')];
    add(one, 'Operator', `${OPERATOR[action] ?? action}${target === '' ? '' : ` to ${target}`}`, 'operator');
  }
  const quality = fields(fields(record)['quality']);
  return {
    asides: asides.toSorted((a, b) => a.atMs - b.atMs),
    deductions: list(quality, 'deductions').map((one) => ({
      part: word(one, 'part'),
      points: typeof one['points'] === 'number' ? one['points'] : 0,
      why: word(one, 'why'),
    })),
    ourStopsAtMs: list(record, 'stops').flatMap(({ because, atMs }) =>
      because === 'our_decision' && typeof atMs === 'number' ? atMs : [],
    ),
    keysPressed: count(record, 'keysPressed'),
    turnsDropped: count(record, 'turnsDropped'),
  };
}

type Fields = Record<string, unknown>;

const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const word = (one: Fields, name: string): string => (typeof one[name] === 'string' ? one[name] : '');
const count = (value: unknown, name: string): number => {
  const given = fields(value)[name];
  return typeof given === 'number' ? given : 0;
};

function list(value: unknown, name: string): Fields[] {
  const given = fields(value)[name];
  return Array.isArray(given) ? given.map(fields) : [];
}
