// Days as the viewer counts them: a filter by date is a stretch of time from one midnight of their zone to another, also where
// a day has 23 or 25 hours. Pure.

/** Unix ms of the midnight that begins the day `days` away from that of `wallMs`. */
export function midnight(wallMs: number, days = 0): number {
  const at = new Date(wallMs);
  return new Date(at.getFullYear(), at.getMonth(), at.getDate() + days).getTime();
}

const isMidnight = (wallMs: number): boolean => midnight(wallMs) === wallMs;

/** A stretch of time in Unix ms; `untilMs` is not in it any more. Null: open. */
export interface Stretch {
  sinceMs: number | null;
  untilMs: number | null;
}

export const PRESETS = ['Today', 'Yesterday', 'Last 7 days', 'Last 30 days'] as const;
export type Preset = (typeof PRESETS)[number];

export function presetStretch(preset: Preset, nowMs: number): Stretch {
  if (preset === 'Yesterday') return { sinceMs: midnight(nowMs, -1), untilMs: midnight(nowMs) };
  const daysBack = { Today: 0, 'Last 7 days': 6, 'Last 30 days': 29 }[preset];
  return { sinceMs: midnight(nowMs, -daysBack), untilMs: null };
}

/** As a date field has it: 2026-11-21, in the viewer's zone. */
export function dateField(wallMs: number): string {
  const at = new Date(wallMs);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${String(at.getFullYear()).padStart(4, '0')}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** From the first day to the last, both in it, as two date fields have them. Null: what is there is no day. */
export function stretchOfFields(first: string, last: string): Stretch | null {
  const [since, until] = [midnightOfField(first, 0), midnightOfField(last, 1)];
  return since === undefined || until === undefined ? null : { sinceMs: since, untilMs: until };
}

function midnightOfField(field: string, days: number): number | null | undefined {
  if (field === '') return null;
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(field) ?? [];
  const ms = new Date(Number(year), Number(month) - 1, Number(day) + days).getTime();
  return Number.isNaN(ms) ? undefined : ms;
}

const inOneYear = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });
const withYear = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric' });
const withTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** In words: Nov 14 – Nov 21, 2026; since Nov 14, 2026; before Nov 14, 2026, 3:00 PM. */
export function stretchInWords({ sinceMs, untilMs }: Stretch): string {
  const first = (wallMs: number): string => (isMidnight(wallMs) ? withYear : withTime).format(wallMs);
  if (sinceMs === null) return untilMs === null ? 'at any time' : `before ${first(untilMs)}`;
  if (untilMs === null) return `since ${first(sinceMs)}`;
  if (!isMidnight(sinceMs) || !isMidnight(untilMs) || untilMs <= sinceMs)
    return `${first(sinceMs)} – ${first(untilMs)}`;
  const lastDay = midnight(untilMs, -1);
  if (lastDay === sinceMs) return withYear.format(sinceMs);
  const sameYear = new Date(sinceMs).getFullYear() === new Date(lastDay).getFullYear();
  return `${(sameYear ? inOneYear : withYear).format(sinceMs)} – ${withYear.format(lastDay)}`;
}

const inList = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const inListWithYear = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** A moment in a column: short, because the year is mostly this one. */
export const momentInList = (wallMs: number, nowMs: number): string =>
  (new Date(wallMs).getFullYear() === new Date(nowMs).getFullYear() ? inList : inListWithYear).format(wallMs);
