// Proves that a request came from Twilio: X-Twilio-Signature over the URL as configured and the complete form.
// Deep import: `twilio` itself loads its whole REST client (120 ms, 28 MB), the webhook file only node:crypto.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { validateRequest } from 'twilio/lib/webhooks/webhooks.js';
import type { PublicUrl } from './public-url.ts';

/** A parsed form, as parsed: nothing trimmed, nothing dropped, or the signature no longer fits. */
export type Form = Record<string, string | string[]>;

/** Header value as Node gives it. */
export type HeaderValue = string | string[] | undefined;

/** Says whether Twilio signed a request. Comparison is constant-time; nothing throws. */
export interface SignatureCheck {
  /** A form POST; `path` is path and query exactly as received. */
  webhook: (path: string, form: Form, signature: HeaderValue) => boolean;
  /** The upgrade of a media socket; no parameters take part. */
  upgrade: (path: string, signature: HeaderValue) => boolean;
  /** Of a form that is genuine: it is no caller of Twilio's who says to call from our own page. */
  ownPhone: (form: Form) => boolean;
}

/** What the page's own phone says of its calls; whoever else says so is not believed. */
export const OWN_PHONE_FIELD = 'TrunklinePhone';

/**
 * How it proves that. The signature is no proof: parameters that somebody gives to Twilio's Voice SDK come in the same form,
 * under their own names, and Twilio signs them.
 */
export const ownPhoneProof = (authToken: string, callSid: string): string =>
  createHmac('sha256', authToken).update(`own phone ${callSid}`).digest('hex');

/** base64 of an HMAC-SHA1: anything else is refused before a hash is spent on it. */
const SIGNATURE = /^[A-Za-z0-9+/]{27}=$/;
const NO_PARAMETERS: Form = {};

/** The check for one public URL and the account's primary auth token (API keys sign nothing). */
export function signatureCheck(url: PublicUrl, authToken: string): SignatureCheck {
  const signed = (candidate: string, form: Form, signature: HeaderValue): boolean => {
    if (typeof signature !== 'string' || !SIGNATURE.test(signature)) return false;
    try {
      return validateRequest(authToken, signature, candidate, form);
    } catch {
      // It runs `new URL()` over the candidate, whose path is the sender's choice.
      return false;
    }
  };
  return {
    webhook: (path, form, signature) => signed(url.http + path, form, signature),
    // The signed URL is the one of <Stream>, but Twilio's own hint for a failing check is to append a slash (docs,
    // "Webhooks security"). validateRequest tries each with and without the port, yet adds 80 to wss, hence the
    // written-out one; where the port is the scheme's own that covers both spellings.
    upgrade: (path, signature) =>
      signed(url.wsWithPort + path, NO_PARAMETERS, signature) ||
      signed(`${url.wsWithPort + path}/`, NO_PARAMETERS, signature),
    ownPhone({ [OWN_PHONE_FIELD]: given, CallSid: callSid }) {
      if (given === undefined) return true;
      if (typeof given !== 'string' || typeof callSid !== 'string') return false;
      const [said, right] = [Buffer.from(given), Buffer.from(ownPhoneProof(authToken, callSid))];
      return said.length === right.length && timingSafeEqual(said, right);
    },
  };
}
