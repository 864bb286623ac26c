// Days as commands take and show them: those of UTC, as YYYY-MM-DD. Pure.
import { dayOf } from '../store/line-row.ts';

const DAY_MS = 24 * 3_600_000;

/** A day so many days after another; before it when negative. */
export const dayAfter = (day: string, days: number): string => dayOf(Date.parse(day) + days * DAY_MS);

/** Whether a text is a day that there was or will be. */
export const isDay = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) && dayOf(Date.parse(text)) === text;

/** `2026-11-21 10:02:03` */
export const momentOf = (wallMs: number): string => new Date(wallMs).toISOString().slice(0, 19).replace('T', ' ');
