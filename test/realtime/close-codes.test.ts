// What a lost connection means, in words, and whether another try may cure it.
import { describe, expect, test } from 'vitest';
import { explain, isRetryable } from '../../src/realtime/close-codes.ts';

test.each([
  ['close 1013', '1013: the server asks to try again later'],
  ['close 1006', '1006: the connection broke without a word'],
  ['HTTP 401', 'HTTP 401: the API key is not valid'],
  ['HTTP 418', 'HTTP 418: the request was refused'],
  ['HTTP 200', expect.stringContaining('HTTP 200: the server answered, but not as a WebSocket')],
  ['ENOTFOUND', "ENOTFOUND: the name of the model's host cannot be resolved"],
  ['CERT_HAS_EXPIRED', "CERT_HAS_EXPIRED: the host's certificate has expired (or our clock is wrong)"],
  ['ERR_SSL_BAD_SIGNATURE', 'ERR_SSL_BAD_SIGNATURE: the encryption failed'],
  ['WS_ERR_INVALID_OPCODE', 'WS_ERR_INVALID_OPCODE: the server sent a frame that is not WebSocket'],
  ['session_expired', 'session_expired: the session reached its longest life'],
  ['no pong', 'no pong: the server has not answered for several seconds'],
  // `ws` has no code for a handshake that timed out.
  ['Error', 'the handshake was not completed in time or not as a WebSocket'],
])('%s in words', (detail, words) => {
  expect(explain(detail)).toEqual(words);
});

test.each([
  '',
  'close',
  'close 4999',
  'HTTP',
  'HTTP abc',
  'constructor',
  '__proto__',
  'wrong audio format',
  'CLOSE 1013',
])('what is not known stays as it is and is final: %j', (detail) => {
  expect(explain(detail)).toBe(detail);
  expect(isRetryable(detail)).toBe(false);
});

describe('another try may cure', () => {
  // The SDK's list, and 1000: in the middle of a call nobody wanted it.
  const again = [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1015].map((code) => `close ${code}`);
  const statuses = [408, 429, 500, 502, 503, 504].map((status) => `HTTP ${status}`);
  test.each([...again, ...statuses, 'ECONNREFUSED', 'EAI_AGAIN', 'ETIMEDOUT', 'session_expired', 'Error'])(
    '%s',
    (detail) => {
      expect(isRetryable(detail)).toBe(true);
    },
  );
});

describe('another try ends the same way after', () => {
  const final = [1002, 1003, 1007, 1008, 1009, 1010].map((code) => `close ${code}`);
  const statuses = [301, 400, 401, 403, 404, 501].map((status) => `HTTP ${status}`);
  test.each([...final, ...statuses, 'insufficient_quota', 'invalid_api_key', 'ERR_TLS_CERT_ALTNAME_INVALID'])(
    '%s',
    (detail) => {
      expect(isRetryable(detail)).toBe(false);
    },
  );
});
