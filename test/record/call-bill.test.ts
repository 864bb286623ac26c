// The bill of an answer that reported nothing: by the model that was speaking.
import { expect, test } from 'vitest';
import type { UnaddressedEffect } from '../../src/call/effect.ts';
import type { UnstampedEvent } from '../../src/call/event.ts';
import { CallBill } from '../../src/record/call-bill.ts';
import { ADMITTED_MS, callFacts } from './story.ts';

const ON = { leg: 'l1', session: 's1', epoch: 1 };
const FALLBACK = { name: 'gpt-realtime-mini', endpoint: null, voice: 'marin' };

function bill(target?: number) {
  const facts = callFacts();
  const { agent, opening } = facts;
  const made = new CallBill(
    {
      ...facts,
      agent: { ...agent, failure: { ...agent.failure, fallback: FALLBACK } },
      opening: target === undefined ? opening : { ...opening, target },
    },
    {},
  );
  return {
    happened: (event: UnstampedEvent) => made.happened({ ...event, atMs: ADMITTED_MS, on: ON }),
    caused: (effect: UnaddressedEffect) => made.caused({ ...effect, on: ON }),
    models: () => {
      made.chargeUnreported(() => 500);
      return made.cost().lines.map(({ source, model, state }) => [source, model, state]);
    },
  };
}

test('counts what was said before and after another model took over', () => {
  const { happened, caused, models } = bill();
  happened({ type: 'answer.started', answer: 'a1' });
  caused({ do: 'session.open', session: 's2', target: 1, afterMs: 0 });
  happened({ type: 'answer.started', answer: 'a2' });
  happened({ type: 'answer.started', answer: 'a3' });
  happened({ type: 'answer.ended', answer: 'a3', status: 'completed', detail: '' });
  expect(models()).toEqual([
    ['a1', 'gpt-realtime-2.1', 'estimated'],
    ['a2', 'gpt-realtime-mini', 'estimated'],
  ]);
});

test('knows a call that began with the other model', () => {
  const { happened, models } = bill(1);
  happened({ type: 'answer.started', answer: 'a1' });
  expect(models()).toEqual([['a1', 'gpt-realtime-mini', 'estimated']]);
});
