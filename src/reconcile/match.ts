// Sets a seller's counts of one product against our lines of it, around one day: which lines it does not bill, which it
// counts on another day, and what it has that we lack.
import type { Store } from '../store/store.ts';
import type { LineSum, LineToSettle } from '../store/queries/reconcile-lines.ts';
import type { Cause } from './causes.ts';
import { DAY_MS, dayAt, startOf } from './days.ts';
import { type Bucket, explain, type Moved, NEAR_MS } from './explain.ts';
import { piecesOf, usedOf } from './lines.ts';
import type { Piece } from './pick.ts';
import type { Otherwise } from './settle.ts';
import { isNothing, minus, NOTHING, only, placeOf, plus, REQUESTS, sumOf, type Vector } from './vector.ts';

export type Archive = Pick<Store, 'ask'>;

/** A seller's counts of one product. */
export interface Counts {
  /** Places of the counts that the seller reports. */
  places: readonly number[];
  /** By number of the stretch since 1970; a stretch that is not reported yet is absent. */
  byStretch: ReadonlyMap<number, Vector>;
  stretchMs: number;
  /** Whether counts are as good as a name: those of tokens are. */
  sharp: boolean;
  /** Whether two lines of one call with equal counts must be one. */
  strongTwins: boolean;
  /** Calls of which the day is known on which the seller counts them. */
  daysOfCalls?: ReadonlyMap<string, string>;
}

export interface Matched {
  /** Keys of lines that the seller does not bill. */
  extra: Set<string>;
  /** Keys of lines that it counts on another day. */
  out: Map<string, Cause>;
  others: Otherwise[];
}

export const keyOf = (line: Pick<LineToSettle, 'call_id' | 'what' | 'source'>): string =>
  `${line.call_id} ${line.what} ${line.source}`;

/** Causes by place instead of key. */
export function inPlaces(causes: ReadonlyMap<string, Cause>, places: ReadonlyMap<string, number>): Map<number, Cause> {
  const found = new Map<number, Cause>();
  for (const [key, cause] of causes) {
    const place = places.get(key);
    if (place !== undefined) found.set(place, cause);
  }
  return found;
}

const PAGE = 2_000;
/** Sellers may round each piece of time to a second, and each stream to a minute. */
export const SECOND_MS = 1_000;

export async function match(
  archive: Archive,
  question: { seller: string; day: string; products: readonly string[] },
  counts: Counts,
  sums: readonly LineSum[],
): Promise<Matched> {
  const { day } = question;
  const { buckets, places } = differences(day, counts, sums);
  const rows = new Map<number, LineToSettle[]>();
  const pieces = new Map<number, Piece[]>();
  const hinted = (counts.daysOfCalls?.size ?? 0) > 0;
  for (const place of hinted ? buckets.keys() : worthALook(buckets)) {
    const { fromMs, toMs } = buckets[place] as Bucket;
    const found = await readAll(archive, question, fromMs, toMs);
    rows.set(place, found);
    pieces.set(place, piecesOf(found, places));
  }
  const evidence = { sharp: counts.sharp, strongTwins: counts.strongTwins, requests: places.has(REQUESTS) };
  const known = knownMoves(counts, buckets, rows, pieces);
  const explained = explain(buckets, (bucket) => pieces.get(bucket) ?? [], evidence, known);

  const rowOf = (bucket: number, piece: Piece): LineToSettle => rows.get(bucket)?.[piece.id] as LineToSettle;
  const ofDay = (bucket: number): boolean => dayAt((buckets[bucket] as Bucket).fromMs) === day;
  const extra = new Set(
    explained.extra.filter(({ bucket }) => ofDay(bucket)).map(({ piece, bucket }) => keyOf(rowOf(bucket, piece))),
  );
  const out = new Map<string, Cause>();
  const others: Otherwise[] = [];
  for (const { piece, from, to } of explained.moved) {
    if (ofDay(from) === ofDay(to)) continue;
    const row = rowOf(from, piece);
    const cause = whyMoved(row.at_ms, (buckets[to] as Bucket).fromMs);
    if (ofDay(from)) out.set(keyOf(row), cause);
    else others.push({ cause, used: usedOf(row) });
  }
  explained.left.forEach((left, bucket) => {
    if (!ofDay(bucket) || isNothing(left)) return;
    const reckoned = pieces.get(bucket)?.filter((piece) => piece.reckoned).length ?? 0;
    const theirs = counts.byStretch.get((buckets[bucket] as Bucket).fromMs / counts.stretchMs)?.[REQUESTS] ?? 0;
    others.push(
      isRounding(left, theirs) ? { cause: 'rounding', used: left } : whatIsLeft(left, reckoned, places.has(REQUESTS)),
    );
  });
  return { extra, out, others: together(others) };
}

/** Lines of calls that the seller counts on another day than we do. */
function knownMoves(
  { daysOfCalls }: Counts,
  buckets: readonly Bucket[],
  rows: ReadonlyMap<number, readonly LineToSettle[]>,
  pieces: ReadonlyMap<number, readonly Piece[]>,
): Moved[] {
  if (daysOfCalls === undefined) return [];
  const moves: Moved[] = [];
  for (const [from, found] of rows)
    found.forEach((row, i) => {
      const itsDay = daysOfCalls.get(row.call_id);
      const to = buckets.findIndex(({ fromMs }) => dayAt(fromMs) === itsDay);
      const piece = pieces.get(from)?.[i];
      if (to >= 0 && to !== from && piece !== undefined) moves.push({ piece, from, to });
    });
  return moves;
}

