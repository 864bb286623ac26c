// What the end of a media stream means, in words.
import { expect, test } from 'vitest';
import { explainClose, explainStreamError } from '../../../src/carrier/twilio/stream-codes.ts';

test.each([
  [1006, '1006: the connection broke without a word: network, proxy, or an idle timeout'],
  [1000, '1000: Twilio closed the socket without saying stop'],
  [4000, '4000'],
])('close %d', (code, words) => {
  expect(explainClose(code)).toBe(words);
});

test.each([
  ['31920', '31920: the request for a media socket was not answered with 101'],
  ['31951', '31951: a message of ours is not one that Twilio takes'],
  ['99999', '99999'],
  ['unknown', 'unknown'],
  ['constructor', 'constructor'],
])('error %s', (code, words) => {
  expect(explainStreamError(code)).toBe(words);
});
