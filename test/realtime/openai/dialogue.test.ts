// The model side's machine against literal server messages: who may create, cancel, cut and answer when. `Talk` checks
// every message sent against the API's strict schema, and every step for purity.
import { describe, expect, test } from 'vitest';
import {
  bare,
  MODES,
  outputItems,
  readyTalk,
  SESSION,
  speakingTalk,
  Talk,
  types,
  utterances,
  type Mode,
  type Outcome,
} from './talk.ts';
import * as wire from './wire.ts';

const TITLE = 'with interrupt_response $interrupts and create_response $answers';
/** Metadata of a response that is not ours. */
const FOREIGN = { trunkline: 'tl_0' };
const CREATE = { type: 'response.create', response: {} };
const truncate = (item: string, ms: number) => ({
  type: 'conversation.item.truncate',
  item_id: item,
  content_index: 0,
  audio_end_ms: ms,
});
const remove = (item: string) => ({ type: 'conversation.item.delete', item_id: item });
const cancel = (response: string) => ({ type: 'response.cancel', response_id: response });
const usageOf = ({ events }: Outcome) => events.filter((e) => e.type === 'usage.reported').map((e) => e.usage.source);
const toolCalls = ({ events }: Outcome) => events.filter((e) => e.type === 'tool.called').map((e) => e.toolCall);
const ended = ({ events }: Outcome) =>
  events.filter((e) => e.type === 'answer.ended').map((e) => `${e.answer} ${e.status}`);

/** A caller turn, from the first sound to the commit. */
const turn = (item = 'item_u1') => [wire.speechStarted(item), wire.speechStopped(item), wire.committed(item)];

describe.each(MODES)(`the start ${TITLE}`, (mode) => {
  test('configures once the session exists, and is ready once both formats are confirmed', () => {
    const talk = new Talk(mode);
    expect(bare(talk.hear(wire.sessionCreated()).sent)).toEqual([{ type: 'session.update', session: SESSION }]);
    expect(talk.hear(wire.sessionCreated())).toEqual({ sent: [], events: [], closes: 0 });
    expect(talk.hear(wire.sessionUpdated())).toEqual({ sent: [], events: [{ type: 'session.ready' }], closes: 0 });
    expect(talk.hear(wire.sessionUpdated())).toEqual({ sent: [], events: [], closes: 0 });
  });

  test.each([
    ['audio/pcm', 'audio/pcmu'],
    ['audio/pcmu', 'audio/pcm'],
    ['audio/pcma', 'audio/pcma'],
  ])('refuses a session whose formats are %s in and %s out', (input, output) => {
    const talk = new Talk(mode);
    talk.speak('Hello.');
    const outcome = talk.hear(wire.sessionCreated(), wire.sessionUpdated(input, output));
    expect(outcome.events).toEqual([expect.objectContaining({ type: 'session.closed', cause: 'refused' })]);
    expect(types(outcome.sent)).toEqual(['session.update']);
    expect(outcome.closes).toBe(1);
  });

  test('refuses when the configuration is refused, with our event id or without', () => {
    for (const named of [true, false]) {
      const talk = new Talk(mode);
      talk.hear(wire.sessionCreated());
      const outcome = talk.hear(wire.error('cannot_update_voice', named ? talk.lastId('session.update') : null));
      expect(outcome.events).toEqual([
        { type: 'session.closed', cause: 'refused', detail: 'cannot_update_voice', fatal: true },
      ]);
      expect(outcome.closes).toBe(1);
    }
  });

  test('carries out what was asked before it was ready, in order and one response at a time', () => {
    const talk = new Talk(mode);
    talk.ask(
      { do: 'session.tell', role: 'system', text: 'A' },
      { do: 'session.speak', say: 'Hello.' },
      { do: 'session.tell', role: 'assistant', text: 'B' },
      { do: 'session.speak', say: 'More.' },
    );
    expect(talk.all.sent).toEqual([]);
    const outcome = talk.hear(wire.sessionCreated(), wire.sessionUpdated());
    expect(types(outcome.sent)).toEqual([
      'session.update',
      'conversation.item.create',
      'conversation.item.create',
      'response.create',
    ]);
    expect(outcome.sent.at(-1)).toMatchObject({ response: { instructions: 'Hello.', tool_choice: 'none' } });
    const next = talk.hear(wire.responseCreated('resp_1', talk.tag()), wire.responseDone('resp_1'));
    expect(next.sent).toMatchObject([{ type: 'response.create', response: { instructions: 'More.' } }]);
  });

  test('keeps at most 64 requests while it is not ready', () => {
    const talk = new Talk(mode);
    for (let i = 0; i < 70; i++) talk.ask({ do: 'session.tell', role: 'user', text: `${i}` });
    const { sent } = talk.hear(wire.sessionCreated(), wire.sessionUpdated());
    expect(sent).toHaveLength(65);
    expect(sent[1]).toMatchObject({ item: { content: [{ type: 'input_text', text: '6' }] } });
  });

  test('commits the caller turn by hand when asked', () => {
    const outcome = readyTalk(mode).ask({ do: 'session.commit' });
    expect(bare(outcome.sent)).toEqual([{ type: 'input_audio_buffer.commit' }]);
  });

  test('reports an answer from its first to its last event', () => {
    const talk = readyTalk(mode);
    talk.speak();
    const outcome = talk.hear(
      wire.responseCreated('resp_1', talk.tag()),
      { type: 'rate_limits.updated', rate_limits: [] },
      wire.messageAdded('resp_1', 'item_a1'),
      wire.itemAdded('item_a1'),
      wire.textDelta('resp_1', 'item_a1', 'Hi'),
      wire.audioDelta('resp_1', 'item_a1', 20),
      {
        type: 'response.output_audio.done',
        response_id: 'resp_1',
        item_id: 'item_a1',
        output_index: 0,
        content_index: 0,
      },
      wire.messageDone('resp_1', 'item_a1'),
      wire.responseDone('resp_1'),
    );
    expect(outcome.events).toEqual([
      { type: 'answer.started', answer: 'resp_1' },
      { type: 'utterance.started', utterance: 'u1', answer: 'resp_1' },
      { type: 'utterance.text', utterance: 'u1', text: 'Hi' },
      { type: 'utterance.audio', utterance: 'u1', chunk: { payload: wire.audioOf(20), bytes: 160 } },
      { type: 'utterance.ended', utterance: 'u1' },
      expect.objectContaining({ type: 'usage.reported' }),
      { type: 'answer.ended', answer: 'resp_1', status: 'completed', detail: '' },
    ]);
    expect(outcome.sent).toEqual([]);
  });

  test('reports the caller turn', () => {
    const outcome = readyTalk(mode).hear(...turn(), wire.transcribed('item_u1', 'hello'));
    expect(outcome.events).toEqual([
      { type: 'speech.started', audioMs: 3120 },
      { type: 'speech.stopped', audioMs: 4200 },
      { type: 'turn.committed', turn: 'item_u1' },
      { type: 'turn.transcribed', turn: 'item_u1', text: 'hello' },
      {
        type: 'usage.reported',
        usage: { source: 'item_u1', what: 'transcription', model: 'gpt-transcribe', unit: 'seconds', seconds: 2.4 },
      },
    ]);
    expect(outcome.sent).toEqual([]);
  });
});

