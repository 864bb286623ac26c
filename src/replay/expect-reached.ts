// Judges whom a call reached beside its own line: people it was transferred to, and messages. Pure.
import type { CallResult, ResultMessage, ResultTransfer } from './call-result.ts';
import type { Finding } from './expect.ts';
import { type Expected, regularOf } from './expect-schema.ts';
import { plain } from './expect-words.ts';
import { matchWithin, REGULAR_WITHIN_MS } from './match-within.ts';

type WantedTransfer = Exclude<NonNullable<Expected['transfers']>, 'none'>[number];
type WantedMessage = Exclude<NonNullable<Expected['messages']>, 'none'>[number];

/** All transfers of the call, in their order: no more, and no fewer. */
export function judgeTransfers({ transfers: wanted }: Expected, { transfers }: CallResult): Finding[] {
  return judgeAll('transfers', wanted, transfers, transferText, wantedTransferText, fitsTransfer);
}

/** All messages, likewise. @param unknown what to say when nobody could see them */
export function judgeMessages({ messages: wanted }: Expected, { messages }: CallResult, unknown: string): Finding[] {
  if (wanted !== undefined && messages === null)
    return [{ path: ['messages'], ok: false, expected: 'messages that can be seen', found: unknown }];
  return judgeAll('messages', wanted, messages ?? [], messageText, wantedMessageText, fitsMessage);
}

function judgeAll<W, F>(
  key: string,
  wanted: 'none' | readonly W[] | undefined,
  came: readonly F[],
  text: (one: F) => string,
  wantedText: (one: W) => string,
  fits: (one: F, wanted: W) => boolean,
): Finding[] {
  if (wanted === undefined) return [];
  const found = came.length === 0 ? 'none' : came.map(text).join(', ');
  if (wanted === 'none') return [{ path: [key], ok: came.length === 0, expected: 'none', found }];
  const each = wanted.map((one, i): Finding => {
    const there = came[i];
    const order = i === 0 ? '' : `, as number ${i + 1}`;
    return { path: [key, i], ok: there !== undefined && fits(there, one), expected: wantedText(one) + order, found };
  });
  if (came.length <= wanted.length) return each;
  return [...each, { path: [key], ok: false, expected: `${wanted.length} and no more`, found }];
}

const transferText = ({ to, outcome }: ResultTransfer): string => `${to} ${outcome}`;

function wantedTransferText({ to, outcome }: WantedTransfer): string {
  return `${to ?? 'anybody'} ${outcome === undefined ? '' : [outcome].flat().join(' or ')}`.trim();
}

const fitsTransfer = (one: ResultTransfer, { to, outcome }: WantedTransfer): boolean =>
  (to === undefined || to === one.to) && (outcome === undefined || [outcome].flat().includes(one.outcome));

const messageText = ({ to, text }: ResultMessage): string => `${to} ${JSON.stringify(text)}`;

function wantedMessageText({ to, contains }: WantedMessage): string {
  const texts = [contains ?? []].flat().map((phrase) => JSON.stringify(phrase));
  return `${to ?? 'anybody'} ${texts.join(' and ')}`.trim();
}

const fitsMessage = ({ to, text }: ResultMessage, wanted: WantedMessage): boolean =>
  (wanted.to === undefined || wanted.to === to) && [wanted.contains ?? []].flat().every((phrase) => has(text, phrase));

function has(text: string, phrase: string): boolean {
  const regular = regularOf(phrase);
  if (!regular) return plain(text).toLowerCase().includes(plain(phrase).toLowerCase());
  const match = matchWithin(regular, text, REGULAR_WITHIN_MS);
  return match !== null && match !== 'too long';
}
