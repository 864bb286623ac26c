// Digits that the agent asks the caller to key in. Those of a sensitive field are counted here and known to the shell
// alone: the model, every log, tape and recording get silence until the last tone has faded. Pure.
import { dropConsent } from './consent.ts';
import { cause, change, changeTurn, type Draft } from './draft.ts';
import * as ledger from './playback.ts';
import type { KeypadField } from './policy.ts';
import { stopSpeaking } from './speaking.ts';
import type { Collecting, LiveState } from './state.ts';
import { settleTool } from './tool-outcome.ts';

/** A key may be held: its tone is hidden for so long after it was reported. */
const TONE_MS = 1_500;
/** Who was too slow for a secret field has heard so by then. */
const SLOW_MS = 15_000;
/** Input that was given up by us, for a farewell, goes on for a while at the other end. */
const DROPPED_MS = 10_000;
/** Begins the input anew, unless it ends it. */
const AGAIN_KEY = '*';

/** The model asks for a field of the agent file. */
export function beginCollecting(d: Draft, toolCall: string, { field }: Record<string, unknown>): void {
  const { fields } = d.state.policy.errands;
  const known = typeof field === 'string' && Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (typeof field !== 'string' || known === undefined)
    return settleTool(d, toolCall, `Not done: field must be one of ${Object.keys(fields).join(', ')}.`);
  if (d.state.collecting !== null) return settleTool(d, toolCall, 'Not done: digits are being keyed in already.', true);
  change(d, {
    // Another try at a secret takes what is keyed in for it, however late.
    lateKeysUntilMs: known.sensitive ? 0 : d.state.lateKeysUntilMs,
    collecting: { toolCall, field, count: 0, digits: '', sinceMs: d.atMs, lastKeyMs: null },
    tools: { ...d.state.tools, [toolCall]: 'asking' },
  });
  // The same arguments may stand for other digits from now on: what was agreed to with the old ones is agreed to no more.
  dropConsent(d, 'digits were keyed in meanwhile. Read it back once more, then wait for a yes');
  // What was keyed in before was not meant for it.
  changeTurn(d, { keys: '' });
  cause(d, { do: 'digits.collect', field, endKey: known.endKey, max: known.max });
}

/** Whether audio and keys of the caller are hidden from everybody. */
export const isHidden = (state: LiveState, atMs: number): boolean => isSecret(state) || atMs < state.hiddenUntilMs;

/** Whether what is keyed in now is a secret. */
const isSecret = ({ collecting, policy }: LiveState): boolean =>
  collecting !== null && policy.errands.fields[collecting.field]?.sensitive === true;

/** A key behind a secret field belongs to nobody: it may be one too many of that field. */
export const isTooLate = (state: LiveState, atMs: number): boolean =>
  (atMs < state.hiddenUntilMs || atMs < state.lateKeysUntilMs) && !isSecret(state);

/** A key while digits are collected, or while the tone of the last one still sounds; false: it is for somebody else. */
export function takeKey(d: Draft, key: string): boolean {
  const { collecting, policy } = d.state;
  if (isTooLate(d.state, d.atMs)) {
    change(d, { hiddenUntilMs: Math.max(d.state.hiddenUntilMs, d.atMs + TONE_MS) });
    cause(d, { do: 'note.ignored', what: 'key_too_many' });
    return true;
  }
  if (collecting === null) return false;
  const field = policy.errands.fields[collecting.field] as KeypadField;
  if (ledger.currentTrack(d.state.playback, d.atMs)?.protected !== true) stopSpeaking(d, 'our_decision');
  changeTurn(d, { lastActivityMs: d.atMs, prompts: 0 });
  if (key === field.endKey) {
    finish(d, { ...collecting, lastKeyMs: d.atMs }, field);
    return true;
  }
  if (key !== AGAIN_KEY && !isDigit(key)) {
    change(d, { collecting: { ...collecting, lastKeyMs: d.atMs } });
    return true;
  }
  const next: Collecting =
    key === AGAIN_KEY
      ? { ...collecting, count: 0, digits: '', lastKeyMs: d.atMs }
      : {
          ...collecting,
          count: collecting.count + 1,
          digits: field.sensitive ? '' : collecting.digits + key,
          lastKeyMs: d.atMs,
        };
  change(d, { collecting: next });
  if (next.count >= field.max) finish(d, next, field);
  return true;
}

/** Also one that is hidden. Other keys (`#` where it ends nothing) are no part of a number. */
export const isDigit = (key: string): boolean => /^[0-9x]$/.test(key);

/** No further key came. A slow caller keys on: what is left of a secret is nobody's. */
export function collectingOver(d: Draft): void {
  const { collecting, policy } = d.state;
  if (collecting === null) return;
  if (isSecret(d.state)) change(d, { lateKeysUntilMs: d.atMs + SLOW_MS });
  finish(d, collecting, policy.errands.fields[collecting.field] as KeypadField);
}

/** When the input is over for want of a key: the time counts from when the caller could begin. */
export function collectingDueMs(state: LiveState): number | null {
  const { collecting, policy, playback } = state;
  if (collecting === null || state.phase === 'awaiting_media') return null;
  const { timeoutMs } = policy.errands.fields[collecting.field] as KeypadField;
  const begins = collecting.lastKeyMs ?? Math.max(collecting.sinceMs, playback.queueEndsAtMs);
  // A caller who was cut off has the whole time again.
  return Math.max(begins, state.hearing.sinceMs) + timeoutMs;
}

/** The call ends, or leaves for a farewell: what was keyed in is forgotten. */
export function dropCollecting(d: Draft): void {
  const { collecting } = d.state;
  if (collecting === null) return;
  // The caller knows nothing of it, and keys on.
  hide(d, DROPPED_MS);
  change(d, { collecting: null });
  cause(d, { do: 'digits.done', field: collecting.field, keep: false });
  settleTool(d, collecting.toolCall, 'Not done: the call went on without it.', true);
}

function finish(d: Draft, { toolCall, field, count, digits }: Collecting, { min, sensitive }: KeypadField): void {
  const whole = count >= min;
  hide(d, TONE_MS);
  change(d, { collecting: null });
  // Until now the caller waited for nobody.
  changeTurn(d, { waitsSinceMs: null });
  cause(d, { do: 'digits.done', field, keep: whole });
  settleTool(d, toolCall, outputOf(field, count, whole, min, sensitive ? null : digits));
}

function hide(d: Draft, forMs: number): void {
  if (isSecret(d.state)) change(d, { hiddenUntilMs: d.atMs + forMs });
}

function outputOf(field: string, count: number, whole: boolean, min: number, digits: string | null): string {
  const some = `${count} digit${count === 1 ? '' : 's'}`;
  if (count === 0) return 'The caller keyed in nothing. Ask whether they need help with it.';
  if (!whole) return `The caller keyed in ${some}; at least ${min} are needed. Ask them to try again.`;
  const pass = `Where a tool asks for it, pass "digits:${field}".`;
  if (digits === null) return `The caller keyed in ${some}. You cannot see them. ${pass}`;
  return `The caller keyed in ${digits.split('').join(' ')}. ${pass}`;
}
