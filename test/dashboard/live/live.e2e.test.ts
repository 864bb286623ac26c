// An operator at a real call: a carrier, the server, the model's protocol. What is done from outside reaches the model, the
// caller hears it, the record tells it, and the operator saw it.
import { expect, test } from 'vitest';
import { LiveCalls } from '../../../src/dashboard/live/live-calls.ts';
import { realClock } from '../../../src/clock.ts';
import { withE2e } from '../../support/e2e.ts';
import { asksFirst, errandAgent, says } from '../../support/errands.ts';
import { Reader, serverFacts } from './live-line.ts';

const live = new LiveCalls({ clock: realClock, nodeId: 'here', server: serverFacts });

test('whispered to, given a line, listened to and ended', { timeout: 40_000 }, () =>
  withE2e(
    {
      agent: errandAgent(),
      simulator: { script: { fallback: says(600), turns: [says(500), says(900), says(400)] } },
      onlookers: [live.onlooker],
    },
    async (e2e) => {
      const phone = e2e.call(asksFirst());
      const session = await e2e.session();
      const completed = (): number => session.responses.filter(({ status }) => status === 'completed').length;
      const answered = async (count: number): Promise<void> => {
        await expect.poll(completed, { timeout: 15_000 }).toBe(count);
      };
      await answered(1);
      const { calls } = e2e.server;
      const [{ callId } = { callId: '' }] = live.snapshot().calls;
      const reader = new Reader((tell) => live.followCall(callId, tell));
      const heard = new Set<string>();
      live.listen(callId, { frame: (side) => void heard.add(side), cleared() {}, gone: () => void heard.add('gone') });
      expect(calls.operate(callId, { type: 'operator.whispered', text: 'They are a regular.' })).toEqual({
        outcome: 'done',
      });
      expect(calls.operate(callId, { type: 'operator.said', text: 'Your table is ready.' })).toEqual({
        outcome: 'done',
      });
      expect(calls.operate(callId, { type: 'operator.transfers', target: 'x' })).toMatchObject({ outcome: 'refused' });
      await answered(2);
      const sent = JSON.stringify(session.clientEvents.map(({ event }) => event));
      expect(sent).toContain('They are a regular.');
      expect(sent).toContain('Say exactly this, and nothing else: \\"Your table is ready.\\"');
      expect(calls.operate(callId, { type: 'call.asked_to_end', reason: 'operator_ended' })).toEqual({
        outcome: 'done',
      });
      const record = await e2e.record(phone.callSid);
      await phone.ended;
      expect(record.end).toMatchObject({ reason: 'operator_ended', by: 'operator' });
      expect(record.operated.map(({ action }) => action)).toEqual(['whispered', 'said', 'hung_up']);
      expect(JSON.stringify(record)).not.toContain('regular');
      expect(reader.names[0]).toBe('snapshot');
      expect(reader.names.at(-1)).toBe('gone');
      expect([...heard].toSorted()).toEqual(['agent', 'caller', 'gone']);
    },
  ),
);
