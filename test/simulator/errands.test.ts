// Scripts that use tools for a whole errand: the arguments come from what tools have answered, and so does what is said.
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { clip } from '../../src/simulator/clips.ts';
import { callsIn, errand } from './errand.ts';
import type { Errand } from './errand.ts';
import { closeSimulators } from './socket-client.ts';

afterEach(closeSimulators);

/** The script in the page that stands under this heading. */
function pageScript(heading: string): string {
  const page = readFileSync(new URL('../../docs/simulator.md', import.meta.url), 'utf8');
  const script = new RegExp(`### ${heading}\\n.*?\`\`\`yaml\\n(.*?)\`\`\``, 's').exec(page)?.[1];
  if (script === undefined) throw new Error(`no script under ${heading}`);
  return script;
}

const clinic = {
  find_patient: '{"id":7,"name":"Ada"}',
  list_slots: '{"slots":[{"id":"s-1","start":"Monday at nine"},{"id":"s-2","start":"Tuesday at ten"}]}',
  book_appointment: '{"status":"booked","start":"Monday at nine"}',
  end_call: '{}',
};

const quiet = async ({ client }: Errand): Promise<void> => {
  expect(client.invalid).toEqual([]);
  expect(client.session.errorsSent).toEqual([]);
  expect(client.session.scriptFaults).toEqual([]);
};

test('books: one tool after the other, with values of the one before, then the words for what came of it', async () => {
  const call = await errand(pageScript('An errand'), clinic);
  await call.asks();
  expect(await call.caller()).toEqual([clip('clinic_one_moment').text, 'I have Monday at nine, patient Ada.']);
  expect(await call.caller()).toEqual(['Booked for Monday at nine.']);
  expect(call.calls).toEqual([
    ['find_patient', '{"number":"123"}'],
    ['list_slots', '{"patient_id":7}'],
    ['book_appointment', '{"slot_id":"s-1","patient_id":7}'],
  ]);
  await quiet(call);
});

test('says what fits a tool that found nothing, or failed', async () => {
  const unknown = await errand(pageScript('An errand'), { ...clinic, find_patient: '{"found":false}' });
  await unknown.asks();
  expect(await unknown.caller()).toEqual([clip('clinic_one_moment').text, 'I do not find you.']);
  const failing = await errand(pageScript('An errand'), { ...clinic, book_appointment: 'The service is down.' });
  await failing.asks();
  await failing.caller();
  expect(await failing.caller()).toEqual(['That did not work.']);
});

test("reads back, waits for the caller's yes, and asks for the very same again", async () => {
  const told = ['Not done yet: read it back and ask for a yes.', '{"status":"cancelled"}'];
  const call = await errand(pageScript('Read-back'), {
    list_appointments: '[{"id":"a-7","start":"Monday at nine"}]',
    cancel_appointment: () => told.shift() ?? '',
  });
  expect(await call.caller()).toEqual(['I cancel Monday at nine. Is that right?']);
  expect(await call.caller()).toEqual(['It is cancelled.']);
  const cancel = ['cancel_appointment', '{"id":"a-7"}'];
  expect(call.calls).toEqual([['list_appointments', '{}'], cancel, cancel]);
  await quiet(call);
});

test('answers parallel calls once, when all outputs are there, and the turn that made them whatever came between', async () => {
  const call = await errand(
    `
turns:
  - calls: [{ tool: a }, { tool: b }]
    after: [{ when: { tool: b, output: done }, says: [short_ok], transcript: "{{a.x}} and {{b}}." }]
  - says: [go_on]
after_tool: { a: { says: [lamp_on] } }`,
    { a: '', b: '' },
  );
  const { client } = call;
  const [a, b] = callsIn(await call.response(() => client.say('q-weather-short')));
  call.output(a?.call_id ?? '', '{"x":"one"}');
  // The caller speaks before the second tool has answered.
  await call.response(() => client.say('q-weather-short'));
  call.output(b?.call_id ?? '', 'Done');
  expect(await call.asks()).toEqual(['one and Done.']);
  // The entry is used up, and no other output waits for an answer.
  call.output(b?.call_id ?? '', 'done');
  expect(await call.asks()).toEqual([clip('sorry_repeat').text]);
  await quiet(call);
});

test('goes through answers of one tool in order, each once, and then falls back: a chain ends', async () => {
  const call = await errand(
    `
turns:
  - calls: [{ tool: try, with: { n: 0 } }]
    after: [{ calls: [{ tool: try, with: { n: 1 } }] }, { calls: [{ tool: try, with: { n: 2 } }] }]
after_tool:
  try: [{ when: { output: /^2$/ }, says: [lamp_on] }, { says: [go_on] }]`,
    { try: (args) => args.replaceAll(/\D/g, '') },
  );
  expect(await call.caller()).toEqual([clip('lamp_on').text]);
  expect(call.calls.map(([, args]) => args)).toEqual(['{"n":0}', '{"n":1}', '{"n":2}']);
});

