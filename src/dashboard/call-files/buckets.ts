// Into how many stretches a call is cut for its picture. Pure.

/** None is shorter than a carrier's frame. */
const SHORTEST_MS = 20;

export interface Buckets {
  buckets: number;
  bucketMs: number;
  durationMs: number;
}

/** @param wanted how many are asked for; of a short call there are fewer */
export function bucketsOf(lengthMs: number, wanted: number): Buckets {
  const durationMs = Math.max(0, Math.round(lengthMs));
  const buckets = Math.min(wanted, Math.ceil(durationMs / SHORTEST_MS));
  return { buckets, bucketMs: buckets === 0 ? 0 : durationMs / buckets, durationMs };
}
