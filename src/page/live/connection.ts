// Whether the server is there, as far as the open streams know, since when nothing was heard, and what time it is there. One
// place for all views, because the frame's banner tells of it wherever the reader is.
import { useEffect, useState } from 'preact/hooks';
import type { ServerFacts } from '../../dashboard/schemas/live.ts';

export interface Connection {
  down: boolean;
  /** When something was last heard; 0: never. */
  heardAtMs: number;
  /** The latest facts, and null before the first. */
  facts: ServerFacts | null;
}

const links = new Map<string, boolean>();
const watchers = new Set<() => void>();
let connection: Connection = { down: false, heardAtMs: 0, facts: null };

function tell(change: Partial<Connection>): void {
  connection = { ...connection, ...change };
  for (const watcher of watchers) watcher();
}

/** Something came from the server. Cheap, told to nobody by itself. */
export function heard(): void {
  connection = { ...connection, heardAtMs: Date.now() };
}

export function tellFacts(facts: ServerFacts): void {
  learnClock(Date.now(), facts.wallMs);
  tell({ facts, heardAtMs: Date.now() });
}

/** A stream of that name is up or down; null: there is none any more. */
export function tellLink(name: string, up: boolean | null): void {
  if (up === null) links.delete(name);
  else links.set(name, up);
  const down = [...links.values()].includes(false);
  if (down !== connection.down) tell({ down });
}

export const isDown = (): boolean => connection.down;

/** Draws anew when the server goes, comes back, or says how it is. */
export function useConnection(): Connection {
  const [state, set] = useState(connection);
  useEffect(() => {
    const watcher = (): void => set(connection);
    watchers.add(watcher);
    watcher();
    return () => void watchers.delete(watcher);
  }, []);
  return state;
}

/** Tells the banner of a stream for as long as the view is open. */
export function useLink(name: string, up: boolean): void {
  useEffect(() => tellLink(name, up), [name, up]);
  useEffect(() => () => tellLink(name, null), [name]);
}

/** How far this browser's clock is ahead of the server's, by the latest tellings: the least of them came the quickest way. */
const tellings: number[] = [];
const TELLINGS = 10;

function learnClock(nowMs: number, serverMs: number): void {
  tellings.push(nowMs - serverMs);
  if (tellings.length > TELLINGS) tellings.shift();
}

/** The server's time, so that ages are right on a computer whose clock is wrong. Milliseconds. */
export const serverNow = (): number => Date.now() - (tellings.length === 0 ? 0 : Math.min(...tellings));