describe.each(MODES)(`the sequencer ${TITLE}`, (mode) => {
  test('asks for the next response only when the running one is done', () => {
    const talk = readyTalk(mode);
    expect(types(talk.speak('One.').sent)).toEqual(['response.create']);
    expect(talk.speak('Two.').sent).toEqual([]);
    expect(talk.hear(wire.responseCreated('resp_1', talk.tag())).sent).toEqual([]);
    expect(talk.speak('Three.').sent).toEqual([]);
    expect(talk.hear(wire.responseDone('resp_1')).sent).toMatchObject([{ response: { instructions: 'Two.' } }]);
    const next = talk.hear(wire.responseCreated('resp_2', talk.tag()), wire.responseDone('resp_2'));
    expect(next.sent).toMatchObject([{ response: { instructions: 'Three.' } }]);
  });

  test('makes one answer of plain ones that wait together', () => {
    const talk = speakingTalk(mode);
    talk.speak();
    talk.speak();
    expect(bare(talk.hear(wire.responseDone('resp_1')).sent)).toEqual([CREATE]);
    expect(talk.hear(wire.responseCreated('resp_2', talk.tag()), wire.responseDone('resp_2')).sent).toEqual([]);
  });

  test('asks again for what was refused, after the response that was running, and before what waited', () => {
    const talk = readyTalk(mode);
    talk.speak('One.');
    talk.speak('Two.');
    talk.hear(wire.responseCreated('resp_s', FOREIGN));
    const refused = talk.hear(wire.error('conversation_already_has_active_response', talk.lastId('response.create')));
    expect(refused).toMatchObject({ sent: [], events: [{ type: 'session.noticed', benign: true }] });
    expect(talk.hear(wire.responseDone('resp_s')).sent).toMatchObject([{ response: { instructions: 'One.' } }]);
    const next = talk.hear(wire.responseCreated('resp_1', talk.tag()), wire.responseDone('resp_1'));
    expect(next.sent).toMatchObject([{ response: { instructions: 'Two.' } }]);
  });

  test('waits for the response it was refused for, when its response.created is still on its way', () => {
    const talk = readyTalk(mode);
    talk.speak('One.');
    expect(
      talk.hear(wire.error('conversation_already_has_active_response', talk.lastId('response.create'))).sent,
    ).toEqual([]);
    expect(talk.hear(wire.responseCreated('resp_s')).sent).toEqual([]);
    expect(talk.hear(wire.responseDone('resp_s')).sent).toMatchObject([{ response: { instructions: 'One.' } }]);
  });

  test('stays silent after a refusal while the caller speaks', () => {
    const talk = readyTalk(mode);
    talk.speak('One.');
    talk.hear(
      wire.speechStarted(),
      wire.error('conversation_already_has_active_response', talk.lastId('response.create')),
    );
    expect(talk.hear(wire.responseCreated('resp_s'), wire.responseDone('resp_s')).sent).toEqual([]);
  });

  test('takes a refusal without an event id for the request that is open', () => {
    const talk = readyTalk(mode);
    talk.speak('One.');
    talk.hear(wire.responseCreated('resp_s', FOREIGN));
    talk.hear(wire.error('conversation_already_has_active_response', null));
    expect(talk.hear(wire.responseDone('resp_s')).sent).toMatchObject([{ response: { instructions: 'One.' } }]);
  });

  test('asks once although the refusal is told twice', () => {
    const talk = readyTalk(mode);
    talk.speak('One.');
    const id = talk.lastId('response.create');
    talk.hear(wire.responseCreated('resp_s', FOREIGN));
    talk.hear(wire.error('conversation_already_has_active_response', id));
    talk.hear(wire.error('conversation_already_has_active_response', id));
    talk.hear(wire.responseDone('resp_s'));
    expect(talk.hear(wire.responseCreated('resp_1', talk.tag()), wire.responseDone('resp_1')).sent).toEqual([]);
  });

  test.each([true, false])('reports a request refused for another reason as a failed answer, named: %s', (named) => {
    const talk = readyTalk(mode);
    talk.speak('One.');
    const outcome = talk.hear(wire.error('invalid_value', named ? talk.lastId('response.create') : null));
    expect(ended(outcome)).toEqual([`${talk.lastId('response.create')} failed`]);
    expect(types(talk.speak('Two.').sent)).toEqual(['response.create']);
  });

  test('does not report the refusal of a request that was interrupted meanwhile', () => {
    const talk = readyTalk(mode);
    talk.speak('One.');
    talk.interrupt();
    const outcome = talk.hear(wire.error('server_error', talk.lastId('response.create')));
    expect(ended(outcome)).toEqual([]);
    expect(types(talk.speak('Two.').sent)).toEqual(['response.create']);
  });

  test('does not ask while the caller speaks', () => {
    const talk = readyTalk(mode);
    talk.hear(wire.speechStarted());
    expect(talk.speak('One.').sent).toEqual([]);
    expect(talk.hear(wire.speechStopped()).sent).toEqual([]);
    const after = talk.hear(wire.committed());
    expect(types(after.sent)).toEqual(mode.answers ? [] : ['response.create']);
    if (!mode.answers) return;
    // The server's own answer to that turn comes first.
    expect(talk.hear(wire.responseCreated('resp_s')).sent).toEqual([]);
    expect(types(talk.hear(wire.responseDone('resp_s')).sent)).toEqual(['response.create']);
  });

  test('takes the first response after its request for its own when metadata is not repeated', () => {
    const talk = readyTalk(mode);
    talk.speak();
    talk.speak('Two.');
    talk.hear(wire.responseCreated('resp_1'));
    expect(types(talk.hear(wire.responseDone('resp_1')).sent)).toEqual(['response.create']);
  });

  test('keeps quiet about errors that name nobody or an event that it does not know', () => {
    for (const id of [null, 'tl_999', 'nobody']) {
      const talk = speakingTalk(mode);
      const outcome = talk.hear(wire.error('server_error', id));
      expect(outcome).toEqual({
        sent: [],
        events: [{ type: 'session.noticed', code: 'server_error', benign: false }],
        closes: 0,
      });
    }
  });

  test.each([
    ['response_cancel_not_active', 'No.'],
    ['input_audio_buffer_commit_empty', 'No.'],
    ['unsupported_content_type', 'No.'],
    [null, 'Only model output audio messages can be truncated'],
    ['invalid_value', 'Audio content of 3700ms is already shorter than 3760ms'],
    [null, 'Audio content of 3700ms is already shorter than 3760ms'],
    ['item_not_found', 'No.'],
  ])('calls the refusal %s (%s) benign', (code, message) => {
    const { events, sent } = speakingTalk(mode).hear(wire.error(code, null, message));
    expect(events).toMatchObject([{ type: 'session.noticed', benign: true }]);
    expect(sent).toEqual([]);
  });

  test('is lost when the session expires, and says nothing more', () => {
    const talk = speakingTalk(mode);
    const outcome = talk.hear(wire.error('session_expired'));
    expect(outcome.events).toEqual([
      { type: 'session.closed', cause: 'lost', detail: 'session_expired', fatal: false },
    ]);
    expect(outcome.closes).toBe(1);
    const after = talk.speak();
    expect([after.sent, talk.interrupt().sent, talk.hear(wire.speechStarted()).events]).toEqual([[], [], []]);
  });

  test('a response that fails is reported so, with the reason', () => {
    const talk = speakingTalk(mode);
    const details = { type: 'failed', error: { type: 'server_error', code: 'rate_limit_exceeded', message: 'x' } };
    const outcome = talk.hear(wire.responseDone('resp_1', { status: 'failed', details }));
    expect(outcome.events.at(-1)).toEqual({
      type: 'answer.ended',
      answer: 'resp_1',
      status: 'failed',
      detail: 'rate_limit_exceeded',
    });
  });
});

