// Follows the grid's stream of events and redraws at most once per frame of the screen, however many calls change.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { z } from 'zod';
import type { liveEvents, LiveSnapshot, ServerFacts } from '../../dashboard/schemas/live.ts';
import { useEvents } from '../api.ts';
import { heard, tellFacts, useLink } from './connection.ts';
import { CallGrid, type Sort } from './grid.ts';
import { useVisible } from './visible.ts';

type Changed = z.infer<typeof liveEvents.changed>;

/** The server's facts come every second: when they do not, the line is dead although nobody said so. Milliseconds. */
const SILENT_MS = 6_000;
const SWEEP_EVERY_MS = 1_000;

export interface LiveGrid {
  grid: CallGrid;
  /** A snapshot has come. */
  known: boolean;
  up: boolean;
  /** Draws anew after the order was changed. */
  redraw: () => void;
}

/** @param held the reader is in the grid now: nothing may be taken away */
export function useLiveGrid(sort: Sort, held: () => boolean): LiveGrid {
  const grid = useRef<CallGrid | null>(null);
  grid.current ??= new CallGrid();
  const calls = grid.current;
  const [, setDrawn] = useState(0);
  const [known, setKnown] = useState(false);
  const [silent, setSilent] = useState(false);
  const [round, setRound] = useState(0);
  const latestSort = useRef(sort);
  latestSort.current = sort;
  const visible = useVisible();
  const heardAt = useRef(Date.now());

  const frame = useRef(0);
  const redraw = (): void => {
    if (frame.current !== 0) return;
    frame.current = requestAnimationFrame(() => {
      frame.current = 0;
      setDrawn((n) => n + 1);
    });
  };
  useEffect(() => () => cancelAnimationFrame(frame.current), []);

  const came = (): void => {
    heardAt.current = Date.now();
    heard();
    setSilent(false);
  };
  const up = useEvents(
    visible ? '/live/events' : null,
    {
      snapshot(snapshot: LiveSnapshot) {
        came();
        tellFacts(snapshot.server);
        calls.snapshot(snapshot.calls, Date.now(), latestSort.current);
        setKnown(true);
        redraw();
      },
      changed({ calls: changed, gone }: Changed) {
        came();
        calls.change(changed, gone, Date.now());
        redraw();
      },
      server(facts: ServerFacts) {
        came();
        tellFacts(facts);
      },
    },
    round,
  );

  const latestHeld = useRef(held);
  latestHeld.current = held;
  useEffect(() => {
    const timer = setInterval(() => {
      if (calls.sweep(Date.now(), latestHeld.current())) redraw();
    }, SWEEP_EVERY_MS);
    return () => clearInterval(timer);
  }, []);

  // A silent line is closed and opened anew.
  useEffect(() => {
    if (!visible) return undefined;
    let openedAtMs = Date.now();
    heardAt.current = openedAtMs;
    const timer = setInterval(() => {
      const nowMs = Date.now();
      if (nowMs - heardAt.current <= SILENT_MS) return;
      setSilent(true);
      if (nowMs - openedAtMs <= SILENT_MS) return;
      openedAtMs = nowMs;
      setRound((n) => n + 1);
    }, 1_000);
    return () => clearInterval(timer);
  }, [visible]);
  useLink('grid', up && !silent);
  return { grid: calls, known, up: up && !silent, redraw };
}
