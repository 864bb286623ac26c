import { beforeEach, describe, expect, test } from 'vitest';
import type { LegEvent } from '../../../src/carrier/carrier.ts';
import { noCounters } from '../../../src/carrier/twilio/counters.ts';
import { TwilioLeg } from '../../../src/carrier/twilio/leg.ts';
import { STREAM_SID } from './edge.ts';
import fc from '../../support/fast-check.ts';

/** Everything that leaves the leg, in one order: what it sends and what it reports. */
let journal: unknown[];
let wire: { bufferedAmount: number; send(text: string): void };
let leg: TwilioLeg;
let nowMs: number;

beforeEach(() => {
  journal = [];
  nowMs = 100;
  wire = {
    bufferedAmount: 0,
    send: (text) => {
      const { streamSid, ...message } = JSON.parse(text);
      if (streamSid !== STREAM_SID) throw new Error('sent under another streamSid');
      journal.push(message.event === 'mark' ? `mark ${message.mark.name}` : message.event);
    },
  };
  leg = makeLeg();
  leg.bind(report);
  journal.length = 0;
});

const report = (event: LegEvent) =>
  void journal.push(event.type === 'leg.mark_settled' ? `${event.outcome} ${event.mark}` : event);
const makeLeg = () =>
  new TwilioLeg({
    wire,
    streamSid: STREAM_SID,
    counters: noCounters,
    nowMs: () => nowMs,
    heardAtMs: () => 100,
    onCloseAsked: () => journal.push('close asked'),
    onStoppedReading: () => leg.end('stopped_reading', 'full'),
  });
const CHUNK = { payload: '/////w==', bytes: 4 };

describe('marks', () => {
  test('settle as played when they come back', () => {
    leg.play(CHUNK);
    leg.mark('a');
    expect(leg.markReturned('a')).toBe('played');
    expect(journal).toEqual(['media', 'mark a', 'played a']);
  });

  test('settle as dropped after the clear was sent, and their echoes are swallowed', () => {
    leg.mark('a');
    leg.mark('b');
    leg.clear();
    expect(journal).toEqual(['mark a', 'mark b', 'clear', 'dropped a', 'dropped b']);
    leg.mark('c');
    expect(['a', 'b', 'c'].map((name) => leg.markReturned(name))).toEqual(['swallowed', 'swallowed', 'played']);
    expect(journal.slice(5)).toEqual(['mark c', 'played c']);
  });

  test('of a reused name settle once each, the cleared one first', () => {
    leg.mark('a');
    leg.clear();
    leg.mark('a');
    expect([leg.markReturned('a'), leg.markReturned('a'), leg.markReturned('a')]).toEqual([
      'swallowed',
      'played',
      'unknown',
    ]);
    expect(journal).toEqual(['mark a', 'clear', 'dropped a', 'mark a', 'played a']);
  });

  test('that nobody asked for, or that came back before, are unknown', () => {
    leg.mark('a');
    leg.markReturned('a');
    expect([leg.markReturned('a'), leg.markReturned('x')]).toEqual(['unknown', 'unknown']);
  });

  test('that never came back are played when a later one is', () => {
    for (const name of ['a', 'b', 'c']) leg.mark(name);
    leg.markReturned('b');
    expect(journal.slice(3)).toEqual(['played a', 'played b']);
    expect(leg.markReturned('a')).toBe('swallowed');
    expect(leg.markReturned('c')).toBe('played');
  });

  test('still out when the media ends are dropped before leg.closed', () => {
    leg.mark('a');
    leg.end('socket_lost', '1006');
    leg.end('carrier_stopped', 'stop');
    expect(journal).toEqual(['mark a', 'dropped a', { type: 'leg.closed', cause: 'socket_lost', detail: '1006' }]);
  });

  test('asked for after the call closed the leg are dropped at once', () => {
    leg.close();
    leg.mark('a');
    expect(journal).toEqual(['close asked', 'dropped a']);
  });

  test('whose echoes never come are bounded: the oldest is given up', () => {
    for (let i = 0; i <= 2000; i++) leg.mark(`m${i}`);
    expect(journal.filter((entry) => String(entry).startsWith('dropped'))).toEqual(['dropped m0']);
    expect(leg.markReturned('m0')).toBe('swallowed');
  });

  test('may be asked for while a dropped one is being reported', () => {
    leg = makeLeg();
    leg.bind((event) => {
      report(event);
      if (event.type === 'leg.mark_settled' && event.mark === 'a') leg.mark('b');
    });
    journal.length = 0;
    leg.mark('a');
    leg.clear();
    expect(leg.markReturned('a')).toBe('swallowed');
    expect(leg.markReturned('b')).toBe('played');
    expect(journal).toEqual(['mark a', 'clear', 'dropped a', 'mark b', 'played b']);
  });

  test('settle exactly once, in any order of events', () => {
    const action = fc.oneof(
      fc.record({ do: fc.constant('mark' as const) }),
      fc.record({ do: fc.constant('clear' as const) }),
      fc.record({ do: fc.constant('echo' as const), behind: fc.nat(3) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const settled: string[] = [];
        const asked: string[] = [];
        const echoable: string[] = [];
        const one = makeLeg();
        one.bind((event) => event.type === 'leg.mark_settled' && settled.push(event.mark));
        for (const next of actions) {
          if (next.do === 'clear') one.clear();
          if (next.do === 'echo') {
            const [name] = echoable.splice(next.behind, 1);
            if (name !== undefined) expect(one.markReturned(name)).not.toBe('unknown');
          }
          if (next.do === 'mark') {
            const name = `m${asked.length}`;
            asked.push(name);
            echoable.push(name);
            one.mark(name);
          }
        }
        one.end('socket_lost', '');
        expect(settled.toSorted()).toEqual(asked.toSorted());
      }),
    );
  });
});