describe.each([
  { interrupts: false, answers: true },
  { interrupts: true, answers: true },
])(`the server's own answers ${TITLE}`, (mode) => {
  test('are played without having been asked for', () => {
    const talk = readyTalk(mode);
    talk.hear(...turn());
    const outcome = talk.hear(
      wire.responseCreated('resp_s'),
      wire.messageAdded('resp_s', 'item_s'),
      wire.audioDelta('resp_s', 'item_s', 20),
    );
    expect(types(outcome.events)).toEqual(['answer.started', 'utterance.started', 'utterance.audio']);
    expect(outcome.sent).toEqual([]);
  });

  // Where the server does not interrupt, a turn over a running answer that nobody stopped was a backchannel.
  test('become ours when the server could not create them, unless the turn was a backchannel', () => {
    const talk = speakingTalk(mode);
    talk.hear(...turn());
    const refused = talk.hear(wire.error('conversation_already_has_active_response', null));
    expect(refused.sent).toEqual([]);
    expect(bare(talk.hear(wire.responseDone('resp_1')).sent)).toEqual(mode.interrupts ? [CREATE] : []);
  });

  test('do not keep ours waiting when the server refused its own without a word', () => {
    const talk = speakingTalk(mode);
    talk.hear(...turn());
    talk.speak('Two.');
    const next = talk.hear(wire.responseDone('resp_1'));
    expect(types(next.sent)).toEqual(mode.interrupts ? [] : ['response.create']);
  });

  test('are not asked for twice when they follow the one that was running', () => {
    const talk = speakingTalk(mode);
    talk.hear(...turn(), wire.responseDone('resp_1', { status: 'cancelled' }));
    expect(talk.all.sent.filter((m) => m.type === 'response.create')).toHaveLength(1);
    expect(talk.hear(wire.responseCreated('resp_s'), wire.responseDone('resp_s')).sent).toEqual([]);
  });

  test('become ours when they could not be created, while a request of ours is refused too', () => {
    const talk = readyTalk(mode);
    talk.speak('One.');
    const id = talk.lastId('response.create');
    talk.hear(...turn('item_u1'), wire.responseCreated('resp_s'), ...turn('item_u2'));
    talk.hear(wire.error('conversation_already_has_active_response', null));
    talk.hear(wire.error('conversation_already_has_active_response', id));
    expect(talk.hear(wire.responseDone('resp_s')).sent).toMatchObject([{ response: { instructions: 'One.' } }]);
    const next = talk.hear(wire.responseCreated('resp_1', talk.tag()), wire.responseDone('resp_1'));
    expect(bare(next.sent)).toEqual(mode.interrupts ? [CREATE] : []);
  });

  test('come before ours, when ours was asked for in the same moment', () => {
    const talk = readyTalk(mode);
    talk.speak('One.');
    talk.hear(...turn(), wire.responseCreated('resp_s'));
    talk.hear(wire.error('conversation_already_has_active_response', talk.lastId('response.create')));
    expect(talk.hear(wire.responseDone('resp_s')).sent).toMatchObject([{ response: { instructions: 'One.' } }]);
  });
});

