// Days of UTC: sellers report by them.

export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** Midnight at which the day begins, Unix milliseconds; NaN where there is no such day. */
export function startOf(day: string): number {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) return Number.NaN;
  const ms = Date.parse(`${day}T00:00:00Z`);
  // The thirtieth of February becomes a day of March.
  return Number.isNaN(ms) || dayAt(ms) !== day ? Number.NaN : ms;
}

export const dayAt = (wallMs: number): string => new Date(wallMs).toISOString().slice(0, 10);

/** The day that many days later. */
export const dayAfter = (day: string, days: number): string => dayAt(startOf(day) + days * DAY_MS);
