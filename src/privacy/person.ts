// Somebody who is to be forgotten, as they stand in what is kept: which parties are this person, and what to look for in
// files that nobody can read as a whole.
import { callerKey, isListed } from '../call/caller.ts';
import type { Party } from '../carrier/carrier.ts';
import { parseParty } from '../carrier/twilio/incoming.ts';
import { TrunklineError } from '../errors.ts';

export interface Person {
  /** Whether a party of a call is this person. */
  is(party: Party): boolean;
  /** What stands in every address of theirs, in small letters. */
  contains: string;
  /** What to look for in files. */
  marks: readonly Mark[];
}

/** A text that is a trace where it stands for itself and not inside of another one. */
export interface Mark {
  /** Latin-1 in small letters. */
  text: string;
  /** What may not stand before it, and behind it. */
  notAfter: RegExp;
  notBefore: RegExp;
}

const EXPECTED =
  '--caller: expected a number with its plus, as +15551234567, or an address, as sip:alice@pbx.example.com or client:alice';

/** @throws TrunklineError TRK_CONFIG for what can be nobody's number */
export function personOf(given: string): Person {
  const text = given.trim();
  const bare = text.replace(/[\s().-]/g, '');
  const party = parseParty(/^\+\d+$/.test(bare) ? bare : text);
  const key = callerKey(party);
  if (party.kind === 'pstn') return numbered(party.value);
  if (key === null || /[^\x21-\x7e]/.test(key)) throw new TrunklineError('TRK_CONFIG', hinted(text, bare));
  const contains = party.kind === 'client' ? party.value : key.slice('sip:'.length);
  // A host alone would be everybody there.
  if (party.kind === 'sip' && contains.startsWith('@')) throw new TrunklineError('TRK_CONFIG', EXPECTED);
  return {
    is: (other) => callerKey(other)?.toLowerCase() === key.toLowerCase(),
    contains: hostOf(contains).toLowerCase(),
    marks: party.kind === 'client' ? clientMarks(party.value) : addressMarks(contains),
  };
}

/** The party of a call who is a person from outside: who calls, or who is called by us. */
export const otherSide = <P>({ direction, from, to }: { direction: string; from: P; to: P }): P =>
  direction === 'outbound' ? to : from;

/** A number is also whoever calls by SIP under it, with the plus or without. */
function numbered(number: string): Person {
  const digits = number.slice(1);
  return {
    is: (party) => isListed([number, digits], party),
    contains: digits,
    // Digits are escaped by nobody.
    marks: [{ text: digits, notAfter: DIGIT_BEFORE, notBefore: /^[0-9]/ }],
  };
}

// What stands before a mark may be escaped in a URL or in JSON, and so end in a digit or a letter: %2B, %20, \u002b.
const DIGIT_BEFORE = /(?<!%[0-9a-f]|\\u[0-9a-f]{3})[0-9]$/;
const WORD_BEFORE = /(?<!%[0-9a-f]|\\u[0-9a-f]{3})[\w.~-]$/;
const WORD_BEHIND = /^(?:[\w~-]|\.\w)/;

function addressMarks(address: string): Mark[] {
  const text = address.toLowerCase();
  return [text, text.replace('@', '%40')].map((one) => ({ text: one, notAfter: WORD_BEFORE, notBefore: WORD_BEHIND }));
}

/** The name alone may be any word. */
function clientMarks(name: string): Mark[] {
  const text = name.toLowerCase();
  const marks = [`client:${text}`, `client%3a${text}`, `"kind":"client","value":"${text}"`];
  return marks.map((one) => ({ text: one, notAfter: /\w$/, notBefore: WORD_BEHIND }));
}

/** The part of an address that is never escaped: a user may be written in more than one way. */
const hostOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1);

/** Without the number: what is printed may be kept. */
function hinted(text: string, bare: string): string {
  if (/^\d{7,15}$/.test(bare)) return `${EXPECTED}; a number without its plus may be anybody's`;
  if (/^[^\s@:]+@[^\s@]+$/.test(text)) return `${EXPECTED}; did you mean it with sip: before it?`;
  return `${EXPECTED}. Callers who withhold their number cannot be told apart`;
}
