// The report of a call on literal records: turns, the judgement of barge-ins, money; and the layout below it.
import { describe, expect, test } from 'vitest';
import type { CallEffect, UnaddressedEffect } from '../../src/call/effect.ts';
import type { CallEvent } from '../../src/call/event.ts';
import type { LedgerLine } from '../../src/ledger/line.ts';
import type { AgentUtterance, CallerTurn } from '../../src/record/call-record.ts';
import { BufferCheck } from '../../src/replay/buffer-check.ts';
import type { CacheUse } from '../../src/ledger/cache.ts';
import { bargeInLines, costTable, turnTable } from '../../src/replay/report.ts';
import { callTime, fit, fitEnd, plainText, widthOf, wrap } from '../../src/replay/text-layout.ts';

const caller: CallerTurn = {
  who: 'caller',
  turn: 't1',
  speechStartAtMs: 1_000,
  speechStopAtMs: 2_000,
  committedAtMs: 2_000,
  transcript: 'billing department, please, and quickly',
  latency: {
    turn: 't1',
    endOfTurnWaitMs: 501,
    endOfTurnFrom: 'input_clock',
    modelMs: 1_101,
    toolsMs: 0,
    ourMs: 0.174,
    queuedMs: 0,
    carrierMs: 1,
    answerMs: 1_101,
    voiceToVoiceMs: 1_603,
  },
};
const agent: AgentUtterance = {
  who: 'agent',
  utterance: 'u2',
  answer: 'a1',
  startAtMs: 3_100,
  soundAtMs: 3_101,
  outcome: 'interrupted',
  heardMs: 3_674,
  sentMs: 7_500,
  receivedMs: 12_920,
  text: 'Of course, billing. Please wait.',
  heardText: 'Of course,',
  unheardText: 'billing. Please wait.',
  whole: true,
};

describe('turns', () => {
  test('show what was heard and what each answer took', () => {
    expect(turnTable({ turns: [caller, agent] }, 110)).toEqual([
      'at       who     words heard                                      sound  wait  model   us  voice to voice',
      '00:01.0  caller  billing department, please, and quickly                  501  1,101  0.2           1,603',
      '00:03.1  agent   Of course, —                             3.7 of 12.9 s',
    ]);
  });

  test('keep words and the whole latency where there is no room for all', () => {
    expect(turnTable({ turns: [caller] }, 60)).toEqual([
      'at       who     words heard           sound  voice to voice',
      '00:01.0  caller  billing department,…                  1,603',
    ]);
    for (const row of turnTable({ turns: [caller, agent] }, 54)) expect(widthOf(row)).toBeLessThanOrEqual(54);
  });
});

describe('a barge-in is judged by the phone', () => {
  const on = { leg: 'l1', session: 's1', epoch: 1 };
  const step = (check: BufferCheck, ...effects: UnaddressedEffect[]) =>
    check.stepped(
      { type: 'leg.started', atMs: 0, on } as CallEvent,
      effects.map((e) => ({ ...e, on })) as CallEffect[],
    );
  const play = (utterance: string, fromByte: number, toByte: number, padBytes = 0) =>
    ({ do: 'leg.play', utterance, fromByte, toByte, padBytes, startsAtMs: 0 }) as const;
  const stop = (utterance: string, heardMs: number) =>
    ({ do: 'note.settled', utterance, outcome: 'interrupted', heardMs, sentMs: 0, receivedMs: 0 }) as const;

  test('by what it played of that utterance, after what was queued before it and since the last clear', () => {
    const check = new BufferCheck();
    step(check, play('u1', 0, 1_598, 2), play('u2', 0, 4_000), play('u2', 4_000, 8_000));
    step(check, { do: 'leg.clear' }, stop('u2', 500));
    step(check, play('u3', 0, 8_000));
    step(check, { do: 'leg.clear' }, stop('u3', 100));
    const clears = [5_616, 6_400].map((playedBytesTotal) => ({ atMs: 0, droppedBytes: 0, playedBytesTotal }));
    expect(check.against({ clears })).toEqual([
      { clear: 0, utterance: 'u2', ledgerMs: 500, phoneMs: 502 },
      { clear: 1, utterance: 'u3', ledgerMs: 100, phoneMs: 98 },
    ]);
  });

  test('and the difference is said', () => {
    const stops = [{ atMs: 6_775, because: 'caller_spoke', unheardMs: 9_246 }] as const;
    expect(
      bargeInLines({ turns: [caller, agent], stops: [...stops] }, [
        { clear: 0, utterance: 'u2', ledgerMs: 3_674, phoneMs: 3_676 },
      ]),
    ).toEqual(["barge-in at 00:06.8: 3,674 ms heard; by the phone's own play buffer 3,676 ms (2 ms apart)"]);
  });
});

