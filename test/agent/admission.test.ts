// The section `admission` of an agent file: what it becomes, and every fault with its place.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { AgentAdmission } from '../../src/agent/agent.ts';
import { loadAgents } from '../../src/agent/load.ts';
import { readConfig } from '../../src/config.ts';
import { TrunklineError } from '../../src/errors.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function load(section: string): Promise<AgentAdmission> {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-admission-'));
  folders.push(dir);
  writeFileSync(join(dir, 'a.yaml'), `answers: ["*"]\ninstructions: Be brief.\n${section}`);
  const [agent] = await loadAgents(dir, readConfig({}));
  return (agent as { admission: AgentAdmission }).admission;
}

async function faults(section: string): Promise<string[]> {
  try {
    await load(section);
  } catch (error) {
    expect(error).toBeInstanceOf(TrunklineError);
    const lines = (error as TrunklineError).message.split('\n').slice(1);
    return lines.map((line) => line.replace(/^.*a\.yaml:/, ''));
  }
  throw new Error('the agent file was accepted');
}

test('without it everybody is let in, and the refused hear a busy tone or a sentence', async () => {
  expect(await load('')).toEqual({
    allow: null,
    deny: [],
    attestation: null,
    callsPerMinutePerCaller: null,
    callsAtOncePerCaller: null,
    refused: {
      denied: { give: 'sentence', text: 'I am sorry, this number does not take your call. Goodbye.' },
      limited: { give: 'busy' },
      full: { give: 'busy' },
      draining: { give: 'busy' },
      budget: { give: 'sentence', text: 'I am sorry, we cannot take more calls today. Goodbye.' },
    },
  });
});

test('every key becomes what it says', async () => {
  const section = `admission:
  allow: ["+1*", "frontdesk@pbx.example.com", "@pbx.example.com", desk, withheld]
  deny: ["+1900*", "+15551234567"]
  attestation: B
  calls_per_minute_per_caller: 5
  calls_at_once_per_caller: 2
  refused:
    denied: busy
    limited: {say: " Please call later. "}
    full: {forward_to: "+15557654321"}
`;
  expect(await load(section)).toEqual({
    allow: ['+1*', 'frontdesk@pbx.example.com', '@pbx.example.com', 'desk', 'withheld'],
    deny: ['+1900*', '+15551234567'],
    attestation: 'B',
    callsPerMinutePerCaller: 5,
    callsAtOncePerCaller: 2,
    refused: {
      denied: { give: 'busy' },
      limited: { give: 'sentence', text: 'Please call later.' },
      full: { give: 'forward', to: '+15557654321' },
      draining: { give: 'busy' },
      budget: { give: 'sentence', text: 'I am sorry, we cannot take more calls today. Goodbye.' },
    },
  });
});

test('off means without', async () => {
  const off = 'admission: {attestation: off, calls_per_minute_per_caller: off, calls_at_once_per_caller: off}\n';
  expect(await load(off)).toEqual(await load(''));
});

test.each([
  '+1555',
  '1900*',
  '*',
  '+*',
  '15551234567',
  'a b',
  'sip:a@b',
  'a@b@c',
  'user*',
  '+1900*5',
  '@',
  '',
  'witheld',
  'anonymous',
  'Private',
  '555-123-4567',
  '(555)1234567',
  '555.123.4567',
  '030/1234567',
])('%j is no caller', async (entry) => {
  const [fault, ...more] = await faults(`admission:\n  deny: [${JSON.stringify(entry)}]\n`);
  expect(more).toEqual([]);
  expect(fault).toMatch(/^4:10: admission\.deny\[0\]: expected a phone number in E\.164, quoted: "\+15551234567"; /);
});

test('an extension, and a SIP user with digits in it, are callers', async () => {
  expect((await load('admission:\n  deny: ["1001", "10-20", "desk-5551234567"]\n')).deny).toEqual([
    ...['1001', '10-20', 'desk-5551234567'],
  ]);
});

test('a number without quotes is told as what it is', async () => {
  const [fault] = await faults('admission:\n  allow: [+15551234567]\n');
  expect(fault).toContain('YAML takes this for a number: quote it: "+15551234567"');
});

test.each([
  ['allow: []', '4:10: admission.allow: expected a list with at least one caller (found a list)'],
  ['attestation: D', '4:16: admission.attestation: expected one of off, A, B, C (found D)'],
  [
    'calls_per_minute_per_caller: 0',
    '4:32: admission.calls_per_minute_per_caller: expected a whole number of calls from 1 to 600 (found 0)',
  ],
  [
    'calls_at_once_per_caller: many',
    '4:29: admission.calls_at_once_per_caller: expected off, or a whole number of calls from 1 to 1000 (found many)',
  ],
  ['dney: [withheld]', '4:3: admission.dney: no such key; did you mean deny?'],
  ['refused: {denid: busy}', '4:13: admission.refused.denid: no such key; did you mean denied?'],
  [
    'refused: {full: {forward: "+15557654321"}}',
    '4:20: admission.refused.full.forward: no such key; did you mean forward_to?',
  ],
  [
    'refused: {full: {forward_to: "5557654321"}}',
    '4:32: admission.refused.full.forward_to: expected a phone number in E.164, quoted: "+15551234567" (found "5557654321")',
  ],
])('%s', async (line, fault) => {
  expect(await faults(`admission:\n  ${line}\n`)).toEqual([fault]);
});

test.each(['bsy', '{}', '{say: a, forward_to: "+15557654321"}', '5'])(
  '%s is nothing that a caller can get',
  async (value) => {
    const [fault, ...more] = await faults(`admission:\n  refused: {full: ${value}}\n`);
    expect(more).toEqual([]);
    expect(fault).toContain(
      'admission.refused.full: expected busy, or a mapping with either say (a sentence) or forward_to (a phone number in E.164, quoted)',
    );
  },
);
