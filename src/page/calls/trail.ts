// The way that was gone through the pages of the list: cursors lead forward only, so that the way back and the number of calls
// before a page are remembered here, for the browser's tab. Without it (a permalink into the middle) one goes to the beginning.

export interface Step {
  /** Query of the page before. */
  newer: string;
  /** Calls before this page. */
  offset: number;
}

const KEY = 'trk-calls-trail';
const MOST_STEPS = 300;

/** Remembers how a page was come to. */
export function remember(query: string, step: Step, storage: Pick<Storage, 'getItem' | 'setItem'>): void {
  const steps = read(storage).filter(([known]) => known !== query);
  try {
    storage.setItem(KEY, JSON.stringify([...steps, [query, step]].slice(-MOST_STEPS)));
  } catch {
    // Full or forbidden: there is no way back but to the beginning.
  }
}

/** How a page was come to; null: nobody knows. */
export function stepTo(query: string, storage: Pick<Storage, 'getItem'>): Step | null {
  return read(storage).find(([known]) => known === query)?.[1] ?? null;
}

function read(storage: Pick<Storage, 'getItem'>): [string, Step][] {
  try {
    const kept: unknown = JSON.parse(storage.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isStep) : [];
  } catch {
    return [];
  }
}

function isStep(entry: unknown): entry is [string, Step] {
  if (!Array.isArray(entry) || typeof entry[0] !== 'string') return false;
  const step = entry[1] as Partial<Step> | null;
  return typeof step?.newer === 'string' && Number.isSafeInteger(step.offset);
}
