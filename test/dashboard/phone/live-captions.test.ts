// Captions of a browser's own call, out of the very hub that operators watch: what is said, what was never heard, and the last
// words, which are written down when the call is over. A guest gets a caller's part of it.
import { describe, expect, test, vi } from 'vitest';
import { realClock } from '../../../src/clock.ts';
import { LiveCalls } from '../../../src/dashboard/live/live-calls.ts';
import { liveCaptions } from '../../../src/dashboard/phone/live-captions.ts';
import type { ServerFacts } from '../../../src/dashboard/schemas/live.ts';
import type { Script } from '../../../src/simulator/script.ts';
import { interruption, withE2e } from '../../support/e2e.ts';
import { BrowserDoor, GUEST } from './browser.ts';

vi.setConfig({ maxConcurrency: 4, testTimeout: 40_000 });

const script: Script = {
  greeting: { items: [{ say: ['clinic_support_long'] }] },
  turns: [
    {
      callerTranscript: '<b>Turn on the lamp.</b>',
      items: [{ tool: 'lookup_account', arguments: { account: '100019021001803' } }],
    },
  ],
  afterTool: { lookup_account: { items: [{ say: ['clinic_goodbye'] }, { tool: 'end_call', arguments: {} }] } },
};

describe.concurrent('captions', () => {
  test.for([{ guest: false }, { guest: true }])(
    'of a call that is interrupted and ended by the agent: %o',
    ({ guest }) => {
      const live = new LiveCalls({ clock: realClock, nodeId: 'one', server: () => ({}) as ServerFacts });
      return withE2e({ simulator: { script }, onlookers: [live.onlooker] }, async (e2e) => {
        const options = { captions: liveCaptions(live), ...(guest ? { who: GUEST } : {}) };
        const door = await new BrowserDoor(e2e, options).open();
        try {
          const caller = door.call();
          await caller.until('some of the greeting', () => caller.playedMs >= 900);
          caller.say(interruption());
          await caller.ended(25_000);
          await caller.until('the close', () => caller.closeCode !== null);
          const entries = [...caller.state.entries.values()];
          const kinds = entries.map(({ kind }) => kind);
          for (const kind of ['agent', 'caller', 'tool'] as const) expect(kinds).toContain(kind);
          // Text, as it was said: the page shows it as text.
          expect(entries.find(({ kind }) => kind === 'caller')?.text).toBe('<b>Turn on the lamp.</b>');
          const unheard = entries.find(({ kind }) => kind === 'agent')?.unheard;
          if (guest) expect(unheard).toBe(null);
          else expect(unheard).not.toBe('');
          const tool = entries.find(({ kind }) => kind === 'tool');
          if (guest) expect(tool).toMatchObject({ text: '', tool: null });
          else expect(tool?.tool?.output).toContain('42.5');
          // The farewell was heard to its end; that is known only after the end.
          const farewell = entries.filter(({ kind }) => kind === 'agent').at(-1);
          expect(farewell?.heard).toMatch(/\w/);
          expect(farewell?.unheard ?? '').toBe('');
          expect(live.size).toBe(0);
        } finally {
          await door.close();
          live.close();
        }
      });
    },
  );

  test('of a guest never hold the words that a rule of the agent stopped', () => {
    const live = new LiveCalls({ clock: realClock, nodeId: 'one', server: () => ({}) as ServerFacts });
    const guardrails = [
      { name: 'no appointments', watch: 'speech', pattern: 'appointment', instead: 'Say goodbye.' },
    ] as const;
    const ends: Script = { ...script, turns: [], fallback: { items: [{ tool: 'end_call', arguments: {} }] } };
    const options = { agent: { guardrails }, simulator: { script: ends }, onlookers: [live.onlooker] };
    return withE2e(options, async (e2e) => {
      const captions = liveCaptions(live);
      const [guests, operators] = [
        await new BrowserDoor(e2e, { captions, who: GUEST }).open(),
        await new BrowserDoor(e2e, { captions }).open(),
      ];
      try {
        const [guest, operator] = [guests.call(), operators.call()];
        const told = (caller: typeof guest): string =>
          JSON.stringify(caller.received.filter(({ event }) => event === 'caption'));
        for (const caller of [guest, operator]) {
          await caller.ended(25_000);
          await caller.until('the close', () => caller.closeCode !== null);
        }
        expect(told(operator)).toContain('appointment');
        expect(told(operator)).toContain('no appointments');
        expect(told(guest)).toContain('I can help with that');
        expect(told(guest)).not.toContain('appointment');
      } finally {
        await guests.close();
        await operators.close();
        live.close();
      }
    });
  });
});
