// A budget of a day over real sockets: fifty calls at once use it up, nobody is cut off in the middle of a word, the overshoot
// is one answer per live call at most, and the next caller hears why not.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CallerStep } from '../../src/phone/caller-track.ts';
import { question, withE2e } from '../support/e2e.ts';

const CALLS = 50;
const MOST_OUT = 24;
const NANO_PER_TOKEN_OUT = 64_000;

/** Only what is said costs: what an answer may cost at most is then what 24 tokens of speech cost. */
const PRICES = `
version: 2026-11-21
currency: USD
source: test
as_of: 2026-11-21
models:
  gpt-realtime-2.1:
    - effective_from: 2026-01-01
      text: { fresh: 0, cached: 0, out: 24.00 }
      audio: { fresh: 0, cached: 0, out: 64.00 }
      image: { fresh: 0, cached: 0, out: 0 }
  gpt-transcribe:
    - effective_from: 2026-01-01
      per_hour: 0
carriers:
  twilio:
    inbound_local: [{ effective_from: 2026-01-01, per_minute: 0 }]
    media_stream: [{ effective_from: 2026-01-01, per_minute: 0 }]
`;

let pricesDir: string;
beforeAll(() => {
  pricesDir = mkdtempSync(join(tmpdir(), 'trunkline-prices-'));
  writeFileSync(join(pricesDir, 'test.yaml'), PRICES);
});
afterAll(() => rmSync(pricesDir, { recursive: true }));

test('fifty calls on one budget', async () => {
  const worst = MOST_OUT * NANO_PER_TOKEN_OUT;
  // All are let in; after some two answers each it is used up.
  const perDayNanoUsd = CALLS * worst * 1.05;
  await withE2e(
    {
      agent: (sample) => ({
        model: { ...sample.model, maxOutputTokens: MOST_OUT },
        greeting: null,
        budget: { ...sample.budget, perDayNanoUsd, goodbye: 'We have to stop here. Goodbye.' },
      }),
      simulator: { script: { turns: Array.from({ length: 30 }, () => ({ items: [{ stampedMs: 1_000 }] })) } },
      config: { pricesDir },
    },
    async (e2e) => {
      const first: CallerStep = { cue: { atMs: 200 }, action: { say: question() } };
      const again: CallerStep = {
        cue: { after: 'agent_silent', forMs: 200, minHeardMs: 500 },
        action: { say: question() },
      };
      const steps = [first, ...Array.from({ length: 12 }, () => again)];
      const phones = Array.from({ length: CALLS }, () => e2e.call({ track: { steps } }));
      const results = await Promise.all(phones.map((phone) => phone.ended));
      const records = await Promise.all(phones.map((phone) => e2e.record(phone.callSid)));
      expect(new Set(records.map(({ end }) => end.reason))).toEqual(new Set(['budget_spent']));
      // Everybody heard what was being said to its end, and then the goodbye.
      for (const { announced } of results)
        expect(announced.map(({ about }) => about)).toEqual(['We have to stop here. Goodbye.']);
      const said = records.flatMap(({ turns }) => turns.filter((turn) => turn.who === 'agent'));
      expect(new Set(said.map(({ outcome }) => outcome))).toEqual(new Set(['heard']));
      const spent = records.reduce((sum, { cost }) => sum + cost.totalNanoUsd, 0);
      expect(spent).toBeGreaterThanOrEqual(perDayNanoUsd);
      expect(spent).toBeLessThanOrEqual(perDayNanoUsd + CALLS * worst);
      const late = await e2e.call().ended;
      expect(late.announced).toMatchObject([
        {
          verb: 'Say',
          about: e2e.agent.admission.refused.budget.give === 'sentence' ? e2e.agent.admission.refused.budget.text : '',
        },
      ]);
      expect(await e2e.metric('trunkline_sessions_rejected_total', { reason: 'agent_budget' })).toBe(1);
    },
  );
}, 60_000);