describe.each(MODES)(`an interruption ${TITLE}`, (mode) => {
  test('cancels exactly when the server does not do it by itself', () => {
    const heard = [{ utterance: 'u1', heardMs: 400 }];
    const byCaller = speakingTalk(mode).interrupt(heard);
    expect(bare(byCaller.sent)).toEqual([...(mode.interrupts ? [] : [cancel('resp_1')]), truncate('item_a1', 400)]);
    const byUs = speakingTalk(mode).interrupt(heard, 'our_decision');
    expect(bare(byUs.sent)).toEqual([cancel('resp_1'), truncate('item_a1', 400)]);
  });

  test('after the end of generation cancels nothing, and still truncates', () => {
    const talk = speakingTalk(mode);
    talk.hear(wire.messageDone('resp_1', 'item_a1'), wire.responseDone('resp_1'));
    expect(bare(talk.interrupt([{ utterance: 'u1', heardMs: 400 }]).sent)).toEqual([truncate('item_a1', 400)]);
    const other = speakingTalk(mode);
    other.hear(wire.messageDone('resp_1', 'item_a1'), wire.responseDone('resp_1'));
    expect(bare(other.interrupt([{ utterance: 'u1', heardMs: 400 }], 'our_decision').sent)).toEqual([
      truncate('item_a1', 400),
    ]);
  });

  test.each([
    [400.9, 400],
    [1000, 1000],
    [1000.5, 1000],
    [99_999, 1000],
  ])('at %s ms heard of 1000 received truncates at %s', (heardMs, audioEndMs) => {
    const talk = speakingTalk(mode, 1000);
    const { sent } = talk.interrupt([{ utterance: 'u1', heardMs }]);
    expect(bare(sent.slice(-1))).toEqual([truncate('item_a1', audioEndMs)]);
  });

  test.each([0, 0.9, -5])('deletes what was heard for %s ms', (heardMs) => {
    const { sent } = speakingTalk(mode).interrupt([{ utterance: 'u1', heardMs }]);
    expect(bare(sent.slice(-1))).toEqual([remove('item_a1')]);
  });

  test('ignores utterances that it does not know', () => {
    const talk = speakingTalk(mode);
    talk.hear(wire.responseDone('resp_1'));
    expect(talk.interrupt([{ utterance: 'u9', heardMs: 10 }]).sent).toEqual([]);
  });

  test('leaves the first item of an answer alone when only the second was interrupted', () => {
    const talk = speakingTalk(mode, 600);
    talk.hear(
      wire.messageDone('resp_1', 'item_a1'),
      wire.messageAdded('resp_1', 'item_a2'),
      wire.audioDelta('resp_1', 'item_a2', 800),
    );
    talk.interrupt([{ utterance: 'u2', heardMs: 120 }], 'our_decision');
    const after = talk.hear(
      wire.messageDone('resp_1', 'item_a2', 'incomplete'),
      wire.responseDone('resp_1', { status: 'cancelled' }),
    );
    const cuts = talk.all.sent.filter((m) => m.type.startsWith('conversation.item'));
    expect(bare(cuts)).toEqual([truncate('item_a2', 120)]);
    expect(after.sent).toEqual([]);
  });

  test('cuts the running utterance and deletes the queued one', () => {
    const talk = speakingTalk(mode, 600);
    talk.hear(wire.messageDone('resp_1', 'item_a1'), wire.responseDone('resp_1'));
    talk.speak();
    talk.hear(
      wire.responseCreated('resp_2', talk.tag()),
      wire.messageAdded('resp_2', 'item_b1'),
      wire.audioDelta('resp_2', 'item_b1', 500),
      wire.responseDone('resp_2'),
    );
    const { sent } = talk.interrupt([
      { utterance: 'u1', heardMs: 590 },
      { utterance: 'u2', heardMs: 0 },
    ]);
    expect(bare(sent)).toEqual([truncate('item_a1', 590), remove('item_b1')]);
  });

  test('before the first byte deletes the item once the response is done, and plays nothing of it', () => {
    const talk = readyTalk(mode);
    talk.speak();
    talk.hear(wire.responseCreated('resp_1', talk.tag()), wire.messageAdded('resp_1', 'item_a1'));
    expect(bare(talk.interrupt().sent)).toEqual(mode.interrupts ? [] : [cancel('resp_1')]);
    const late = talk.hear(wire.audioDelta('resp_1', 'item_a1', 100), wire.textDelta('resp_1', 'item_a1', 'Hi'));
    expect(late.events).toEqual([{ type: 'session.noticed', code: 'late_audio', benign: true }]);
    const done = talk.hear(
      wire.messageDone('resp_1', 'item_a1', 'incomplete'),
      wire.responseDone('resp_1', { status: 'cancelled' }),
    );
    expect(bare(done.sent)).toEqual([remove('item_a1')]);
    expect(ended(done)).toEqual(['resp_1 cancelled']);
    expect(types(done.events)).not.toContain('utterance.ended');
  });

  test('between the request and its response cancels the response as soon as it exists', () => {
    const talk = readyTalk(mode);
    talk.speak();
    expect(talk.interrupt().sent).toEqual([]);
    const created = talk.hear(wire.responseCreated('resp_1', talk.tag()), wire.messageAdded('resp_1', 'item_a1'));
    expect(bare(created.sent)).toEqual([cancel('resp_1')]);
    expect(created.events).toEqual([]);
    expect(utterances(talk.hear(wire.audioDelta('resp_1', 'item_a1', 20)))).toEqual([]);
    const done = talk.hear(wire.responseDone('resp_1', { status: 'cancelled' }));
    expect(bare(done.sent)).toEqual([remove('item_a1')]);
    expect(types(talk.speak().sent)).toEqual(['response.create']);
  });

  test('drops what still arrives for the stopped response', () => {
    const talk = speakingTalk(mode);
    talk.interrupt([{ utterance: 'u1', heardMs: 300 }]);
    const late = talk.hear(
      wire.audioDelta('resp_1', 'item_a1', 40),
      wire.textDelta('resp_1', 'item_a1', 'more'),
      wire.messageDone('resp_1', 'item_a1', 'incomplete'),
      wire.responseDone('resp_1', { status: 'cancelled' }),
      wire.audioDelta('resp_1', 'item_a1', 40),
      wire.messageAdded('resp_1', 'item_a1'),
    );
    expect(types(late.events)).toEqual(['session.noticed', 'usage.reported', 'answer.ended', 'session.noticed']);
    expect(late.sent).toEqual([]);
  });

  test('deletes items that appear after the stop, once', () => {
    const talk = speakingTalk(mode);
    talk.interrupt([{ utterance: 'u1', heardMs: 300 }]);
    const added = talk.hear(wire.messageAdded('resp_1', 'item_a2'), wire.audioDelta('resp_1', 'item_a2', 60));
    expect([added.sent, utterances(added)]).toEqual([[], []]);
    const done = talk.hear(
      wire.responseDone('resp_1', { status: 'cancelled' }),
      wire.responseDone('resp_1', { status: 'cancelled' }),
    );
    expect(bare(done.sent)).toEqual([remove('item_a2')]);
  });

  test('does not delete at the end what was truncated before', () => {
    const talk = speakingTalk(mode);
    talk.interrupt([{ utterance: 'u1', heardMs: 300 }]);
    const done = talk.hear(
      wire.messageAdded('resp_1', 'item_a1'),
      wire.audioDelta('resp_1', 'item_a1', 60),
      wire.responseDone('resp_1', { status: 'cancelled' }),
    );
    expect(done.sent).toEqual([]);
  });

  test('twice in a row sends nothing twice', () => {
    const talk = speakingTalk(mode);
    const first = talk.interrupt([{ utterance: 'u1', heardMs: 300 }], 'our_decision');
    expect(first.sent).toHaveLength(2);
    expect(talk.interrupt([{ utterance: 'u1', heardMs: 300 }]).sent).toEqual([]);
    expect(talk.interrupt([], 'our_decision').sent).toEqual([]);
    const waiting = readyTalk(mode);
    waiting.speak();
    waiting.interrupt();
    waiting.interrupt();
    expect(bare(waiting.hear(wire.responseCreated('resp_1', waiting.tag())).sent)).toEqual([cancel('resp_1')]);
  });

  test('voids the answers that wait', () => {
    const talk = speakingTalk(mode);
    talk.speak('Two.');
    talk.interrupt();
    expect(talk.hear(wire.responseDone('resp_1', { status: 'cancelled' })).sent).toEqual([]);
  });

  test('lets the next answer be played', () => {
    const talk = speakingTalk(mode);
    talk.interrupt([{ utterance: 'u1', heardMs: 300 }], 'our_decision');
    talk.speak();
    const next = talk.hear(wire.responseDone('resp_1', { status: 'cancelled' }));
    expect(bare(next.sent)).toEqual([CREATE]);
    const outcome = talk.hear(
      wire.responseCreated('resp_2', talk.tag()),
      wire.messageAdded('resp_2', 'item_b1'),
      wire.audioDelta('resp_2', 'item_b1', 20),
    );
    expect(utterances(outcome)).toEqual(['u2']);
  });
});