describe('ending', () => {
  test('asks its socket once, then sends nothing more', () => {
    leg.close();
    leg.close();
    leg.play(CHUNK);
    leg.clear();
    expect(journal).toEqual(['close asked']);
  });

  test('reports nothing after leg.closed', () => {
    leg.end('carrier_stopped', 'stop');
    leg.report({ type: 'leg.digit_pressed', digit: '1' });
    leg.mark('a');
    expect(journal).toEqual([{ type: 'leg.closed', cause: 'carrier_stopped', detail: 'stop' }]);
  });

  test('comes when Twilio stopped reading', () => {
    leg.mark('a');
    wire.bufferedAmount = 256 * 1024 + 1;
    leg.play(CHUNK);
    leg.play(CHUNK);
    expect(journal).toEqual(['mark a', 'dropped a', { type: 'leg.closed', cause: 'stopped_reading', detail: 'full' }]);
  });

  test('comes for a mark that can no longer be sent, which settles once', () => {
    wire.bufferedAmount = 256 * 1024 + 1;
    leg.mark('a');
    expect(journal).toEqual(['dropped a', { type: 'leg.closed', cause: 'stopped_reading', detail: 'full' }]);
  });
});

test('holds events back until the call is there, after leg.started', () => {
  leg = makeLeg();
  leg.mark('a');
  leg.clear();
  leg.bind(report);
  expect(journal).toEqual(['mark a', 'clear', { type: 'leg.started' }, 'dropped a']);
});

test('refuses more than a second of audio in one message', () => {
  leg.play({ payload: 'A'.repeat(10_668), bytes: 8000 });
  expect(() => leg.play({ payload: 'A'.repeat(10_672), bytes: 8001 })).toThrow(RangeError);
});

test('lets the call send four seconds ahead', () => expect(leg.capabilities.maxAheadMs).toBe(4000));

describe('what does not come', () => {
  test('is how long nothing came, and is told when the socket was lost', () => {
    expect(leg.silentMs).toBe(0);
    nowMs = 4_100;
    expect(leg.silentMs).toBe(4_000);
    leg.end('socket_lost', 'closed with 1006');
    expect(journal).toEqual([
      { type: 'leg.closed', cause: 'socket_lost', detail: 'closed with 1006', silentMs: 4_000 },
    ]);
  });

  test('is how long marks wait, from the last that came back', () => {
    expect(leg.marksWaitMs).toBe(0);
    leg.mark('a');
    leg.mark('b');
    nowMs = 2_100;
    expect(leg.marksWaitMs).toBe(2_000);
    leg.markReturned('a');
    nowMs = 2_600;
    expect(leg.marksWaitMs).toBe(500);
    leg.clear();
    expect(leg.marksWaitMs).toBe(0);
    nowMs = 60_000;
    leg.mark('c');
    expect(leg.marksWaitMs).toBe(0);
  });
});
