// From a request to the call: read, carried out, and written down with who and when, and without a word of what was said.
import { expect, test } from 'vitest';
import type { Operated } from '../../../src/call/calls.ts';
import type { Order } from '../../../src/call/orders.ts';
import { OPERATOR_ACTIONS, operatorActions } from '../../../src/dashboard/live/operator-actions.ts';
import type { Audited } from '../../../src/store/events.ts';

function desk(outcome: Operated = { outcome: 'done' }) {
  const orders: [string, Order][] = [];
  const audited: Audited[] = [];
  const operate = (callId: string, order: Order): Operated => {
    orders.push([callId, order]);
    return outcome;
  };
  const act = operatorActions({
    calls: { operate },
    audit: (fact) => audited.push(fact),
    clock: { wallMs: () => 1_000.4 },
  });
  return { act, orders, audited };
}

test('each action is an order to the call', () => {
  const { act, orders, audited } = desk();
  expect(act('whisper', 'c1', { text: ' be brief ' }, 'ann')).toEqual({ outcome: 'done' });
  act('say', 'c1', { text: 'One moment.' }, 'ann');
  act('transfer', 'c1', { target: 'desk' }, 'ann');
  act('hang_up', 'c1', undefined, 'ann');
  expect(orders).toEqual([
    ['c1', { type: 'operator.whispered', text: 'be brief' }],
    ['c1', { type: 'operator.said', text: 'One moment.' }],
    ['c1', { type: 'operator.transfers', target: 'desk' }],
    ['c1', { type: 'call.asked_to_end', reason: 'operator_ended' }],
  ]);
  expect(audited).toEqual(
    [
      ['whispered', ''],
      ['said', ''],
      ['transferred', 'to desk'],
      ['hung_up', ''],
    ].map(([action, note]) => ({ type: 'audited', atWallMs: 1_000, actor: 'ann', action, subject: 'c1', note })),
  );
  expect(JSON.stringify(audited)).not.toMatch(/brief|moment/);
});

test('what was refused is audited too, without what was asked for; what is gone is not', () => {
  const refused = desk({ outcome: 'refused', why: 'There is no such target.' });
  expect(refused.act('transfer', 'c1', { target: '+15550009999' }, 'ann')).toEqual({
    outcome: 'refused',
    why: 'There is no such target.',
  });
  expect(refused.audited).toMatchObject([{ action: 'transferred', note: 'refused' }]);
  expect(JSON.stringify(refused.audited)).not.toContain('9999');
  const gone = desk({ outcome: 'gone' });
  expect(gone.act('hang_up', 'c1', {}, 'ann')).toEqual({ outcome: 'gone' });
  expect(gone.audited).toEqual([]);
});

const BAD: [string, unknown][] = [
  ['nothing', undefined],
  ['no object', 'text'],
  ['no text', {}],
  ['blanks', { text: '  ' }],
  ['a number', { text: 5 }],
  ['a NUL', { text: 'a\0b' }],
  ['too much', { text: 'x'.repeat(601) }],
  ['more than asked', { text: 'x', target: 'y' }],
];
test.each(BAD)('%s is not an order', (_name, body) => {
  const { act, orders, audited } = desk();
  for (const action of OPERATOR_ACTIONS.filter((one) => one !== 'hang_up'))
    expect(() => act(action, 'c1', body, 'ann')).toThrow(expect.objectContaining({ code: 'TRK_BAD_REQUEST' }));
  expect([orders, audited]).toEqual([[], []]);
});

test('the name of whoever acts is one line', () => {
  const { act, audited } = desk();
  act('hang_up', 'c1', {}, `ann\n\u0000\u202e${'x'.repeat(500)}`);
  expect(audited[0]?.actor).toBe(`ann${'x'.repeat(97)}`);
});
