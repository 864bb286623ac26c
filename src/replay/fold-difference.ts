// Where a tape and its replay part: one line against another, and which of the decisions in it are others now.

/** One place where the two tapes part. */
export interface Difference {
  /** The line of the tape where it shows. */
  line: number;
  /** Milliseconds since the call's admission. */
  t: number;
  /** The tape's line; null when the replay did something more. */
  expected: string | null;
  /** The replay's line; null when the replay left something out. */
  got: string | null;
}

type Json = Record<string, unknown>;

/** One decision that was another one then: both, or one alone where the other side decided nothing of the kind. */
export interface Change {
  tape: Json | null;
  replay: Json | null;
}

/** What a difference comes to, decision by decision. `after` is the event that caused them; null for a message to the model. */
export interface ChangedDecisions {
  after: { tape: string | null; replay: string | null } | null;
  changes: Change[];
}

/** The decisions in which two lines differ. */
export function changesIn({ expected, got }: Difference): ChangedDecisions {
  const tape = expected === null ? null : (JSON.parse(expected) as Json);
  const replay = got === null ? null : (JSON.parse(got) as Json);
  const after = (line: Json | null) => (typeof line?.after === 'string' ? line.after : null);
  return {
    after: after(tape) === null && after(replay) === null ? null : { tape: after(tape), replay: after(replay) },
    changes: paired(decisionsOf(tape), decisionsOf(replay)),
  };
}

/** The effects of a line of effects; a message to the model, or an input that was read, as the one decision that it is. */
function decisionsOf(line: Json | null): Json[] {
  if (line === null) return [];
  if (Array.isArray(line.do)) return line.do as Json[];
  if (typeof line.sent === 'object' && line.sent !== null) return [{ sent: line.sent }];
  const { t: _time, at: _at, ...rest } = line;
  return [rest];
}

/** Equal ones fall away, those of the same kind about the same thing are set against each other, the rest stands alone. */
function paired(tape: readonly Json[], replay: readonly Json[]): Change[] {
  const left = [...replay];
  const take = (fits: (one: Json) => boolean): Json | null => {
    const at = left.findIndex(fits);
    return at < 0 ? null : (left.splice(at, 1)[0] as Json);
  };
  const changed = tape.filter((one) => take((other) => isSame(JSON.stringify(one), JSON.stringify(other))) === null);
  const pairs = changed.map((one): Change => ({ tape: one, replay: take((other) => kindOf(other) === kindOf(one)) }));
  return [...pairs, ...left.map((one): Change => ({ tape: null, replay: one }))];
}

/** What a decision is about: its name and the thing that it names. */
function kindOf(one: Json): string {
  const sent = (one.sent ?? {}) as Json;
  return JSON.stringify([one.do ?? sent.type, one.timer, one.utterance, one.toolCall, sent.item_id]);
}

/** Equal as texts, or as data whatever the order of the keys. */
export function isSame(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true;
  // Other lengths are other numbers or other keys: our own printing is the shortest there is.
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return JSON.stringify(JSON.parse(a), sortKeys) === JSON.stringify(JSON.parse(b), sortKeys);
}

const sortKeys = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
