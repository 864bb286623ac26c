// Who is calling, as far as letting in goes: the lists of an agent file, what a caller is counted under, and how well the
// number is attested. Callers choose what they show: only an attestation says that a number is theirs. Pure.
import type { Party } from '../carrier/carrier.ts';

/** STIR attestation: the caller's carrier knows customer and number (A), the customer (B), or only where the call came from (C). */
export type Attestation = 'A' | 'B' | 'C';

/**
 * Under what a caller is counted, or null for one who shows no number: all of them together are no one caller, so none of
 * them is limited as one.
 */
export function callerKey(caller: Party): string | null {
  switch (caller.kind) {
    case 'withheld':
      return null;
    case 'pstn':
      return caller.value;
    case 'client':
      return `client:${caller.value}`;
    case 'sip': {
      const { user, host } = sipAddress(caller.value);
      return `sip:${user}@${host}`;
    }
    default:
      return caller.kind satisfies never;
  }
}

/**
 * Whether one of these words of an agent file means this caller: `+15551234567`, `+1900*` (every number that begins so),
 * `frontdesk` (a SIP user or softphone), `frontdesk@pbx.example.com`, `@pbx.example.com` (every user there), `withheld`.
 */
export function isListed(list: readonly string[], caller: Party): boolean {
  if (caller.kind === 'withheld') return list.some((entry) => entry.toLowerCase() === 'withheld');
  const user = userOf(caller);
  const at = caller.kind === 'sip' ? `@${sipAddress(caller.value).host}` : null;
  return list.some((entry) => {
    const word = entry.toLowerCase();
    if (word.endsWith('*')) return user.startsWith(word.slice(0, -1));
    if (word.includes('@')) return word === at || word === `${user}${at}`;
    return word === user && word !== 'withheld';
  });
}

/** The number, or the user of an address, in small letters: RFC 3261 tells users apart by case, people do not. */
const userOf = ({ kind, value }: Party): string => (kind === 'sip' ? sipAddress(value).user : value.toLowerCase());

/**
 * User and host of a SIP URI in small letters, without password, port and parameters. A caller can write anything here: the
 * host is what comes behind the last @, so that nobody brings a host of their choice in front of their own.
 */
function sipAddress(uri: string): { user: string; host: string } {
  const [, userinfo = '', host = ''] = /^sips?:(?:(.*)@)?([^@;:?>]*)/i.exec(uri) ?? [];
  const [user = ''] = userinfo.split(/[;:?]/, 1);
  return { user: unescaped(user).toLowerCase(), host: host.toLowerCase() };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The level in a STIR verdict such as `TN-Validation-Passed-A` or `TN-Validation-Passed-B-Diverted` (the words of SIP's
 * `verstat`); null when there was none, or it failed. A verdict that passed without a letter counts as the lowest.
 */
export function attestationOf(verdict: string | null): Attestation | null {
  const passed = /^TN-Validation-Passed(?:-([ABC])(?![A-Za-z]))?/.exec(verdict ?? '');
  return passed ? ((passed[1] as Attestation | undefined) ?? 'C') : null;
}

/** Letters in the order of the alphabet: A is the best. */
export const attestedAtLeast = (minimum: Attestation, verdict: string | null): boolean =>
  (attestationOf(verdict) ?? 'D') <= minimum;
