// Which agent a dialled number or URI leads to.
import { expect, test } from 'vitest';
import type { Agent } from '../../src/agent/agent.ts';
import { chooseAgent } from '../../src/agent/choose.ts';

const agent = (name: string, ...answers: string[]) => ({ name, answers }) as unknown as Agent;

const DESK = agent('desk', '+15551234567', 'frontdesk');
const ANY = agent('any', '*');
const LATE = agent('late', '+15557654321');

test.each([
  ['+15551234567', 'desk'],
  ['+15557654321', 'late'],
  ['+15550000000', 'any'],
  ['sip:frontdesk@clinic.sip.example.com', 'desk'],
  ['sips:frontdesk@clinic.example.com:5061;transport=tls', 'desk'],
  ['<sip:frontdesk:password@clinic.example.com>', 'desk'],
  ['sip:+15551234567;phone-context=x@clinic.example.com', 'desk'],
  ['sip:%2B15557654321@clinic.example.com', 'late'],
  ['sip:%zz@clinic.example.com', 'any'],
  ['client:frontdesk', 'desk'],
  ['sip:Frontdesk@clinic.example.com', 'any'],
  ['frontdesk@clinic.example.com', 'any'],
  ['*', 'any'],
  ['sip:*@clinic.example.com', 'any'],
  ['', 'any'],
])('a call to %s goes to the agent %s', (to, name) => {
  expect(chooseAgent([ANY, DESK, LATE], to)?.name).toBe(name);
});

test('a number that nobody answers has no agent', () => {
  expect(chooseAgent([DESK], '+15550000000')).toBeNull();
  expect(chooseAgent([DESK], '*')).toBeNull();
  expect(chooseAgent([], '+15551234567')).toBeNull();
});
