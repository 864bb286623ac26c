import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parsePublicUrl, webhookUrls } from '../../../src/carrier/twilio/public-url.ts';
import { signatureCheck } from '../../../src/carrier/twilio/signature.ts';
import { AUTH_TOKEN, sign } from './edge.ts';
import fc from '../../support/fast-check.ts';

interface Vector {
  source: string;
  authToken: string;
  publicUrl: string;
  path: string;
  form: Record<string, string> | null;
  signature: string;
}
const vectors = JSON.parse(
  readFileSync(new URL('../../fixtures/twilio/signatures.json', import.meta.url), 'utf8'),
) as Vector[];

const check = (publicUrl: string, authToken = AUTH_TOKEN) => signatureCheck(parsePublicUrl(publicUrl), authToken);
const flip = (signature: string) => (signature[0] === 'A' ? 'B' : 'A') + signature.slice(1);

test.each(vectors)('agrees with the vector: $source', ({ authToken, publicUrl, path, form, signature }) => {
  const checked = check(publicUrl, authToken);
  const verdict = (given: string) =>
    form === null ? checked.upgrade(path, given) : checked.webhook(path, form, given);
  expect(verdict(signature)).toBe(true);
  expect(verdict(flip(signature))).toBe(false);
});

describe('webhooks', () => {
  const url = check('https://voice.example.com');
  const form = { CallSid: 'CA1', From: '+1', Empty: '', Spaced: ' a & b ' };
  const given = sign('/voice', form);

  test('takes the form as it came, and only so', () => {
    expect(url.webhook('/voice', form, given)).toBe(true);
    expect(url.webhook('/voice', { ...form, More: '1' }, given)).toBe(false);
    expect(url.webhook('/voice', { ...form, Spaced: 'a & b' }, given)).toBe(false);
    expect(url.webhook('/voice/next', form, given)).toBe(false);
    expect(url.webhook('/voice?x=1', form, given)).toBe(false);
  });

  test('refuses another auth token', () => {
    expect(check('https://voice.example.com', 'other').webhook('/voice', form, given)).toBe(false);
  });

  test('strips credentials, a trailing slash and a fragment from the public URL', () => {
    expect(check('https://user:pass@voice.example.com/#x').webhook('/voice', form, given)).toBe(true);
  });

  test('takes a signature with the port written out', () => {
    const withPort = sign('/voice', form, 'https://voice.example.com:443');
    expect(url.webhook('/voice', form, withPort)).toBe(true);
  });

  test.each([undefined, '', 'x', ['a', 'b'], 'é'.repeat(14), `${given} `, 'A'.repeat(100_000)])(
    'refuses the header %#',
    (header) => expect(url.webhook('/voice', form, header)).toBe(false),
  );

  test('refuses rather than throws on any path', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (path) => {
        expect(url.webhook(path, form, flip(given))).toBe(false);
        expect(url.upgrade(path, flip(given))).toBe(false);
      }),
    );
  });
});

describe('media sockets', () => {
  test.each(['wss://voice.example.com', 'wss://voice.example.com:443'])('takes %s with and without a slash', (base) => {
    const { upgrade } = check('https://voice.example.com');
    expect(upgrade('/media/t', sign('/media/t', {}, base))).toBe(true);
    expect(upgrade('/media/t', sign('/media/t/', {}, base))).toBe(true);
    expect(upgrade('/media/t', sign('/media/u', {}, base))).toBe(false);
  });

  test('takes ws and the written port for an http origin', () => {
    const { upgrade } = check('http://localhost:3000');
    expect(upgrade('/media/t', sign('/media/t', {}, 'ws://localhost:3000'))).toBe(true);
    expect(upgrade('/media/t', sign('/media/t', {}, 'wss://localhost:3000'))).toBe(false);
    expect(check('http://h').upgrade('/m', sign('/m', {}, 'ws://h:80'))).toBe(true);
  });

  test('does not take a signature over the https URL', () => {
    const { upgrade } = check('https://voice.example.com');
    expect(upgrade('/media/t', sign('/media/t', {}, 'https://voice.example.com'))).toBe(false);
  });
});

describe('public URL', () => {
  test.each(['', 'voice.example.com', 'wss://voice.example.com', 'ftp://x'])('refuses %j', (publicUrl) => {
    expect(() => parsePublicUrl(publicUrl)).toThrow(expect.objectContaining({ code: 'TRK_CONFIG' }));
  });

  test('gives the URLs for the console, with time for a second try', () => {
    expect(webhookUrls('https://voice.example.com/')).toEqual({
      voice: 'https://voice.example.com/voice#rc=2&rp=ct,rt,5xx&ct=2000&rt=4000&tt=14000',
      fallbackBin: 'twiml/bins/fallback-apology.xml',
      status: 'https://voice.example.com/voice/status',
    });
  });
});
