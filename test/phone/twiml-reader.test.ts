// Which TwiML is read, and which is refused with what code.
import { expect, test } from 'vitest';
import { readTwiml, TwimlError } from '../../src/phone/twiml-reader.ts';

const codeOf = (body: string, type = 'text/xml'): number | undefined => {
  try {
    readTwiml(body, type);
    return undefined;
  } catch (error) {
    return error instanceof TwimlError ? error.code : 0;
  }
};

test('verbs come in order with attributes, nouns and text', () => {
  const verbs = readTwiml(
    `<?xml version="1.0" encoding="UTF-8"?><!-- note --><Response><Say voice="alice">Fish &amp; chips</Say>
     <Connect action="/after?a=1&amp;b=2"><Stream url="wss://h/m"><Parameter name="n" value="007"/></Stream></Connect>
     <Dial><Number>+15005550006</Number></Dial><Hangup/></Response>`,
    'text/xml; charset=utf-8',
  );
  expect(verbs.map((verb) => verb.name)).toEqual(['Say', 'Connect', 'Dial', 'Hangup']);
  expect(verbs[0]).toMatchObject({ text: 'Fish & chips', attributes: { voice: 'alice' } });
  expect(verbs[1]?.attributes['action']).toBe('/after?a=1&b=2');
  expect(verbs[1]?.children[0]?.children[0]?.attributes).toEqual({ name: 'n', value: '007' });
  expect(verbs[2]?.children[0]?.text).toBe('+15005550006');
});

test('an empty document has no verbs', () => {
  expect(readTwiml('<Response/>', 'application/xml')).toEqual([]);
});

test('plain text is read aloud and an audio file is played, then the call ends', () => {
  const said = readTwiml(' We are closed.\n', 'text/plain');
  expect(said.map(({ name, text }) => [name, text])).toEqual([
    ['Say', 'We are closed.'],
    ['Hangup', ''],
  ]);
  const played = readTwiml('RIFF…', 'audio/wav', 'https://h/a.wav');
  expect(played.map(({ name, text }) => [name, text])).toEqual([
    ['Play', 'https://h/a.wav'],
    ['Hangup', ''],
  ]);
});

test.each([
  ['JSON', '<Response/>', 'application/json', 12300],
  ['no content type', '<Response/>', '', 12300],
  ['a raw ampersand in an attribute', '<Response><Redirect method="a&b">/x</Redirect></Response>', 'text/xml', 12100],
  ['an unclosed element', '<Response><Say>hi</Response>', 'text/xml', 12100],
  ['another root', '<html/>', 'text/html', 12100],
  ['an empty body', '', 'text/xml', 12100],
  ['an unknown verb', '<Response><Speak/></Response>', 'text/xml', 12200],
  ['a body above 64 KB', `<Response><Say>${'a'.repeat(70_000)}</Say></Response>`, 'text/xml', 11750],
])('%s is refused with the carrier’s code', (_, body, type, code) => {
  expect(codeOf(body, type)).toBe(code);
});
