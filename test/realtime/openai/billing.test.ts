// Usage that belongs to no answer that anybody knows is billed all the same, and says so.
import { expect, test } from 'vitest';
import { type Outcome, readyTalk, speakingTalk, Talk } from './talk.ts';
import * as wire from './wire.ts';

const MODE = { interrupts: true, answers: true };
const doubts = ({ events }: Outcome) =>
  events.flatMap((e) => (e.type === 'usage.reported' ? [[e.usage.source, e.usage.doubt ?? null]] : []));

test('an answer that runs, one that ended before, and one beside the conversation are known', () => {
  const talk = speakingTalk(MODE);
  const outcome = talk.hear(
    wire.responseCreated('resp_x', null, null),
    wire.responseDone('resp_1'),
    // Only its end says that it was beside the conversation.
    wire.responseDone('resp_y', { conversation: null }),
    wire.responseDone('resp_x'),
  );
  expect(doubts(outcome)).toEqual([
    ['resp_1', null],
    ['resp_y', null],
    ['resp_x', null],
  ]);
});

test('an answer whose begin was lost is known by its end where no other runs', () => {
  expect(doubts(readyTalk(MODE).hear(wire.responseDone('resp_7')))).toEqual([['resp_7', null]]);
});

test('the usage of an answer that nobody saw begin, beside one that runs, is reported and doubted', () => {
  const talk = speakingTalk(MODE);
  expect(doubts(talk.hear(wire.responseDone('resp_0'), wire.responseDone('resp_0')))).toEqual([
    ['resp_0', 'unknown_answer'],
  ]);
});

test('what is odd about the counts themselves says more than that nobody knows the answer', () => {
  const talk = speakingTalk(MODE);
  const usage = { input_token_details: { text_tokens: -1 } };
  expect(doubts(talk.hear(wire.responseDone('resp_0', { usage })))).toEqual([['resp_0', 'absurd_count']]);
});

test('usage after the hang-up is reported: known of what was cancelled, doubted of a stranger', () => {
  const talk = speakingTalk(MODE);
  talk.step({ kind: 'finish' });
  const late = talk.hear(wire.responseDone('resp_9'), wire.responseDone('resp_1', { status: 'cancelled' }));
  expect(doubts(late)).toEqual([
    ['resp_9', 'unknown_answer'],
    ['resp_1', null],
  ]);
});

test.each([null, {}, 'x'])('an answer whose usage is %j reports none', (usage) => {
  const talk = new Talk(MODE);
  talk.hear(wire.sessionCreated(), wire.sessionUpdated());
  expect(doubts(talk.hear(wire.responseCreated('resp_1'), wire.responseDone('resp_1', { usage })))).toEqual([]);
});
