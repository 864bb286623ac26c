// A summary beside the conversation: asked for as text, part of nothing, billed, and told once.
import { expect, test } from 'vitest';
import { answered, callerSays, calls, did, says } from '../../support/errand-line.ts';
import type { VirtualLine } from '../../support/virtual-line.ts';

const TARGETS = { doctor: { to: '+15550100002', how: 'warm', ringSeconds: 20 } } as const;

/** The model asks for a person, whom a summary is for. */
function asked(summary: { text: string | null; afterMs: number }): VirtualLine {
  const line = answered({ errands: { targets: TARGETS } });
  line.model.summary = summary;
  line.model.plans.push({
    ...says(300),
    tools: calls('t1', 'transfer_to', { target: 'doctor', summary: 'own words' }).tools!,
  });
  callerSays(line);
  line.until(() => did(line, 'session.summarise').length > 0);
  return line;
}

const beside = (line: VirtualLine) =>
  line.model.received.filter((m) => (m.response as { conversation?: string } | undefined)?.conversation === 'none');
const summaries = (line: VirtualLine) => line.events.filter((e) => e.type === 'summary.ready');

test('one response in text, outside the conversation, without tools, of few tokens', () => {
  const line = asked({ text: 'Ann.', afterMs: 100 });
  line.advance(500);
  expect(beside(line)).toMatchObject([
    { type: 'response.create', response: { output_modalities: ['text'], tool_choice: 'none', max_output_tokens: 300 } },
  ]);
  expect(summaries(line)).toMatchObject([{ text: 'Ann.' }]);
  // It is billed like any other.
  expect(did(line, 'ledger.charge').length).toBeGreaterThan(1);
});

test.each<[string, { text: string | null; afterMs: number }, string | null]>([
  ['failed', { text: null, afterMs: 100 }, null],
  ['empty', { text: ' \n', afterMs: 100 }, null],
  ['very long', { text: 'x'.repeat(9_000), afterMs: 100 }, 'x'.repeat(4_000)],
])('%s', (_what, summary, text) => {
  const line = asked(summary);
  line.advance(500);
  expect(summaries(line)).toMatchObject([{ text }]);
  expect(did(line, 'person.call')[0]?.say).toBe(text === null ? 'own words' : 'x'.repeat(600));
});

test('it runs beside an answer: neither disturbs the other', () => {
  const line = asked({ text: 'Ann.', afterMs: 1_500 });
  line.advance(200);
  line.model.plans.push(says(1_200));
  callerSays(line, 'hello?');
  line.advance(3_000);
  expect(line.heardMs(2)).toBe(1_200);
  expect(summaries(line)).toMatchObject([{ text: 'Ann.' }]);
  expect(line.model.errors).toEqual([]);
});

test('refused by the model: told that there is none, and no answer counts as failed', () => {
  const line = asked({ text: 'never', afterMs: 60_000 });
  line.advance(50);
  const eventId = beside(line)[0]?.event_id;
  line.model.send({
    type: 'error',
    error: { type: 'invalid_request_error', code: 'invalid_value', message: 'no', event_id: eventId },
  });
  expect(summaries(line)).toMatchObject([{ text: null }]);
  expect(line.events.some((e) => e.type === 'answer.ended' && e.status === 'failed')).toBe(false);
  line.advance(500);
  expect(did(line, 'person.call')).toHaveLength(1);
});

test('what comes twice is told once; what nobody asked for is told to nobody', () => {
  const line = asked({ text: 'Ann.', afterMs: 100 });
  line.advance(300);
  const metadata = (beside(line)[0]?.response as { metadata?: object } | undefined)?.metadata ?? {};
  for (const tag of [metadata, { trunkline: 'tl_999' }, {}])
    line.model.send({
      type: 'response.done',
      response: {
        id: 'resp_again',
        conversation_id: null,
        metadata: tag,
        status: 'completed',
        status_details: null,
        output: [{ type: 'message', content: [{ type: 'output_text', text: 'Bob.' }] }],
        usage: {},
      },
    });
  expect(summaries(line)).toHaveLength(1);
  line.advance(1_000);
  expect(line.faults).toEqual([]);
});

test('its words are not the words of the agent, and sound nowhere', () => {
  const line = asked({ text: 'Ann.', afterMs: 400 });
  line.model.send({ type: 'response.output_text.delta', response_id: 'resp_x', item_id: 'item_beside', delta: 'Ann.' });
  line.advance(1_000);
  expect(line.events.some((e) => e.type === 'utterance.text')).toBe(false);
  expect(line.model.items).toHaveLength(1);
});
