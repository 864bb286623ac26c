// Finds the lines whose counts make up a difference exactly.
import { minus, REQUESTS, type Vector } from './vector.ts';

/** One line of a bill as it is matched. */
export interface Piece {
  /** Its place in the list it came from. */
  id: number;
  atMs: number;
  used: Vector;
  /** Another line of the same call has the same counts: one of the two may have been written twice. */
  twin: boolean;
  /** We reckoned its counts, nobody reported them. */
  reckoned: boolean;
}

/** Where the number of requests says nothing. */
const MOST = 4;
/** Tries; what is not found by then is not explained this way. */
const MAX_STEPS = 100_000;

/**
 * The first pieces, in the order given, whose counts sum exactly to the target; null: there are none. As many as the target
 * has requests.
 */
export function pick(pieces: readonly Piece[], target: Vector): Piece[] | null {
  const requests = target[REQUESTS] ?? 0;
  if (target.some((n) => n < 0)) return null;
  let steps = 0;

  function search(from: number, left: Vector, many: number): Piece[] | null {
    if (many === 0) return left.every((n) => n === 0) ? [] : null;
    for (let i = from; i <= pieces.length - many; i++) {
      const piece = pieces[i] as Piece;
      if (++steps > MAX_STEPS) return null;
      const rest = minus(left, piece.used);
      if (rest.some((n) => n < 0)) continue;
      const others = search(i + 1, rest, many - 1);
      if (others !== null) return [piece, ...others];
    }
    return null;
  }

  if (requests > 0) return search(0, target, requests);
  for (let many = 1; many <= MOST; many++) {
    const found = search(0, target, many);
    if (found !== null) return found;
  }
  return null;
}
