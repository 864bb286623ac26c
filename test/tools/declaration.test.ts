// What a tool may say of its price.
import { describe, expect, test } from 'vitest';
import { checkTool } from '../../src/tools/declaration.ts';
import type { Tool } from '../../src/tools/tool.ts';

const TOOL: Tool = { name: 'credit_check', description: 'Checks.', parameters: { type: 'object' }, run: () => 'ok' };

describe('a tool', () => {
  test.each([0, 0.025, 1_000])('may cost %d dollars a run', (priceUsd) => {
    expect(checkTool({ ...TOOL, priceUsd })).toMatchObject({ tool: { name: 'credit_check', priceUsd } });
  });

  test('that names no price has none', () => {
    const checked = checkTool(TOOL);
    expect('tool' in checked && 'priceUsd' in checked.tool).toBe(false);
    expect(checked).toHaveProperty('tool');
  });

  test.each([
    [-1, '-1'],
    [1_000.01, '1000.01'],
    [Number.NaN, 'null'],
    ['0.02', '"0.02"'],
    [null, 'null'],
  ])('must not cost %j', (priceUsd, found) => {
    expect(checkTool({ ...TOOL, priceUsd })).toEqual({
      faults: [`tool credit_check: expected priceUsd to be US dollars per run, from 0 to 1000 (found ${found})`],
    });
  });
});
