// Days of the calendar, written `2026-11-21`: a business has no time zones, only the wall clock of its place.

export const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;

/** Whether it is a day that there is. */
export function isDay(text: string): boolean {
  if (!/^[12]\d{3}-\d\d-\d\d$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

/** The day `days` after another one. */
export function dayAfter(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

/** Of a day, or of a time such as `2026-11-24T09:30`. */
export const weekdayOf = (time: string): (typeof WEEKDAYS)[number] =>
  WEEKDAYS[new Date(`${time.slice(0, 10)}T00:00:00Z`).getUTCDay()]!;

/** Today on the clock of this machine. */
export const machineDay = (): string => new Date().toLocaleDateString('sv-SE');
