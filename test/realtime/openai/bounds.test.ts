// What the dialogue does at its bounds.
import { expect, test } from 'vitest';
import { KEEP_IDS, KEEP_ITEMS } from '../../../src/realtime/openai/dialogue-state.ts';
import { readyTalk, Talk, types } from './talk.ts';
import * as wire from './wire.ts';

const MODE = { interrupts: true, answers: true };

test('a call asks a session that is not ready for 64 things at most, the newest', () => {
  const talk = new Talk(MODE);
  for (let i = 0; i < 100; i++) talk.ask({ do: 'session.tell', role: 'system', text: `note ${i}` });
  const { sent } = talk.hear(wire.sessionCreated(), wire.sessionUpdated());
  const told = sent.flatMap((m) => (m.type === 'conversation.item.create' ? [JSON.stringify(m.item)] : []));
  expect(told).toHaveLength(64);
  expect(told[0]).toContain('note 36');
  expect(told.at(-1)).toContain('note 99');
});

test('64 responses wait at most, the newest', () => {
  const talk = readyTalk(MODE);
  talk.speak('first');
  for (let i = 0; i < 100; i++) talk.speak(`words ${i}`);
  expect(talk.state.queue).toHaveLength(64);
  expect(talk.state.queue.at(-1)?.say).toBe('words 99');
});

test('64 tools are open at most; a further one is counted by name and not run', () => {
  const talk = readyTalk(MODE);
  talk.speak();
  talk.hear(wire.responseCreated('resp_1', talk.tag()));
  for (let i = 0; i < KEEP_ITEMS; i++) talk.hear(wire.callAdded('resp_1', `call_${i}`));
  expect(Object.keys(talk.state.calls)).toHaveLength(KEEP_ITEMS);
  const { events, sent } = talk.hear(wire.callAdded('resp_1', 'call_too_many'));
  expect(events).toEqual([{ type: 'session.noticed', code: 'too_many_calls', benign: true }]);
  // It gets its output, like every call.
  expect(sent).toMatchObject([{ item: { call_id: 'call_too_many', output: expect.stringMatching('^Not run') } }]);
});

test('what is remembered of events does not grow', () => {
  const talk = readyTalk(MODE);
  for (let i = 0; i < 500; i++) {
    talk.hear(wire.speechStarted(`item_${i}`), wire.speechStopped(`item_${i}`), wire.committed(`item_${i}`));
    talk.ask({ do: 'session.tell', role: 'user', text: 'x' });
  }
  const { recentEventIds, sent, untranscribed } = talk.state;
  expect([recentEventIds.length, sent.length]).toEqual([KEEP_IDS, KEEP_IDS]);
  expect(untranscribed.length).toBeLessThanOrEqual(KEEP_IDS);
  expect(types(talk.all.events)).toHaveLength(1 + 500 * 3);
});
