// How values are written on the page: the viewer's zone and language, dollars, durations, and end reasons in words.

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayAndTime = new Intl.DateTimeFormat(undefined, {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const zone = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const counts = new Intl.NumberFormat();

export const timeOfDay = (wallMs: number): string => clock.format(wallMs);
export const moment = (wallMs: number): string => dayAndTime.format(wallMs);
/** With the zone's name, for what shows on hover. */
export const momentInFull = (wallMs: number): string => zone.format(wallMs);
export const number = (value: number): string => counts.format(value);

/** Dollars; four decimals below a dollar, because calls cost cents. `unpriced`: some of it has no price. */
export function usd(nanoUsd: number, unpriced = 0): string {
  const dollars = nanoUsd / 1e9;
  const size = Math.abs(dollars);
  const text = `$${size.toFixed(size >= 1 || size === 0 ? 2 : 4)}`;
  return `${unpriced > 0 ? '≥ ' : ''}${dollars < 0 ? '−' : ''}${text}`;
}

/** 0:07, 12:03, 1:02:03 */
export function duration(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1_000));
  const [h, m, s] = [Math.floor(total / 3_600), Math.floor(total / 60) % 60, total % 60];
  const two = (n: number): string => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** With tenths, for places inside a call: 0:07.4 */
export const place = (ms: number): string =>
  `${ms < 0 ? '−' : ''}${duration(Math.abs(ms))}.${Math.floor(Math.abs(ms) / 100) % 10}`;

/** 840 ms, 1.3 s */
export const latency = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`);

const REASONS: Record<string, string> = {
  agent_goodbye: 'The agent said goodbye',
  transferred: 'Handed over to a person',
  caller_hung_up: 'The caller hung up',
  caller_silent: 'The caller stayed silent',
  max_duration: 'The longest call allowed was reached',
  budget_spent: 'The budget was used up',
  drained: 'The server was stopped',
  operator_ended: 'An operator ended it',
  model_unreachable: 'The model could not be reached',
  model_refused: 'The model refused',
  model_lost: 'The model went away',
  model_stalled: 'The model fell silent',
  model_failed: 'The model failed',
  media_never_started: 'The media never started',
  media_lost: 'The media was lost',
  carrier_protocol: 'The carrier broke its protocol',
  carrier_stopped_reading: 'The carrier stopped reading',
  internal_error: 'A fault of the server',
};

/** Why a call ended, in words; a reason that this page does not know is shown as it is. */
export const reasonInWords = (reason: string | null): string =>
  reason === null ? 'Under way, or its process died' : (REASONS[reason] ?? reason);

export const ALL_REASONS: readonly string[] = Object.keys(REASONS);

/** A party of a call. */
export const party = ({ kind, value }: { kind: string; value: string | null }): string =>
  value === null ? 'forgotten' : value === '' ? kind : value;

/** JSON with its lines and indents; anything else as it is. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** What a level of 0 to 1 looks like on a scale of 0 to 1: 60 dB from left to right, as ears have it. */
export const loudness = (level: number): number =>
  level <= 0.001 ? 0 : Math.min(1, 1 + (20 * Math.log10(level)) / 60);