test('says digits out of an output, and clips that are named by one', async () => {
  const call = await errand(
    `
turns:
  - calls: [{ tool: find }]
    after: [{ says: [account_is, { number: "{{find.phone}}" }, "{{find.mood}}_on"] }]`,
    { find: '{"phone":"+1 (02) 3","mood":"LAMP"}' },
  );
  expect(await call.caller()).toEqual([`Your account number is one zero two three ${clip('lamp_on').text}`]);
  const item = call.client.session.items.findLast(({ role }) => role === 'assistant');
  const names = ['account_is', 'digit_1', 'digit_0', 'digit_2', 'digit_3', 'lamp_on'];
  const audio = Buffer.concat(names.map((name) => clip(name).audio));
  expect(call.client.audioOf(item?.id ?? '').equals(audio)).toBe(true);
  await quiet(call);
});

test('says no more digits of an output than a number has, however long it is', async () => {
  const call = await errand('turns: [{ calls: [{ tool: find }], after: [{ says: [{ number: "{{find}}" }] }] }]', {
    find: '7'.repeat(5000),
  });
  expect(await call.caller()).toEqual([Array.from({ length: 40 }, () => 'seven').join(' ')]);
});

test('makes values up where there are none, as models do, and says which', async () => {
  const call = await errand(
    `
turns:
  - says: [{ number: "{{find.phone}}" }, "{{find.0.mood}}"]
    calls: [{ tool: book, with: { slot: "{{list.0.id}}" } }]
    after: [{ says: [{ number: "{{book.id}}" }, "a_{{book.id}}_clip"] }]`,
    { book: '{"id":"none"}' },
  );
  expect(await call.caller()).toEqual(['{{find.phone}} {{find.0.mood}}', 'none a_none_clip']);
  expect(call.calls).toEqual([['book', '{"slot":"{{list.0.id}}"}']]);
  expect(call.client.session.scriptFaults).toEqual([
    'there is no value for {{find.phone}}; tools that have answered: none',
    'there is no value for {{find.0.mood}}; tools that have answered: none',
    'there is no value for {{list.0.id}}; tools that have answered: none',
    'there is no value for digits in {{book.id}}; tools that have answered: book',
    'there is no value for a clip called a_{{book.id}}_clip; tools that have answered: book',
  ]);
  // Something is heard all the same.
  expect(call.client.session.items.filter(({ role }) => role === 'assistant').every(({ audioMs }) => audioMs > 0)).toBe(
    true,
  );
  expect(call.client.invalid).toEqual([]);
});

test('answers keys and other texts before turns, each entry once as long as there is another', async () => {
  const call = await errand(
    `
turns: [{ says: [go_on] }]
on_keys:
  - { keys: "1 #", says: [short_ok], transcript: the first time, calls: [{ tool: look }], after: [{ says: [lamp_on] }] }
  - { keys: "1#", says: [short_ok], transcript: again }
  - { keys: "/^[0-9]{4}$/", says: [short_ok], transcript: four keys }
on_text: [{ contains: /^the line.*back/i, says: [short_ok], transcript: welcome back }]`,
    { look: '{}' },
  );
  const pressed = (keys: string): Promise<string[]> => call.told(`[The caller pressed keys: ${keys}]`);
  expect(await pressed('1 #')).toEqual(['the first time', clip('lamp_on').text]);
  expect(await pressed('1 #')).toEqual(['again']);
  expect(await pressed('1 #')).toEqual(['again']);
  expect(await pressed('1 2 3 4')).toEqual(['four keys']);
  expect(await call.told('The line is back.', 'system')).toEqual(['welcome back']);
  // What the script has nothing for is a turn of the caller's.
  expect(await pressed('9')).toEqual([clip('go_on').text]);
  await quiet(call);
});

test('takes values from a history too, and answers nothing in it that was answered', async () => {
  const call = await errand(
    `
turns: [{ calls: [{ tool: book, with: { id: "{{find.id}}" } }], after: [{ says: [lamp_on] }] }]
after_tool: { find: { says: [clinic_balance] } }
on_keys: [{ says: [still_there] }]`,
    { find: '', book: '{}' },
  );
  const create = (item: object): void => call.client.send({ type: 'conversation.item.create', item });
  const message = (role: string, text: string): object => ({
    type: 'message',
    role,
    content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text }],
  });
  create(message('user', '[The caller pressed keys: 1]'));
  create({ type: 'function_call', call_id: 'call_earlier', name: 'find', arguments: '{}' });
  create({ type: 'function_call_output', call_id: 'call_earlier', output: '{"id":"p-9"}' });
  create(message('assistant', 'I have found you.'));
  create(message('system', 'The line was interrupted.'));
  expect(await call.asks()).toEqual([clip('lamp_on').text]);
  expect(call.calls).toEqual([['book', '{"id":"p-9"}']]);
  await quiet(call);
});
