// What everybody but the drawer may see of a caller who keys in a secret.
import { expect, test } from 'vitest';
import { Drawer, hidden } from '../../src/call/hidden.ts';
import { silence } from '../../src/audio/mulaw.ts';

const sound = (bytes: number) => ({ payload: Buffer.alloc(bytes, 0x12).toString('base64'), bytes });

test.each([160, 80, 1, 800])('%i bytes of sound become as much silence, and keep their place', (bytes) => {
  const event = { type: 'leg.audio', sequence: 7, timestampMs: 140, chunk: sound(bytes) } as const;
  expect(hidden(event, new Drawer())).toEqual({
    ...event,
    chunk: { payload: silence(bytes).toString('base64'), bytes },
  });
});

test('a digit goes into the drawer, and into nothing else; without one it goes nowhere', () => {
  const drawer = new Drawer();
  drawer.collect('card', '#', 4);
  expect(hidden({ type: 'leg.digit_pressed', digit: '7' }, drawer)).toEqual({ type: 'leg.digit_pressed', digit: 'x' });
  for (const digit of ['8', '#', '*'])
    expect(hidden({ type: 'leg.digit_pressed', digit }, null)).toEqual({ type: 'leg.digit_pressed', digit: 'x' });
  drawer.done('card', true);
  expect(drawer.digits('card')).toBe('7');
});

test('everything else is as it was', () => {
  for (const event of [
    { type: 'leg.started' },
    { type: 'leg.mark_settled', mark: 'g1.1', outcome: 'played' },
    { type: 'leg.closed', cause: 'caller_hung_up', detail: '' },
  ] as const)
    expect(hidden(event, null)).toBe(event);
});

test('an emptied drawer holds nothing, also of what was being keyed in', () => {
  const drawer = new Drawer();
  drawer.collect('a', '', 4);
  drawer.press('1');
  drawer.done('a', true);
  drawer.collect('b', '', 4);
  drawer.press('2');
  drawer.empty();
  drawer.done('b', true);
  expect([drawer.digits('a'), drawer.digits('b')]).toEqual([null, null]);
  expect(JSON.stringify(drawer)).toBe('{}');
});
