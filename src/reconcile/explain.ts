// Which usage makes the difference between a seller's counts and our lines. Pure. Both are summed by buckets of time (hours
// of three days, or three days); tokens are whole numbers, so a difference is either explained exactly or not at all.
//
// In this order, each rule only where it leaves less unexplained than before:
// 1. moved, as is known from elsewhere: a stream counts on the day of its call.
// 2. written twice: lines that have a twin (same call, same counts), without which a bucket fits; where no two lines of a
//    call can count the same, each twin that the bucket lacks.
// 3. moved: lines of one bucket that, taken out of it, make up exactly what the bucket lacks at the seller, or what another
//    bucket has too much of. Neighbouring buckets first, the lines nearest to their border first.
// 4. not billed: where counts name a line beyond doubt, any line without which a bucket fits; twins without which it makes
//    sense.
// 5. moved to or from a bucket that is not reported yet: lines within five minutes of its border that fit exactly.
// What is left of a bucket then is lost (the seller has more in every count), too much (less in every count), or neither.
import { pick, type Piece } from './pick.ts';
import { isNothing, minus, negative, NOTHING, plus, REQUESTS, sumOf, type Vector } from './vector.ts';

export interface Bucket {
  fromMs: number;
  toMs: number;
  /** The seller's counts less ours; null: the seller has not reported it yet. */
  difference: Vector | null;
}

export interface Moved {
  piece: Piece;
  from: number;
  to: number;
}

export interface Explained {
  moved: Moved[];
  /** Lines that the seller does not bill, with their bucket. */
  extra: { piece: Piece; bucket: number }[];
  /** What is left of each bucket; 0 where it is not reported. */
  left: Vector[];
}

/** How far from a border a line may be taken for one of the other side. */
export const NEAR_MS = 300_000;

/** What counts are good for. */
export interface Evidence {
  /** Counts are as good as a name: true of answers, false of minutes. */
  sharp: boolean;
  /** Two lines of one call never count the same: true of answers, and of streams to the millisecond. */
  strongTwins: boolean;
  /** Requests are counted as we count them. */
  requests: boolean;
}

/**
 * @param piecesOf our lines of a bucket; asked only of buckets that differ, and of unreported ones beside these
 * @param known moves that are known from elsewhere, as the day of a stream is from its call
 */
export function explain(
  buckets: readonly Bucket[],
  piecesOf: (bucket: number) => readonly Piece[],
  evidence: Evidence,
  known: readonly Moved[] = [],
): Explained {
  const search = new Search(buckets, piecesOf, evidence);
  for (const move of known) search.moveKnown(move);
  const [first, second] = evidence.strongTwins
    ? (['dropTwins', 'moveOne'] as const)
    : (['moveOne', 'dropTwins'] as const);
  // What one rule explains clears the view for the others.
  while (search[first]() || search[second]() || search.dropOdd());
  while (search.dropFitting());
  while (search.moveOverEdge());
  return { moved: search.moved, extra: search.extra, left: search.left.map((left) => left ?? NOTHING) };
}

class Search {
  readonly moved: Moved[] = [];
  readonly extra: { piece: Piece; bucket: number }[] = [];
  readonly left: (Vector | null)[];
  readonly #buckets: readonly Bucket[];
  readonly #piecesOf: (bucket: number) => readonly Piece[];
  readonly #evidence: Evidence;
  readonly #taken = new Set<Piece>();

  constructor(buckets: readonly Bucket[], piecesOf: (bucket: number) => readonly Piece[], evidence: Evidence) {
    this.#buckets = buckets;
    this.#piecesOf = piecesOf;
    this.#evidence = evidence;
    this.left = buckets.map(({ difference }) => difference);
  }

  /** Unless both buckets fit as they are. */
  moveKnown({ piece, from, to }: Moved): void {
    const [here, there] = [this.left[from] ?? null, this.left[to] ?? null];
    if ((here === null || isNothing(here)) && (there === null || isNothing(there))) return;
    this.left[from] = here && plus(here, piece.used);
    this.left[to] = there && minus(there, piece.used);
    this.#take([piece], () => this.moved.push({ piece, from, to }));
  }