describe('the bill', () => {
  const facts = { seller: 's', priceBook: 'b', unitPrice: null, doubt: null } as const;
  const tokens = (source: string, atWallMs: number, cached: number): LedgerLine => ({
    ...facts,
    source,
    atWallMs,
    what: 'answer',
    product: 'm-1',
    quantities: {
      unit: 'tokens',
      text: { fresh: 1_000, cached, out: 3 },
      audio: { fresh: 100, cached: 0, out: 7 },
      image: { fresh: 0, cached: 0, out: 0 },
    },
    costNanoUsd: 10_000_000,
    state: 'metered',
  });
  const leg: LedgerLine = {
    ...facts,
    source: 'l1',
    atWallMs: 62_200,
    what: 'leg',
    product: 'carrier/unknown',
    quantities: { unit: 'minutes', seconds: 61.2, minutes: 2 },
    costNanoUsd: null,
    state: 'estimated',
    doubt: 'leg_goes_on',
  };
  const tool: LedgerLine = {
    ...facts,
    source: 'c1',
    atWallMs: 9_000,
    what: 'tool',
    product: 'check',
    quantities: { unit: 'count', count: 1 },
    costNanoUsd: 5_000_000,
    state: 'estimated',
  };
  const when = { admittedWallMs: 0, mediaStartedWallMs: 1_000, endedWallMs: null, closedWallMs: 70_000 };
  const cost = {
    totalNanoUsd: 25_000_000,
    unpricedLines: 1,
    doubtedLines: 1,
    priceBook: 'b',
    cache: { share: 0.25, breaks: [], costNanoUsd: 0 },
    lines: [leg, tokens('r1', 3_000, 0), tool, tokens('r2', 15_000, 366)],
  };

  test('has one row per line in the order of their times, and says what is odd', () => {
    expect(costTable({ cost, when }, 100)).toEqual([
      'at       what             sold as          tokens, or time                    cost  counted',
      '00:02.0  answer           m-1              1,100 in; 10 out                $0.0100  metered',
      '00:08.0  tool             check            1                               $0.0050  estimated',
      '00:14.0  answer           m-1              1,466 in, 25 % cached; 10 out   $0.0100  metered',
      '01:01.2  call leg         carrier/unknown  2 min begun (61.2 s)           no price  estimated',
      '         total, at least                                                   $0.0250',
      'call leg at 01:01.2: the carrier keeps the leg after us',
      'cache: served 25 % of what the model read; nowhere lost',
    ]);
  });

  test('tells what a lost cache cost, and nothing of a cache that was never asked', () => {
    const lost = { source: 'r2', cacheable: 2_000, cached: 0, costNanoUsd: 7_200_000 };
    const cache = { share: 0, breaks: [lost, lost], costNanoUsd: 14_400_000 };
    const last = (of: CacheUse) => costTable({ cost: { ...cost, cache: of }, when }, 100).at(-1);
    expect(last(cache)).toBe('cache: served 0 % of what the model read; lost 2 times, which cost $0.0144');
    expect(last({ share: null, breaks: [], costNanoUsd: 0 })).toContain('call leg at');
  });
});

describe('layout', () => {
  test('rows that are full never change when words are added', () => {
    const words = 'the quick brown fox jumps over the lazy dog and away'.split(' ');
    let before: string[] = [];
    for (let n = 1; n <= words.length; n++) {
      const rows = wrap(words.slice(0, n).join(' '), 14);
      expect(rows.slice(0, before.length - 1)).toEqual(before.slice(0, -1));
      before = rows;
    }
  });

  test('wide characters take two columns, long words are cut, steering characters are gone', () => {
    expect(widthOf('日本e\u0301')).toBe(5);
    expect(wrap('日本語', 4)).toEqual(['日本', '語']);
    expect(wrap('a abcdefgh', 4)).toEqual(['a', 'abcd', 'efgh']);
    expect(plainText(' a\u001b[31m\r\n b\u202e ')).toBe('a [31m b');
    expect([fit('one two', 6), fitEnd('one two three', 9)]).toEqual(['one t…', '… three']);
  });

  test.each([
    [0, '00:00.0'],
    [59_960, '01:00.0'],
    [3_599_900, '59:59.9'],
    [-5, '00:00.0'],
  ])('%i ms into a call is %s', (ms, text) => {
    expect(callTime(ms)).toBe(text);
  });
});
