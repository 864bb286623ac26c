// A budget sees what the bill sees: answers whose usage nobody reports, and tools with a price, end a call as metered ones do.
import { expect, test } from 'vitest';
import { question, withE2e } from '../support/e2e.ts';

const turns = Array.from({ length: 12 }, () => ({ items: [{ stampedMs: 600 }] }));
const asks = (times: number) => ({
  steps: [
    { cue: { atMs: 200 }, action: { say: question() } },
    ...Array.from({ length: times }, () => ({
      cue: { after: 'agent_silent', forMs: 200, minHeardMs: 300 } as const,
      action: { say: question() },
    })),
  ],
});

test('tools with a price count', { timeout: 40_000 }, () =>
  withE2e(
    {
      agent: (sample) => ({
        greeting: null,
        model: { ...sample.model, maxOutputTokens: 64 },
        budget: { ...sample.budget, perCallNanoUsd: 200_000_000 },
        tools: [
          {
            name: 'lookup_account',
            description: 'Looks up an account.',
            parameters: { type: 'object', properties: {}, additionalProperties: true },
            priceUsd: 0.15,
            run: () => 'found',
          },
        ],
      }),
      simulator: {
        script: {
          turns: [
            { items: [{ tool: 'lookup_account', arguments: {} }] },
            { items: [{ tool: 'lookup_account', arguments: {} }] },
            ...turns,
          ],
          afterTool: { lookup_account: { items: [{ stampedMs: 600 }] } },
        },
      },
    },
    async (e2e) => {
      const phone = e2e.call({ track: asks(8) });
      await phone.ended;
      const { end, cost, tools } = await e2e.record(phone.callSid);
      expect(end.reason).toBe('budget_spent');
      expect(tools.map(({ status }) => status)).toEqual(['ok', 'ok']);
      expect(cost.totalNanoUsd).toBeGreaterThanOrEqual(300_000_000);
    },
  ),
);