  moveOne(): boolean {
    const differing = this.#places().filter((i) => this.#badness(i, this.left[i] ?? null) > 0);
    const pairs = differing.flatMap((from) => differing.filter((to) => to !== from).map((to) => ({ from, to })));
    const nearFirst = pairs.toSorted((a, b) => Math.abs(a.from - a.to) - Math.abs(b.from - b.to));
    return nearFirst.some(({ from, to }) => this.#move(from, to));
  }

  #move(from: number, to: number): boolean {
    const beside = Math.abs(from - to) === 1;
    if (!beside && !this.#evidence.sharp) return false;
    const [here, there] = [this.left[from], this.left[to]];
    if (!here || !there) return false;
    const pieces = this.#nearest(from, to, this.#evidence.sharp ? Number.POSITIVE_INFINITY : NEAR_MS);
    for (const target of [negative(here), there]) {
      const found = pick(pieces, target);
      if (found === null) continue;
      const used = sumOf(found.map((piece) => piece.used));
      const [nextHere, nextThere] = [plus(here, used), minus(there, used)];
      const before = this.#badness(from, here) + this.#badness(to, there);
      if (this.#badness(from, nextHere) + this.#badness(to, nextThere) >= before) continue;
      // One of the two fits now. The other must have had room for what came, or make no less sense without what went.
      const makesSense = isNothing(nextHere)
        ? this.#hasRoom(to, there, nextThere)
        : this.#badness(from, nextHere) <= this.#badness(from, here);
      if (!makesSense) continue;
      this.left[from] = nextHere;
      this.left[to] = nextThere;
      this.#take(found, (piece) => this.moved.push({ piece, from, to }));
      return true;
    }
    return false;
  }

  /** Whether what came was missing there, or what is too much now is exactly that of other lines. */
  #hasRoom(bucket: number, before: Vector, next: Vector): boolean {
    if (next.every((n, i) => n >= Math.min(0, before[i] ?? 0))) return true;
    return this.#evidence.sharp && pick(this.#free(bucket), negative(next)) !== null;
  }

  /** Lines that have a twin, and without which a bucket fits; of strong ones each that the bucket lacks. */
  dropTwins(): boolean {
    return this.#places().some((bucket) => {
      const left = this.left[bucket];
      if (!left || isNothing(left)) return false;
      const twins = this.#twins(bucket);
      const lacking = this.#evidence.strongTwins
        ? twins.find(({ used }) => plus(left, used).every((n) => n <= 0))
        : undefined;
      return this.#drop(bucket, left, pick(twins, negative(left)) ?? (lacking ? [lacking] : null));
    });
  }

  /** Lines that have a twin, one of them or all, without which a bucket makes sense. */
  dropOdd(): boolean {
    return this.#places().some((bucket) => {
      const left = this.left[bucket];
      if (!left || isNothing(left)) return false;
      const twins = this.#twins(bucket);
      const odd = [...twins.map((twin) => [twin]), twins].find((some) => this.#lessOdd(bucket, left, some));
      return this.#drop(bucket, left, odd ?? null);
    });
  }

  /** Any lines without which a bucket fits, where counts are as good as a name. */
  dropFitting(): boolean {
    return (
      this.#evidence.sharp &&
      this.#places().some((bucket) => {
        const left = this.left[bucket];
        return !!left && !isNothing(left) && this.#drop(bucket, left, pick(this.#free(bucket), negative(left)));
      })
    );
  }

  #drop(bucket: number, left: Vector, found: Piece[] | null): boolean {
    if (found === null || found.length === 0) return false;
    this.left[bucket] = plus(left, sumOf(found.map(({ used }) => used)));
    this.#take(found, (piece) => this.extra.push({ piece, bucket }));
    return true;
  }

  #twins(bucket: number): Piece[] {
    return this.#free(bucket).filter(({ twin }) => twin);
  }

  /** Whether a bucket makes more sense without these twins; strong ones need only that it makes sense. */
  #lessOdd(bucket: number, left: Vector, twins: readonly Piece[]): boolean {
    const next = plus(left, sumOf(twins.map(({ used }) => used)));
    const without = this.#badness(bucket, next);
    return (
      without < this.#badness(bucket, left) ||
      (this.#evidence.strongTwins && without === 1 && (next[REQUESTS] ?? 0) > 0)
    );
  }

  /**
   * 0: fits. 1: more of everything, or less. 2: neither, or more without a further request, as only a reckoned answer can
   * have: more than one thing happened.
   */
  #badness(bucket: number, left: Vector | null): number {
    if (left === null || isNothing(left)) return 0;
    const reckoned = (): boolean => this.#piecesOf(bucket).some((piece) => piece.reckoned);
    if (this.#evidence.requests && left[REQUESTS] === 0 && !reckoned()) return 2;
    const oneSign = left.every((n) => n >= 0) || left.every((n) => n <= 0);
    return oneSign ? 1 : 2;
  }

  moveOverEdge(): boolean {
    return this.#places().some((bucket) => [bucket - 1, bucket + 1].some((other) => this.#overEdge(bucket, other)));
  }

  #overEdge(bucket: number, other: number): boolean {
    const left = this.left[bucket];
    if (!left || isNothing(left) || this.left[other] !== null) return false;
    for (const [from, to, target] of [
      [bucket, other, negative(left)],
      [other, bucket, left],
    ] as const) {
      const found = pick(this.#nearest(from, to, NEAR_MS), target);
      if (found === null) continue;
      this.left[bucket] = NOTHING;
      this.#take(found, (piece) => this.moved.push({ piece, from, to }));
      return true;
    }
    return false;
  }

  /** Lines of a bucket by how near they are to another one. */
  #nearest(from: number, to: number, withinMs: number): Piece[] {
    const edge = to > from ? this.#buckets[from]?.toMs : this.#buckets[from]?.fromMs;
    if (edge === undefined) return [];
    const distance = ({ atMs }: Piece): number => Math.abs(atMs - edge);
    return this.#free(from)
      .filter((piece) => distance(piece) <= withinMs)
      .toSorted((a, b) => distance(a) - distance(b) || a.id - b.id);
  }

  #places(): number[] {
    return this.left.map((_, place) => place);
  }

  #free(bucket: number): Piece[] {
    return this.#piecesOf(bucket).filter((piece) => !this.#taken.has(piece));
  }

  #take(pieces: readonly Piece[], note: (piece: Piece) => void): void {
    for (const piece of pieces) {
      this.#taken.add(piece);
      note(piece);
    }
  }
}
