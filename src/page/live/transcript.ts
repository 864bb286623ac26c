// The running transcript of one live call: entries come in the order of their numbers, and come again when they have grown or
// changed. Pure.
import type { LiveEntry } from '../../dashboard/schemas/live.ts';

/** What is kept; the server keeps no more either. */
export const MOST_ENTRIES = 2_000;
/** What is drawn at once; earlier ones come when they are asked for. */
export const DRAWN = 200;

/** The entries with the changed ones in their places; those that did not change stay the same objects. */
export function mergeEntries(before: readonly LiveEntry[], changed: readonly LiveEntry[]): LiveEntry[] {
  const merged = [...before];
  for (const entry of changed) {
    const last = merged.at(-1);
    if (last === undefined || entry.entry > last.entry) merged.push(entry);
    else {
      const at = placeOf(merged, entry.entry);
      if (merged[at]?.entry === entry.entry) merged[at] = entry;
      else merged.splice(at, 0, entry);
    }
  }
  return merged.length > MOST_ENTRIES ? merged.slice(-MOST_ENTRIES) : merged;
}

/** Where an entry of that number is, or would stand. */
export function placeOf(entries: readonly LiveEntry[], number: number): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle] as LiveEntry).entry < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first that is drawn: the window follows the end, or stands where the reader stopped it (the number of an entry). */
export function firstDrawn(entries: readonly LiveEntry[], stoppedAt: number | null): number {
  const following = Math.max(0, entries.length - DRAWN);
  return stoppedAt === null ? following : Math.min(following, placeOf(entries, stoppedAt));
}

/**
 * Lines behind `after` that will not change any more, in words to be read out; stops before the first that may. The agent's
 * words grow while they are spoken: they are final when it is known how much of them was heard, or something came behind
 * them.
 */
export function finalLines(
  entries: readonly LiveEntry[],
  after: number,
  over: boolean,
): { lines: string[]; upTo: number } {
  const lines: string[] = [];
  let upTo = after;
  for (let at = placeOf(entries, after + 1); at < entries.length; at += 1) {
    const entry = entries[at] as LiveEntry;
    if (!over && entries.length - at <= PATIENCE[entry.kind] && isGrowing(entry)) break;
    if (entry.text !== '') lines.push(aloud(entry));
    upTo = entry.entry;
  }
  return { lines, upTo };
}

/** A line that may still grow is waited for until so many lines stand from it on. */
const PATIENCE: Record<LiveEntry['kind'], number> = {
  ...{ caller: 4, agent: 1, tool: 2 },
  ...{ barge_in: 0, operator: 0, trouble: 0, transfer: 0, hand_off: 0, keys: 1 },
};

function isGrowing({ kind, text, heard, tool }: LiveEntry): boolean {
  // The caller's words are written down a moment after they were spoken.
  if (kind === 'caller') return text === '';
  if (kind === 'agent') return heard === null;
  return kind === 'keys' || tool?.status === 'running';
}

function aloud(entry: LiveEntry): string {
  const { kind, text, heard, unheard, tool } = entry;
  if (kind === 'caller') return `Caller: ${text}`;
  if (kind === 'agent') return unheard ? `Agent, cut off: ${heard ?? ''}` : `Agent: ${text}`;
  if (kind === 'tool') return `Tool ${text}: ${tool?.status ?? ''}`;
  return `${KIND_WORDS[kind]}: ${text}`;
}

export const KIND_WORDS: Record<LiveEntry['kind'], string> = {
  caller: 'Caller',
  agent: 'Agent',
  barge_in: 'Interrupted',
  tool: 'Tool',
  operator: 'Operator',
  trouble: 'Trouble',
  transfer: 'Hand-over',
  hand_off: 'Other agent',
  keys: 'Keys',
};
