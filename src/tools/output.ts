// Text on its way to the model: from a business system, hence never trusted, and paid for on each later turn.
import { StringDecoder } from 'node:string_decoder';

/** Most characters that the model is told of a tool's error message or of a name it made up. */
const MAX_QUOTE = 200;

/**
 * Characters that nobody speaks and that hide instructions from whoever reads a record: controls but for tab and line
 * feed, zero-width and bidirectional marks, and the tag block that spells invisible ASCII.
 */
const UNSPEAKABLE =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

/** Only so many times the bound is looked at: an answer of 10 MB must not hold up every call while it is cleaned. */
const LOOKED_AT = 32;

/**
 * The text without what nobody speaks and what `scrub` takes out, within its bound: cut between characters, saying so. What is
 * hidden between characters goes first, so that it cannot hide from `scrub`.
 */
export function bounded(text: string, maxBytes: number, scrub: (text: string) => string = (whole) => whole): string {
  const head = text.slice(0, LOOKED_AT * maxBytes);
  const clean = scrub(head.toWellFormed().replace(UNSPEAKABLE, ''));
  if (head.length === text.length && Buffer.byteLength(clean) <= maxBytes) return clean;
  const notice = ` [cut off: ${Buffer.byteLength(text)} bytes in all]`;
  const kept = Buffer.from(clean).subarray(0, Math.max(0, maxBytes - notice.length));
  return new StringDecoder('utf8').write(kept) + notice;
}

/** One line of at most `most` characters. */
export function quote(text: string, most = MAX_QUOTE): string {
  const line = text
    .slice(0, 4 * most)
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
