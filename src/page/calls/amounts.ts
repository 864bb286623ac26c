// What people type for the least and the most of something or for a number, and how amounts are told. Pure.

/** 90, 1:30 or 1:02:03 as seconds; null: nothing was typed. @throws Error that says what to type */
export function secondsOf(typed: string): string | null {
  const text = typed.trim();
  if (text === '') return null;
  const parts = text.split(':');
  if (
    parts.length > 3 ||
    parts.some((part) => !/^\d{1,7}$/.test(part)) ||
    parts.slice(1).some((part) => Number(part) > 59)
  )
    throw new Error('Type seconds, or minutes and seconds: 90, 1:30 or 1:02:03.');
  return String(parts.reduce((sum, part) => sum * 60 + Number(part), 0));
}

/** Dollars with up to nine decimals; null: nothing was typed. @throws Error that says what to type */
export function dollarsOf(typed: string): string | null {
  const text = typed
    .trim()
    .replace(/^\$\s*/, '')
    .replace(',', '.');
  if (text === '') return null;
  if (!/^(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})$/.test(text)) throw new Error('Type an amount in US dollars: 0.25 or 3.');
  // Never as 1e-7.
  return Number(text)
    .toFixed(9)
    .replace(/\.?0+$/, '');
}

/** Milliseconds, or seconds with an s; null: nothing was typed. @throws Error that says what to type */
export function millisecondsOf(typed: string): string | null {
  const [, amount, unit] = /^(\d{1,7}(?:[.,]\d{1,3})?)\s*(ms|s)?$/i.exec(typed.trim()) ?? [];
  if (typed.trim() === '') return null;
  if (amount === undefined) throw new Error('Type milliseconds, or seconds with an s: 800 or 1.2 s.');
  return String(Math.round(Number(amount.replace(',', '.')) * (unit?.toLowerCase() === 's' ? 1_000 : 1)));
}

/** The least and the most of something. @throws Error when nothing lies between */
export function leastAndMost(least: string | null, most: string | null): [string | null, string | null] {
  if (least !== null && most !== null && Number(least) > Number(most))
    throw new Error('Nothing lies between: the least is more than the most.');
  return [least, most];
}

/** ≥ 1:00; ≤ 5:00; 1:00 – 5:00 */
export function rangeInWords(least: string | null, most: string | null, write: (amount: number) => string): string {
  const say = (text: string): string => (Number.isFinite(Number(text)) ? write(Number(text)) : text);
  if (least === null) return `≤ ${say(most ?? '')}`;
  if (most === null) return `≥ ${say(least)}`;
  return `${say(least)} – ${say(most)}`;
}

/**
 * What was typed for a number: digits of it, how it begins, or a whole address of another kind, which only a caller has.
 * @throws Error that says what to type
 */
export function numberOf(typed: string): { number: string | null; from: string | null } {
  const text = typed.trim();
  if (text === '') return { number: null, from: null };
  if (/[\p{L}@]/u.test(text)) return { number: null, from: text };
  const digits = text.replace(/\D/g, '');
  if (digits.length < 2 || digits.length > 20 || !/^\+?[\d\s().-]+$/.test(text))
    throw new Error('Type 2 to 20 digits, with a + before them for how the number begins; or a whole SIP address.');
  return { number: `${text.startsWith('+') ? '+' : ''}${digits}`, from: null };
}

/** 98.7 %; never 100 % where one is missing. */
export function share(part: number, whole: number): string {
  if (whole === 0) return '–';
  const percent = Number(((part / whole) * 100).toFixed(1));
  return `${part < whole ? Math.min(99.9, percent) : 100} %`;
}
