// What is counted: tokens by kind, time, carrier minutes, pieces, and how many there were of them. One order for lines of
// bills and for sellers' reports, so that they can be set against each other by plain subtraction.

export const TOKEN_PARTS = [
  'text_fresh',
  'text_cached',
  'text_out',
  'audio_fresh',
  'audio_cached',
  'audio_out',
  'image_fresh',
  'image_cached',
] as const;

/** `time` is milliseconds of what is sold by the hour; `minutes` are those of a carrier, begun ones whole. */
export const PARTS = [...TOKEN_PARTS, 'time', 'minutes', 'pieces'] as const;
export type Part = (typeof PARTS)[number];

/** Place of the number of requests (answers, transcriptions, streams) behind the parts. */
export const REQUESTS: number = PARTS.length;

/** Counts in the order of `PARTS`, then the requests. */
export type Vector = readonly number[];

export const NOTHING: Vector = Array.from({ length: PARTS.length + 1 }, () => 0);

export const placeOf = (part: Part): number => PARTS.indexOf(part);

export const plus = (a: Vector, b: Vector, times = 1): Vector => a.map((n, i) => n + (b[i] ?? 0) * times);
export const minus = (a: Vector, b: Vector): Vector => plus(a, b, -1);
export const negative = (a: Vector): Vector => minus(NOTHING, a);
export const isNothing = (a: Vector): boolean => a.every((n) => n === 0);
export const sumOf = (vectors: Iterable<Vector>): Vector => {
  const sum = [...NOTHING];
  for (const vector of vectors) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (vector[i] ?? 0);
  return sum;
};

/** Only the places that are compared; the others are 0. */
export const only = (a: Vector, places: ReadonlySet<number>): Vector => a.map((n, i) => (places.has(i) ? n : 0));

/** For people: `3 requests, 1,204 text and 880 audio tokens`. */
export function describe(vector: Vector): string {
  const count = (part: Part): number => Math.abs(vector[placeOf(part)] ?? 0);
  const tokens = (kind: string): number =>
    TOKEN_PARTS.filter((part) => part.startsWith(kind)).reduce((sum, part) => sum + count(part), 0);
  const requests = Math.abs(vector[REQUESTS] ?? 0);
  const told = [
    requests > 0 ? `${number(requests)} request${requests === 1 ? '' : 's'}` : '',
    ...(['text', 'audio', 'image'] as const).map((kind) =>
      tokens(kind) > 0 ? `${number(tokens(kind))} ${kind} tokens` : '',
    ),
    count('time') > 0 ? `${number(count('time') / 1_000)} seconds` : '',
    count('minutes') > 0 ? `${number(count('minutes'))} minutes` : '',
    count('pieces') > 0 && count('pieces') !== requests ? `${number(count('pieces'))} pieces` : '',
  ].filter((text) => text !== '');
  return told.join(', ') || 'nothing';
}

const number = (n: number): string => n.toLocaleString('en-US');
