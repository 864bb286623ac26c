// Divides whole nano-dollars in proportion, so that the parts are whole and sum exactly to what was divided.

/**
 * By the largest remainder: everybody gets the whole nano-dollars of their share, and what is left goes one by one to the
 * largest remainders, the earlier first. Weights are whole and not negative; where all are 0, everybody weighs the same.
 */
export function share(nanoUsd: number, weights: readonly number[]): number[] {
  if (weights.length === 0) return [];
  const whole = weights.map((weight) => BigInt(weight));
  let total = whole.reduce((sum, weight) => sum + weight, 0n);
  if (total === 0n) {
    whole.fill(1n);
    total = BigInt(whole.length);
  }
  const sign = nanoUsd < 0 ? -1 : 1;
  const amount = BigInt(Math.abs(nanoUsd));
  const parts = whole.map((weight, place) => ({
    place,
    nano: (amount * weight) / total,
    rest: (amount * weight) % total,
  }));
  let left = Number(amount - parts.reduce((sum, { nano }) => sum + nano, 0n));
  for (const part of parts.toSorted((a, b) => Number(b.rest > a.rest) - Number(a.rest > b.rest) || a.place - b.place)) {
    if (left === 0) break;
    part.nano += 1n;
    left -= 1;
  }
  return parts.map(({ nano }) => sign * Number(nano));
}