describe.each(MODES)(`tool calls ${TITLE}`, (mode) => {
  /** One of ours has called these tools and is done. */
  function calling(...calls: string[]): Talk {
    const talk = readyTalk(mode);
    talk.speak();
    talk.hear(wire.responseCreated('resp_1', talk.tag()));
    for (const call of calls)
      talk.hear(wire.callAdded('resp_1', call), wire.argumentsDone('resp_1', call), wire.callDone('resp_1', call));
    talk.hear(wire.responseDone('resp_1', { output: calls.map((call) => wire.callItem(call)) }));
    return talk;
  }

  test('are reported once each although three events show them, before the answer ends', () => {
    const talk = calling('call_1', 'call_2');
    expect(toolCalls(talk.all)).toEqual(['call_1', 'call_2']);
    expect(talk.all.events.find((e) => e.type === 'tool.called')).toEqual({
      type: 'tool.called',
      toolCall: 'call_1',
      name: 'lookup_order',
      arguments: '{"order":"A17"}',
      answer: 'resp_1',
    });
    expect(types(talk.all.events).at(-1)).toBe('answer.ended');
    talk.hear(wire.responseDone('resp_1', { output: [wire.callItem('call_1')] }), wire.callDone('resp_1', 'call_1'));
    expect(toolCalls(talk.all)).toEqual(['call_1', 'call_2']);
  });

  test.each(['cancelled', 'incomplete', 'failed'] as const)(
    'of a response that ends %s get an output and do not run',
    (status) => {
      const talk = readyTalk(mode);
      talk.speak();
      talk.hear(
        wire.responseCreated('resp_1', talk.tag()),
        wire.callAdded('resp_1', 'call_1'),
        wire.callDone('resp_1', 'call_1', 'incomplete'),
      );
      const outcome = talk.hear(
        wire.responseDone('resp_1', { status, output: [wire.callItem('call_1', 'incomplete')] }),
      );
      expect(toolCalls(outcome)).toEqual([]);
      expect(outputItems(outcome.sent)).toMatchObject([{ call_id: 'call_1' }]);
      // Cut off by its own length, the model is asked to go on; stopped or failed, that is for the call to say.
      const goesOn = status === 'incomplete' ? ['response.create'] : [];
      expect(types(outcome.sent)).toEqual(['conversation.item.create', ...goesOn]);
      expect(talk.settle('call_1').sent).toEqual([]);
    },
  );

  test('of a response that was interrupted get an output and do not run, even if it ends completed', () => {
    const talk = readyTalk(mode);
    talk.speak();
    talk.hear(wire.responseCreated('resp_1', talk.tag()), wire.callAdded('resp_1', 'call_1'));
    talk.interrupt();
    const outcome = talk.hear(
      wire.responseDone('resp_1', { output: [wire.callItem('call_1'), wire.callItem('call_2')] }),
    );
    expect(toolCalls(outcome)).toEqual([]);
    expect(outputItems(outcome.sent).map((item) => item.call_id)).toEqual(['call_1', 'call_2']);
  });

  test('that come after their response has ended get an output at once', () => {
    const talk = speakingTalk(mode);
    talk.hear(wire.responseDone('resp_1'));
    const late = talk.hear(wire.callAdded('resp_1', 'call_9'), wire.callDone('resp_1', 'call_9'));
    expect(outputItems(late.sent)).toMatchObject([{ call_id: 'call_9' }]);
    expect(toolCalls(talk.all)).toEqual([]);
  });

  test('are answered by all outputs and then one response', () => {
    const talk = calling('call_1', 'call_2');
    expect(types(talk.settle('call_2').sent)).toEqual(['conversation.item.create']);
    const last = talk.settle('call_1', '{"state":"shipped"}');
    expect(types(last.sent)).toEqual(['conversation.item.create', 'response.create']);
    expect(outputItems(last.sent)).toMatchObject([{ call_id: 'call_1', output: '{"state":"shipped"}' }]);
    expect(bare(last.sent)[1]).toEqual(CREATE);
    expect(talk.settle('call_1').sent).toEqual([]);
    expect(talk.settle('call_7').sent).toEqual([]);
  });

  test('settled quietly are not spoken about', () => {
    expect(types(calling('end_1').settle('end_1', 'Ends.', true).sent)).toEqual(['conversation.item.create']);
  });

  test('settled while the caller speaks give their output at once and the answer after the turn', () => {
    const talk = calling('call_1');
    talk.hear(wire.speechStarted());
    expect(types(talk.settle('call_1').sent)).toEqual(['conversation.item.create']);
    talk.confirmOutputs();
    const after = talk.hear(wire.speechStopped(), wire.committed());
    expect(types(after.sent)).toEqual(mode.answers ? [] : ['response.create']);
  });

  test('settled while another response runs are spoken about after it', () => {
    const talk = calling('call_1');
    talk.speak('One moment.');
    talk.hear(wire.responseCreated('resp_2', talk.tag()));
    expect(types(talk.settle('call_1').sent)).toEqual(['conversation.item.create']);
    talk.confirmOutputs();
    expect(bare(talk.hear(wire.responseDone('resp_2')).sent)).toEqual([CREATE]);
  });

  test('stay owed an answer when the answer about them was interrupted before it began', () => {
    const talk = calling('call_1');
    talk.settle('call_1');
    talk.interrupt([], 'our_decision');
    talk.interrupt([], 'our_decision');
    const created = talk.hear(wire.responseCreated('resp_2', talk.tag()));
    expect(bare(created.sent)).toEqual([cancel('resp_2')]);
    const next = talk.hear(wire.responseDone('resp_2', { status: 'cancelled' }));
    expect(bare(next.sent)).toEqual([CREATE]);
    expect(talk.hear(wire.responseCreated('resp_3', talk.tag()), wire.responseDone('resp_3')).sent).toEqual([]);
  });

  test('lose no answer when the request for it is refused', () => {
    const talk = calling('call_1');
    talk.settle('call_1');
    const id = talk.lastId('response.create');
    talk.hear(wire.responseCreated('resp_s', FOREIGN), wire.error('conversation_already_has_active_response', id));
    expect(bare(talk.hear(wire.responseDone('resp_s')).sent)).toEqual([CREATE]);
  });
});