/** Buckets of the day and of those beside it; only what the seller counts is compared. */
function differences(
  day: string,
  { places, byStretch, stretchMs }: Counts,
  sums: readonly LineSum[],
): { buckets: Bucket[]; places: ReadonlySet<number> } {
  const ours = new Map<number, Vector>();
  for (const sum of sums) ours.set(sum.stretch, plus(ours.get(sum.stretch) ?? NOTHING, usedOf(sum)));
  const first = startOf(day) / stretchMs - DAY_MS / stretchMs;
  const compared = new Set(places);
  const stretches = Array.from({ length: (3 * DAY_MS) / stretchMs }, (_, i) => first + i);
  const difference = (stretch: number): Vector | null => {
    const theirs = byStretch.get(stretch);
    return theirs === undefined ? null : only(minus(theirs, ours.get(stretch) ?? NOTHING), compared);
  };
  // Should something else than answers be counted as requests (sessions, say), they tell nothing: then they differ almost
  // everywhere where all else agrees.
  const agreeing = stretches.flatMap((stretch) => {
    const left = (byStretch.get(stretch)?.[REQUESTS] ?? 0) > 0 ? difference(stretch) : null;
    return left?.every((n, i) => i === REQUESTS || n === 0) ? [left] : [];
  });
  const otherwise = agreeing.filter((left) => left[REQUESTS] !== 0).length;
  if (places.length > 1 && otherwise * 2 > agreeing.length) compared.delete(REQUESTS);

  const buckets = stretches.map((stretch) => {
    const fromMs = stretch * stretchMs;
    return { fromMs, toMs: fromMs + stretchMs, difference: masked(difference(stretch), compared) };
  });
  return { buckets, places: compared };
}

const masked = (difference: Vector | null, places: ReadonlySet<number>): Vector | null =>
  difference === null ? null : only(difference, places);

/** Buckets that differ, and those beside them that are not reported yet. */
function worthALook(buckets: readonly Bucket[]): number[] {
  const differs = (place: number): boolean => {
    const difference = buckets[place]?.difference ?? null;
    return difference !== null && !isNothing(difference);
  };
  return buckets
    .map((_, place) => place)
    .filter(
      (place) => differs(place) || (buckets[place]?.difference === null && (differs(place - 1) || differs(place + 1))),
    );
}

/** Near midnight clocks decide the day; further off, somebody was late. */
export function whyMoved(atMs: number, toMs: number): Cause {
  const from = startOf(dayAt(atMs));
  const to = startOf(dayAt(toMs));
  const midnight = Math.max(from, to);
  return Math.abs(from - to) === DAY_MS && Math.abs(atMs - midnight) <= NEAR_MS ? 'clock_boundary' : 'late_event';
}

/** As many pieces, each at most a second or a minute off. */
function isRounding(left: Vector, requests: number): boolean {
  const [seconds, minutes] = [placeOf('time'), placeOf('minutes')];
  return (
    left.every((n, i) => n === 0 || i === seconds || i === minutes) &&
    Math.abs(left[seconds] ?? 0) <= requests * SECOND_MS &&
    Math.abs(left[minutes] ?? 0) <= requests
  );
}

/** `counted`: requests mean something. More tokens without a further request are nobody's answer. */
function whatIsLeft(used: Vector, reckoned: number, counted: boolean): Otherwise {
  const requests = used[REQUESTS] ?? 0;
  const more = used.every((n) => n >= 0) && (requests > 0 || !counted);
  if (more) return { cause: 'lost_event', used };
  if (reckoned > 0 && requests >= 0) return { cause: 'lost_event', used, reckoned: true };
  const less = used.every((n) => n <= 0) && (requests < 0 || !counted);
  return { cause: less ? 'duplicate' : 'unknown', used };
}

/** One of each cause. */
function together(others: readonly Otherwise[]): Otherwise[] {
  return [...new Set(others.map(({ cause }) => cause))].map((cause) => {
    const alike = others.filter((other) => other.cause === cause);
    const reckoned = alike.some((other) => other.reckoned);
    return { cause, used: sumOf(alike.map((other) => other.used)), ...(reckoned && { reckoned }) };
  });
}

/** All lines of a stretch of time, page by page. */
export async function readAll(
  archive: Archive,
  { seller, products }: { seller: string; products: readonly string[] },
  fromMs: number,
  toMs: number,
): Promise<LineToSettle[]> {
  const lines: LineToSettle[] = [];
  const days = { fromDay: dayAt(fromMs), toDay: dayAt(toMs - 1) };
  for (;;) {
    const last = lines.at(-1);
    const after = last === undefined ? null : { call_id: last.call_id, what: last.what, source: last.source };
    const page = await archive.ask('readLines', { seller, products, ...days, fromMs, toMs, after, limit: PAGE });
    lines.push(...page);
    if (page.length < PAGE) return lines;
  }
}
