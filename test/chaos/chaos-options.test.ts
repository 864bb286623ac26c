// The command line of chaos.
import { expect, test } from 'vitest';
import { readChaosOptions } from '../../src/chaos/chaos-options.ts';
import { FAULT_NAMES } from '../../src/chaos/fault-kinds.ts';

test('without flags all faults may strike', () => {
  expect(readChaosOptions([])).toMatchObject({
    ...{ seed: 1, faults: 100, calls: null, brief: false },
    only: FAULT_NAMES,
  });
});

test('faults are named one by one or by family', () => {
  expect(readChaosOptions(['--only', 'disk, mute']).only).toEqual([
    ...['store_rejects', 'store_hangs', 'store_slow', 'disk_refuses', 'mute'],
  ]);
});

test('calls are named by number', () => {
  expect(readChaosOptions(['--seed', '6', '--call', '163,5'])).toMatchObject({ seed: 6, calls: [163, 5] });
});

test.each([
  [['--only', 'muted'], 'found muted'],
  [['--faults', '0'], 'from 1 to 100000 (found 0)'],
  [['--minutes', 'ten'], 'found ten'],
  [['--loud'], '--loud'],
])('%j is refused with the usage', (args, text) => {
  expect(() => readChaosOptions(args)).toThrow(text);
  expect(() => readChaosOptions(args)).toThrow('usage: trunkline chaos');
});
