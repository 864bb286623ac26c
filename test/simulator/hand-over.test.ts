// Several agents in one script: which one speaks follows from how the session is configured.
import { afterEach, expect, test } from 'vitest';
import { clip } from '../../src/simulator/clips.ts';
import { declared, Errand, errand, scripted } from './errand.ts';
import { closeSimulators, connect, simulate } from './socket-client.ts';
import type { SocketClient } from './socket-client.ts';

afterEach(closeSimulators);

const SCRIPT = `
greeting: { says: [clinic_greeting] }
turns:
  - calls: [{ tool: hand_over, with: { to: billing } }]
    after: [{ says: [please_hold] }]
  - { says: [clinic_anything] }
sessions:
  - match: { instructions: "billing desk", tools: [refund] }
    greeting: { says: [short_ok], transcript: Billing desk. }
    turns:
      - { says: [clinic_ask_account] }
      - { says: [go_on] }
  - match: { instructions: /night/i, model: gpt-realtime-2.1 }
    turns: [{ says: [still_there] }]
`;
const greeting = clip('clinic_greeting').text;

test('another session is the other agent, which greets although there is a history', async () => {
  const simulator = await simulate({ session: scripted(SCRIPT) });
  const session = async (instructions: string, tools: string[]): Promise<Errand> => {
    const client = await connect(simulator);
    await client.update({}, { instructions, tools: declared(tools) });
    return new Errand(client, { hand_over: '{"ok":true}', refund: '{}' });
  };
  const desk = await session('You are the front desk.', ['hand_over']);
  expect(await desk.asks()).toEqual([greeting]);
  expect(await desk.caller()).toEqual([clip('please_hold').text]);
  const billing = await session('You are the BILLING DESK.', ['refund']);
  recall(billing.client);
  expect(await billing.asks()).toEqual(['Billing desk.']);
  expect(await billing.caller()).toEqual([clip('clinic_ask_account').text]);
  // Without the tool it is no billing desk; the history makes it a session that has been greeted.
  const other = await session('You are the billing desk.', ['hand_over']);
  recall(other.client);
  // The output that nobody has answered first, for which the script has nothing.
  expect(await other.asks()).toEqual([clip('sorry_repeat').text]);
  expect(await other.asks()).toEqual([clip('please_hold').text]);
  for (const { client } of [desk, billing, other])
    expect([client.invalid, client.session.errorsSent]).toEqual([[], []]);
});

/** What the desk leaves behind: what the caller wanted, and the call that handed over. */
function recall(client: SocketClient): void {
  const content = [{ type: 'input_text', text: 'It is about my bill.' }];
  const call_id = 'call_earlier';
  for (const item of [
    { type: 'message', role: 'user', content },
    { type: 'function_call', call_id, name: 'hand_over', arguments: '{}' },
    { type: 'function_call_output', call_id, output: '{"ok":true}' },
    { type: 'message', role: 'system', content: [{ type: 'input_text', text: 'You have the call now.' }] },
  ])
    client.send({ type: 'conversation.item.create', item });
}

test('a new configuration in the middle of a session hands over, and back to where it was', async () => {
  const call = await errand(SCRIPT, { hand_over: '{}', refund: '{}' }, { instructions: 'front desk' });
  const as = (instructions: string): Promise<void> => call.client.update({}, { instructions });
  expect(await call.asks()).toEqual([greeting]);
  await as('billing desk');
  expect(await call.asks()).toEqual(['Billing desk.']);
  expect(await call.caller()).toEqual([clip('clinic_ask_account').text]);
  await as('front desk');
  expect(await call.caller()).toEqual([clip('please_hold').text]);
  await as('The Night desk');
  expect(await call.caller()).toEqual([clip('still_there').text]);
  await as('billing desk');
  expect(await call.caller()).toEqual([clip('go_on').text]);
  expect(call.client.invalid).toEqual([]);
});

test('the caller who speaks before the new agent gets an answer, and no greeting after it', async () => {
  const call = await errand(SCRIPT, { refund: '{}' }, { instructions: 'billing desk' });
  expect(await call.caller()).toEqual([clip('clinic_ask_account').text]);
  expect(await call.asks()).toEqual([clip('go_on').text]);
});
