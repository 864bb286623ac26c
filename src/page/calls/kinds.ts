// What the list of calls can be narrowed by: each kind with its parameters of the query, which are those of the API. Pure.

/** In the order of the menu. */
export const KINDS = [
  'when',
  'agent',
  'direction',
  'reason',
  'result',
  'duration',
  'cost',
  'latency',
  'number',
  'disposition',
  'words',
] as const;
export type Kind = (typeof KINDS)[number];

export const KIND_NAMES: Record<Kind, string> = {
  when: 'Date',
  agent: 'Agent',
  direction: 'Direction',
  reason: 'End reason',
  result: 'Result',
  duration: 'Duration',
  cost: 'Cost',
  latency: 'Latency',
  number: 'Number',
  disposition: 'Disposition',
  words: 'Words of the transcript',
};

/** The parameters that a kind sets. */
export const KIND_PARAMETERS: Record<Kind, readonly string[]> = {
  when: ['since', 'until', 'day'],
  agent: ['agent'],
  direction: ['direction'],
  reason: ['reason'],
  result: ['result'],
  duration: ['min_seconds', 'max_seconds'],
  cost: ['min_usd', 'max_usd'],
  latency: ['min_latency_ms', 'max_latency_ms'],
  number: ['number', 'from'],
  disposition: ['disposition'],
  words: ['words'],
};

/** Parameters of the list that narrow nothing. */
export const NO_FILTER: readonly string[] = ['sort', 'order', 'limit', 'cursor'];

/** New values of parameters; null: without it. */
export type Changes = Record<string, string | null>;

/** Takes a kind out, whatever of it is set. */
export const withoutKind = (kind: Kind): Changes =>
  Object.fromEntries(KIND_PARAMETERS[kind].map((parameter) => [parameter, null]));
