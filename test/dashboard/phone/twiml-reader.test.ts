// The small TwiML reader against the carrier double's, which is a real XML parser: on every document that this server writes, and
// on texts that callers and operators can put into them.
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadTwiml, twimlUrls } from '../../../src/carrier/twilio/twiml.ts';
import { parsePublicUrl } from '../../../src/carrier/twilio/public-url.ts';
import { readTwiml } from '../../../src/dashboard/phone/twiml-reader.ts';
import { readTwiml as readAsCarrier, type TwimlElement } from '../../../src/phone/twiml-reader.ts';

const plain = (elements: readonly TwimlElement[]): unknown => JSON.parse(JSON.stringify(elements));
const agree = (document: string): void =>
  expect(plain(readTwiml(document))).toEqual(plain(readAsCarrier(document, 'text/xml')));

const folder = new URL('../../../twiml/', import.meta.url);
const documents = readdirSync(folder).filter((name) => name.endsWith('.xml'));

describe('reading TwiML', () => {
  test.each(documents)('agrees with a real parser about twiml/%s', (name) =>
    agree(readFileSync(new URL(name, folder), 'utf8')),
  );

  test('agrees about whatever text stands in them', () => {
    const twiml = loadTwiml(twimlUrls(parsePublicUrl('https://voice.example.com')));
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (words) => {
        // Blanks at the ends of an attribute: the other parser trims them, XML does not.
        const text = `x${words}x`;
        agree(twiml.next({ do: 'say_and_hang_up', text }));
        agree(twiml.connect('a-token', { caller: text, called: '+15005550001' }));
      }),
    );
  });

  test.each([
    ['', 'nothing'],
    ['hello', 'text'],
    ['<Response/><Response/>', 'two roots'],
    ['<Response><Say>x</Response>', 'an open element'],
    ['<Response></Say></Response>', 'a stray end'],
    ['<Response>a & b</Response>', 'a raw &'],
    ['<Response><Say a=1/></Response>', 'an unquoted attribute'],
    ['<Response>&#9999999;</Response>', 'a character that does not exist'],
    [`<Response>${'<a>'.repeat(20)}${'</a>'.repeat(20)}</Response>`, 'twenty levels'],
    ['<!DOCTYPE x [<!ENTITY a "b">]><Response/>', 'a document type'],
  ])('refuses %s', (document) => expect(() => readTwiml(document)).toThrow('TwiML'));

  test('names are data: no prototype is touched', () => {
    const [say] = readTwiml('<Response><Say __proto__="x" constructor="y">z</Say></Response>');
    expect(Object.keys(say?.attributes ?? {})).toEqual(['__proto__', 'constructor']);
  });
});
