// A session is lost once, at each point of a conversation: the next one goes on from what was heard, and nothing of the old
// one is heard, told or charged twice.
import { describe, expect, test, vi } from 'vitest';
import { clip } from '../../src/simulator/clips.ts';
import type { Answer, Script } from '../../src/simulator/script.ts';
import { readStamps } from '../../src/simulator/stamp.ts';
import { interruption, question, withE2e } from '../support/e2e.ts';
import * as fault from '../support/fault-call.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 40 });

describe.concurrent('a model that is lost', () => {
  const after: Script = {
    greeting: { items: [{ say: ['sorry_repeat'] }] },
    turns: [{ items: [{ say: ['weather_answer'] }] }, fault.FAREWELL],
  };

  test('while the caller speaks: what is said from then on is heard, and answered', { timeout: 40_000 }, () =>
    withE2e(
      { simulator: (n) => ({ script: n === 1 ? { greeting: { items: [{ say: ['go_on'] }] }, turns: [] } : after }) },
      async (e2e) => {
        const told = fault.watchSessions(e2e);
        const phone = e2e.call({
          track: { steps: [fault.says(question(), 1_000), fault.says(fault.thanks(), 2_000, 1_300)] },
        });
        const session = await e2e.session();
        await session.next('speech_started');
        session.drop(1011, 'oops');
        const result = await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(record.end).toMatchObject(fault.WELL_DONE);
        expect(fault.listen(result).longestSilenceMs).toBeLessThan(700 + 1_300 + 500 + fault.FILLED_WITHIN_MS);
        fault.expectTakenOver(told[1] ?? [], `assistant: ${clip('go_on').text}`);
        expect(fault.heardWords(record).at(-1)).toBe(clip('farewell').text);
      },
    ),
  );

  test('while a tool runs: its outcome is told to the next session, and spoken about', { timeout: 40_000 }, () => {
    const running = Promise.withResolvers<void>();
    return withE2e(
      {
        agent: ({ tools }) => ({
          tools: tools.map((tool) => ({
            ...tool,
            run: () => {
              running.resolve();
              return new Promise<never>((resolve) => setTimeout(resolve, 1_500, { balance_usd: 42.5 } as never));
            },
          })),
        }),
        simulator: (n) => ({
          script:
            n === 1
              ? {
                  greeting: { items: [{ say: ['go_on'] }] },
                  turns: [
                    {
                      callerTranscript: 'My balance?',
                      items: [
                        { say: ['clinic_one_moment'] },
                        { tool: 'lookup_account', arguments: { account: '100019021001803' } },
                      ],
                    },
                  ],
                }
              : {
                  ...after,
                  afterTool: { lookup_account: { items: [{ say: ['weather_answer'] }] } },
                  turns: [fault.FAREWELL],
                },
        }),
      },
      async (e2e) => {
        const told = fault.watchSessions(e2e);
        const phone = e2e.call({
          track: { steps: [fault.says(question(), 1_000), fault.says(fault.thanks(), 4_500, 1_500)] },
        });
        const session = await e2e.session();
        await running.promise;
        session.drop();
        await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(record.end).toMatchObject(fault.WELL_DONE);
        expect(told[1]).toEqual(
          expect.arrayContaining([
            'user: My balance?',
            expect.stringMatching(/^function_call \w/),
            expect.stringMatching(/^function_call_output \w+ /),
          ]),
        );
        expect(record.tools.map(({ status }) => status)).toEqual(['ok', 'built_in']);
        expect(fault.heardWords(record)).toContain(clip('weather_answer').text);
        fault.expectOneBill(record, e2e.simulator.sessions);
      },
    );
  });

  test('while keys are pressed: the next session is told of them once, after what was said', { timeout: 40_000 }, () =>
    withE2e(
      {
        simulator: (n) =>
          n === 1
            ? { script: { greeting: { items: [{ say: ['go_on'] }] }, turns: [] } }
            : { script: after, handshakeDelayMs: 600 },
      },
      async (e2e) => {
        const told = fault.watchSessions(e2e);
        const phone = e2e.call({
          track: {
            steps: [
              { ...fault.says(fault.thanks(), 1_000), action: { press: '4' } },
              { cue: { after: 'previous', waitMs: 250 }, action: { press: '#' } },
              fault.says(fault.thanks(), 2_000, 1_300),
            ],
          },
        });
        const session = await e2e.session();
        await phone.once('key');
        session.drop();
        await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(record.end).toMatchObject(fault.WELL_DONE);
        fault.expectTakenOver(
          told[1] ?? [],
          `assistant: ${clip('go_on').text}`,
          'user: [The caller pressed keys: 4 #]',
        );
        expect(told[1]?.filter((words) => words.includes('pressed keys'))).toHaveLength(1);
        expect(told[1]?.filter((words) => words === 'response.create')).toHaveLength(1);
      },
    ),
  );

  test('during a goodbye that is all here: it is heard to its end, and the call ends well', { timeout: 40_000 }, () =>
    withE2e({ agent: { greeting: null }, simulator: { script: { turns: [fault.FAREWELL] } } }, async (e2e) => {
      const phone = e2e.call({ track: { steps: [{ cue: { atMs: 300 }, action: { say: question() } }] } });
      const session = await e2e.session();
      await session.next('response_done');
      await session.next('client_event', ({ type }) => type === 'conversation.item.create');
      session.drop();
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.end).toMatchObject(fault.WELL_DONE);
      expect(fault.heardWords(record)).toEqual([clip('farewell').text]);
      expect(e2e.simulator.sessions).toHaveLength(1);
    }),
  );

  test('and its successor too, before that said a word: the third takes up the thought', { timeout: 40_000 }, () =>
    withE2e(
      {
        simulator: (n) => {
          const asked: Answer = {
            callerTranscript: 'What is the weather like?',
            items: [{ say: ['clinic_support_long'] }],
            drop: { afterMs: 1_000 },
          };
          if (n === 1) return { script: { greeting: { items: [{ say: ['go_on'] }] }, turns: [asked] } };
          return n === 2 ? { script: after, mute: true, dropAfterMs: 400 } : { script: after };
        },
      },
      async (e2e) => {
        const told = fault.watchSessions(e2e);
        const phone = e2e.call({
          track: { steps: [fault.says(question(), 1_000), fault.says(fault.thanks(), 2_700, 1_300)] },
        });
        await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(record.end).toMatchObject(fault.WELL_DONE);
        expect(told).toHaveLength(3);
        fault.expectTakenOver(told[2] ?? [], /^assistant/, /^user/, /^assistant: I can help/);
        fault.expectOneBill(record, e2e.simulator.sessions);
      },
    ),
  );

  test(
    'by our own hand, and goes on sending: nothing of it is heard, and its usage is charged once',
    { timeout: 40_000 },
    () =>
      withE2e(
        {
          simulator: (n) => {
            const stalls: Answer = {
              callerTranscript: 'What is the weather like?',
              items: [{ stampedMs: 8_000, stallAfterMs: 1_000, stallMs: 60_000 }],
            };
            if (n > 1) return { script: after };
            return {
              script: { greeting: { items: [{ say: ['go_on'] }] }, turns: [stalls] },
              lateDeltas: 5,
              lateDeltasAfterDone: 5,
            };
          },
        },
        async (e2e) => {
          const phone = e2e.call({
            track: { steps: [fault.says(question(), 1_000), fault.says(fault.thanks(), 4_500, 1_300)] },
          });
          const result = await phone.ended;
          const record = await e2e.record(phone.callSid);
          expect(record.end).toMatchObject(fault.WELL_DONE);
          const stamped = readStamps(Buffer.concat(result.heard.map(({ bytes }) => bytes)));
          expect([...stamped.values()].map(({ heardMs }) => heardMs)).toEqual([1_000]);
          const replaced = e2e.simulator.sessions[0]?.responses.at(-1);
          expect(replaced).toMatchObject({ status: 'cancelled', usage: expect.any(Object) });
          expect(record.cost.lines.filter(({ source }) => source === replaced?.id)).toMatchObject([
            { state: 'metered' },
          ]);
          fault.expectOneBill(record, e2e.simulator.sessions);
        },
      ),
  );

  test(
    'while what it said is still heard: the caller can interrupt it, and the next session knows',
    { timeout: 40_000 },
    () =>
      withE2e(
        {
          simulator: (n) =>
            n === 1
              ? { script: { greeting: { items: [{ say: ['clinic_support_long'] }] }, turns: [] }, pace: 20 }
              : { script: { turns: [fault.FAREWELL] } },
        },
        async (e2e) => {
          const told = fault.watchSessions(e2e);
          const phone = e2e.call();
          const session = await e2e.session();
          await session.next('response_done');
          await phone.once('firstAudio');
          session.drop();
          await e2e.session(1);
          phone.say(interruption());
          await phone.once('clear');
          await phone.ended;
          const record = await e2e.record(phone.callSid);
          expect(record.end).toMatchObject(fault.WELL_DONE);
          const [words] = fault.heardWords(record);
          expect(told[1]).toContain(
            `system: You were interrupted. Of your last words the caller heard only this: "${words}"`,
          );
          expect(told[1]).not.toContain('conversation.item.truncate');
          expect(told[1]).not.toContain('conversation.item.delete');
        },
      ),
  );
});
