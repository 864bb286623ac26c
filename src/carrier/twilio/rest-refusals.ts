// Why the REST API did not call somebody, or send a message, in a word for operators: never one of Twilio's sentences,
// which name people's numbers. Twilio's error dictionary, as of 2026-11; the numbers from memory where it was not read. Pure.
import type { RestAnswer } from './rest-request.ts';

const CODES: Record<number, string> = {
  10001: 'account_not_active',
  10002: 'trial_limit',
  10003: 'too_many_calls',
  10004: 'too_many_calls',
  13223: 'to_invalid',
  13224: 'to_invalid',
  13227: 'country_not_allowed',
  20003: 'sign_in_refused',
  20008: 'test_credentials',
  20429: 'too_many_requests',
  21210: 'from_not_verified',
  21211: 'to_invalid',
  21212: 'from_invalid',
  21214: 'to_unreachable',
  21215: 'country_not_allowed',
  21216: 'to_blocked',
  21217: 'to_invalid',
  21219: 'to_not_verified_on_trial',
  21223: 'to_invalid',
  21265: 'to_is_short_code',
  21408: 'country_not_allowed',
  21602: 'text_missing',
  21606: 'from_cannot_text',
  21608: 'to_not_verified_on_trial',
  21610: 'to_opted_out',
  21612: 'to_unreachable',
  21614: 'to_cannot_text',
  21617: 'text_too_long',
  21659: 'from_not_ours',
  21660: 'from_not_ours',
  30034: 'sender_not_registered',
};

/** Nothing was sent: no connection came about. */
const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'package', 'unprintable']);

/** What an answer that brought nothing means, and whether the order may have been carried out all the same. */
export function explainRefusal({ status, code, failure }: RestAnswer): { outcome: 'refused' | 'unknown'; why: string } {
  if (status === 0 && UNREACHABLE.has(failure ?? '')) return { outcome: 'refused', why: 'unreachable' };
  if (status === 0) return { outcome: 'unknown', why: failure === 'timeout' ? 'timeout' : 'connection_lost' };
  if (status >= 200 && status < 300) return { outcome: 'unknown', why: 'unreadable_answer' };
  if (status >= 500 || status === 408) return { outcome: 'unknown', why: 'server_error' };
  return { outcome: 'refused', why: (code !== null && CODES[code]) || byStatus(status, code) };
}

function byStatus(status: number, code: number | null): string {
  if (status === 401 || status === 403) return 'sign_in_refused';
  if (status === 429) return 'too_many_requests';
  return code === null ? `http_${status}` : `code_${code}`;
}