describe.each([
  { interrupts: true, answers: true },
  { interrupts: false, answers: true },
])(`tool outputs and the server's own answers ${TITLE}`, (mode) => {
  function settledDuringATurn(): Talk {
    const talk = readyTalk(mode);
    talk.speak();
    talk.hear(
      wire.responseCreated('resp_1', talk.tag()),
      wire.responseDone('resp_1', { output: [wire.callItem('call_1')] }),
      wire.speechStarted(),
    );
    talk.settle('call_1');
    return talk;
  }

  test('a server response that began after the outputs were confirmed is the answer about them', () => {
    const talk = settledDuringATurn();
    talk.confirmOutputs();
    talk.hear(wire.speechStopped(), wire.committed(), wire.responseCreated('resp_s'));
    expect(talk.hear(wire.responseDone('resp_s')).sent).toEqual([]);
  });

  test('a server response that began before they were confirmed is not', () => {
    const talk = settledDuringATurn();
    talk.hear(wire.speechStopped(), wire.committed(), wire.responseCreated('resp_s'));
    talk.confirmOutputs();
    expect(bare(talk.hear(wire.responseDone('resp_s')).sent)).toEqual([CREATE]);
  });
});

describe.each(MODES)(`messages out of the ordinary ${TITLE}`, (mode) => {
  test('out-of-band responses are never played, and their usage counts once', () => {
    const talk = speakingTalk(mode);
    const outcome = talk.hear(
      wire.responseCreated('resp_x', { topic: 'summary' }, null),
      wire.messageAdded('resp_x', 'item_x'),
      wire.textDelta('resp_x', 'item_x', 'x'),
      wire.audioDelta('resp_x', 'item_x', 20),
      wire.callAdded('resp_x', 'call_x'),
      wire.messageDone('resp_x', 'item_x'),
      wire.responseDone('resp_x', { conversation: null, output: [wire.callItem('call_x')] }),
      wire.responseDone('resp_x', { conversation: null }),
    );
    expect(types(outcome.events)).toEqual(['session.noticed', 'usage.reported']);
    expect(outcome.sent).toEqual([]);
    // The running one is untouched.
    const { sent } = talk.interrupt([{ utterance: 'u1', heardMs: 100 }], 'our_decision');
    expect(bare(sent)).toEqual([cancel('resp_1'), truncate('item_a1', 100)]);
  });

  test('an answer ends although its response.done leaves out the conversation', () => {
    const talk = speakingTalk(mode);
    expect(ended(talk.hear(wire.responseDone('resp_1', { conversation: null })))).toEqual(['resp_1 completed']);
    expect(types(talk.speak().sent)).toEqual(['response.create']);
  });

  test('usage is counted once per response', () => {
    const talk = speakingTalk(mode);
    const outcome = talk.hear(wire.responseDone('resp_1'), wire.responseDone('resp_1'), wire.responseDone('resp_0'));
    expect(usageOf(outcome)).toEqual(['resp_1', 'resp_0']);
  });

  test('a message that comes twice with one event id counts once', () => {
    const talk = speakingTalk(mode);
    const delta = { ...wire.audioDelta('resp_1', 'item_a1', 20), event_id: 'event_x' };
    const outcome = talk.hear(delta, delta);
    expect(outcome.events).toMatchObject([
      { type: 'utterance.audio' },
      { type: 'session.noticed', code: 'event_repeated' },
    ]);
    const nameless = { ...wire.audioDelta('resp_1', 'item_a1', 20), event_id: null };
    expect(types(talk.hear(nameless, nameless).events)).toEqual(['utterance.audio', 'utterance.audio']);
  });

  test('audio before its response.created is played, and the response begins once', () => {
    const talk = readyTalk(mode);
    talk.speak();
    const outcome = talk.hear(
      wire.audioDelta('resp_1', 'item_a1', 20),
      wire.messageAdded('resp_1', 'item_a1'),
      wire.responseCreated('resp_1', talk.tag()),
      wire.responseDone('resp_1'),
    );
    expect(types(outcome.events)).toEqual([
      'answer.started',
      'utterance.started',
      'utterance.audio',
      'usage.reported',
      'utterance.ended',
      'answer.ended',
    ]);
    expect(types(talk.speak().sent)).toEqual(['response.create']);
  });

  test('audio before its response.created, while the caller speaks, does not leave our request open', () => {
    const talk = readyTalk(mode);
    talk.speak();
    talk.hear(
      wire.speechStarted(),
      wire.audioDelta('resp_1', 'item_a1', 20),
      wire.responseCreated('resp_1', talk.tag()),
    );
    talk.hear(wire.responseDone('resp_1'), wire.speechStopped(), wire.committed());
    if (mode.answers) talk.hear(wire.responseCreated('resp_s'), wire.responseDone('resp_s'));
    expect(types(talk.speak().sent)).toEqual(['response.create']);
  });

  test('audio after the end of its item is dropped', () => {
    const talk = speakingTalk(mode);
    const outcome = talk.hear(wire.messageDone('resp_1', 'item_a1'), wire.audioDelta('resp_1', 'item_a1', 20));
    expect(types(outcome.events)).toEqual(['utterance.ended', 'session.noticed']);
    const late = talk.hear(wire.responseDone('resp_1'), wire.audioDelta('resp_1', 'item_a2', 20));
    expect(types(late.events)).toEqual(['usage.reported', 'answer.ended', 'session.noticed']);
  });

  test('a response.done whose response.created was never seen settles our request', () => {
    const talk = readyTalk(mode);
    talk.speak();
    talk.hear(wire.responseDone('resp_1', { output: [wire.callItem('call_1')] }));
    expect(toolCalls(talk.all)).toEqual(['call_1']);
    expect(types(talk.settle('call_1').sent)).toEqual(['conversation.item.create', 'response.create']);
  });

  test('a stray response.done does not end the response that runs', () => {
    const talk = speakingTalk(mode);
    const outcome = talk.hear(wire.responseDone('resp_0', { output: [wire.callItem('call_0')] }));
    expect(ended(outcome)).not.toContain('resp_1 incomplete');
    expect(outputItems(outcome.sent)).toMatchObject([{ call_id: 'call_0' }]);
    expect(types(talk.hear(wire.audioDelta('resp_1', 'item_a1', 20)).events)).toEqual(['utterance.audio']);
  });

  test('a second response.created without a response.done closes the first whole', () => {
    const talk = speakingTalk(mode);
    talk.hear(wire.callAdded('resp_1', 'call_1'));
    const outcome = talk.hear(wire.responseCreated('resp_2', FOREIGN));
    expect(types(outcome.events)).toEqual(['utterance.ended', 'answer.ended', 'answer.started']);
    expect(outputItems(outcome.sent)).toMatchObject([{ call_id: 'call_1' }]);
    // Its response.done may still come: what it cost counts, its calls have their outputs.
    const done = talk.hear(wire.responseDone('resp_1', { output: [wire.callItem('call_1'), wire.callItem('call_2')] }));
    expect(usageOf(done)).toEqual(['resp_1']);
    expect(outputItems(done.sent)).toMatchObject([{ call_id: 'call_2' }]);
    expect(toolCalls(talk.all)).toEqual([]);
    expect(ended(talk.hear(wire.responseDone('resp_2')))).toEqual(['resp_2 completed']);
  });
});

