// Media tokens: good once, for a while, for one call; unknown when the call is over.
import { expect, test } from 'vitest';
import { InProcessTokens, MAX_TOKENS_PER_CALL } from '../../src/coordination/in-process/tokens.ts';
import { FakeClock } from '../support/fake-clock.ts';

function desk() {
  const clock = new FakeClock();
  return { clock, tokens: new InProcessTokens(clock, 'node1') };
}

test('a token is good once', () => {
  const { tokens } = desk();
  const token = tokens.issue('call-1', 1_000);
  expect(tokens.claim(token)).toEqual({ callId: 'call-1' });
  expect(tokens.claim(token)).toBe('used');
});

test('a token is good until its time is over, and not after', () => {
  const { clock, tokens } = desk();
  const [one, two] = [tokens.issue('call-1', 1_000), tokens.issue('call-1', 1_000)];
  clock.advance(1_000);
  expect(tokens.claim(one)).toEqual({ callId: 'call-1' });
  clock.advance(1);
  expect(tokens.claim(two)).toBe('expired');
});

test('tells a wrong token of this node from one of another', () => {
  const { tokens } = desk();
  expect(tokens.claim('node1.nonsense')).toBe('unknown');
  expect(tokens.claim('node12.nonsense')).toBe('foreign');
  expect(tokens.claim('')).toBe('foreign');
});

test('when its call is over no token of it is known, used or not, and nothing is left', () => {
  const { tokens } = desk();
  const [used, fresh, other] = [
    tokens.issue('call-1', 1_000),
    tokens.issue('call-1', 1_000),
    tokens.issue('call-2', 1_000),
  ];
  tokens.claim(used);
  tokens.forget('call-1');
  expect([used, fresh].map((token) => tokens.claim(token))).toEqual(['unknown', 'unknown']);
  expect(tokens.claim(other)).toEqual({ callId: 'call-2' });
  tokens.forget('call-2');
  tokens.forget('call-2');
  expect(tokens.size).toBe(0);
});

test('tokens cannot be guessed from one another', () => {
  const { tokens } = desk();
  const issued = Array.from({ length: 200 }, (_, i) => tokens.issue(`call-${i}`, 1_000));
  expect(new Set(issued).size).toBe(200);
  for (const token of issued) expect(token).toMatch(/^node1\.[A-Za-z0-9_-]{32}$/);
});

test('a call that loses its media for ever does not fill the memory', () => {
  const { tokens } = desk();
  const issued = Array.from({ length: 100 }, () => tokens.issue('call-1', 1_000));
  expect(tokens.size).toBe(MAX_TOKENS_PER_CALL);
  expect(tokens.claim(issued.at(-1) as string)).toEqual({ callId: 'call-1' });
  expect(tokens.claim(issued[0] as string)).toBe('unknown');
});