describe.each(MODES)(`the end ${TITLE}`, (mode) => {
  test('cancels what runs, reports its usage, then closes', () => {
    const talk = speakingTalk(mode);
    const finish = talk.finish();
    expect(bare(finish.sent)).toEqual([cancel('resp_1')]);
    expect(finish.closes).toBe(0);
    const done = talk.hear(
      wire.audioDelta('resp_1', 'item_a1', 20),
      wire.transcribed('item_u1', 'bye'),
      wire.responseDone('resp_1', { status: 'cancelled', output: [wire.callItem('call_1')] }),
    );
    expect(done.events.map((e) => (e.type === 'usage.reported' ? e.usage.source : e.type))).toEqual([
      'turn.transcribed',
      'item_u1',
      'resp_1',
    ]);
    expect([done.closes, done.sent]).toEqual([1, []]);
  });

  test('does not cancel what was stopped already, and waits for its usage', () => {
    const talk = speakingTalk(mode);
    talk.interrupt([], 'our_decision');
    const finish = talk.finish();
    expect([finish.sent, finish.closes]).toEqual([[], 0]);
    expect(talk.hear(wire.responseDone('resp_1', { status: 'cancelled' })).closes).toBe(1);
  });

  test('closes at once when nothing runs, and twice is once', () => {
    for (const talk of [readyTalk(mode), new Talk(mode)]) {
      expect(talk.finish()).toEqual({ sent: [], events: [], closes: 1 });
      expect(talk.finish()).toEqual({ sent: [], events: [], closes: 0 });
    }
  });

  test('sends nothing afterwards, whatever comes, and counts usage once', () => {
    const talk = speakingTalk(mode);
    talk.speak('Two.');
    talk.finish();
    const sent = talk.all.sent.length;
    talk.ask({ do: 'session.tell', role: 'user', text: 'x' }, { do: 'session.commit' });
    talk.speak();
    talk.interrupt([{ utterance: 'u1', heardMs: 10 }], 'our_decision');
    const late = talk.hear(
      ...turn(),
      wire.error('conversation_already_has_active_response'),
      wire.responseDone('resp_1', { status: 'cancelled', output: [wire.callItem('call_1')] }),
      wire.responseDone('resp_1', { status: 'cancelled' }),
      wire.responseCreated('resp_2'),
      wire.responseDone('resp_2'),
      wire.responseDone('resp_2'),
      wire.sessionUpdated(),
    );
    talk.settle('call_1');
    talk.step({ kind: 'closed', cause: 'lost', detail: 'close 1000', fatal: false });
    expect(talk.all.sent).toHaveLength(sent);
    expect(usageOf(late)).toEqual(['resp_1', 'resp_2']);
    expect(types(late.events)).toEqual(['usage.reported', 'usage.reported']);
    expect(late.closes).toBe(1);
  });

  test('is reported once when the socket goes', () => {
    const talk = speakingTalk(mode);
    const closed = talk.step({ kind: 'closed', cause: 'lost', detail: 'close 1001', fatal: false });
    expect(closed.events).toEqual([{ type: 'session.closed', cause: 'lost', detail: 'close 1001', fatal: false }]);
    expect(talk.step({ kind: 'closed', cause: 'lost', detail: 'again', fatal: false }).events).toEqual([]);
    expect(talk.finish()).toEqual({ sent: [], events: [], closes: 0 });
  });
});

describe.each<Mode & { note?: string }>(MODES)(`what onlookers count ${TITLE}`, (mode) => {
  test('is noticed and changes nothing', () => {
    const talk = speakingTalk(mode);
    const outcome = talk.step({ kind: 'noticed', code: 'message_malformed' });
    expect(outcome.events).toEqual([{ type: 'session.noticed', code: 'message_malformed', benign: true }]);
    expect(outcome.sent).toEqual([]);
  });
});

describe.each(MODES)(`last words ${TITLE}`, (mode) => {
  test('switch turn detection off, are asked for at once, and cancel whatever else begins', () => {
    const talk = readyTalk(mode);
    talk.speak();
    talk.hear(wire.responseCreated('resp_0', talk.tag()), wire.responseDone('resp_0'));
    talk.hear(...turn().slice(0, 1));
    const asked = talk.ask({ do: 'session.last_words', say: 'Goodbye.' });
    expect(types(asked.sent)).toEqual(['session.update', 'response.create']);
    expect(asked.sent[0]).toMatchObject({ session: { audio: { input: { turn_detection: null } } } });
    const theirs = talk.hear(...turn('item_u2').slice(1), wire.responseCreated('resp_s'));
    expect(bare(theirs.sent)).toEqual([cancel('resp_s')]);
    expect(types(theirs.events)).not.toContain('answer.started');
    talk.hear(wire.responseDone('resp_s', { status: 'cancelled' }));
    const ours = talk.hear(wire.responseCreated('resp_1', talk.tag()));
    expect(types(ours.events)).toContain('answer.started');
  });
});
