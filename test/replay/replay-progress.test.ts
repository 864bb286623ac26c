// What a run shows while it goes on, and the table at its end.
import { describe, expect, test } from 'vitest';
import type { CallResult } from '../../src/replay/call-result.ts';
import { progressLine, terminalOutput } from '../../src/replay/progress.ts';
import type { PlacedCall } from '../../src/replay/replay-calls.ts';
import type { CallInput } from '../../src/replay/replay-inputs.ts';
import { callLines, shortLines, summaryLines } from '../../src/replay/replay-summary.ts';
import { widthOf } from '../../src/replay/text-layout.ts';

test('the line says how many are up, done, failed and to come, and how long it takes at the least', () => {
  const state = { up: 3, done: 2, failed: 1, waiting: 4, leastLeftMs: 11_200 };
  expect(progressLine(state, 42_500)).toBe(
    '00:42.5  3 calls up, 2 done (1 failed), 4 to come; the longest has at least 12 s left',
  );
  expect(progressLine({ up: 1, done: 0, failed: 0, waiting: 0, leastLeftMs: 0 }, 0)).toBe('00:00.0  1 call up, 0 done');
});

describe('a terminal', () => {
  /** Streams that write what a screen would get. */
  function screen(isTTY: boolean) {
    let written = '';
    const stream = {
      isTTY,
      columns: 80,
      write: (text: string) => ((written += text), true),
    } as unknown as NodeJS.WriteStream;
    return { output: terminalOutput(stream, stream), written: () => written };
  }

  test('has one line rewritten, and drawn again below what was printed', () => {
    const { output, written } = screen(true);
    output.status?.('1 up');
    output.status?.('2 up');
    output.out('a report');
    output.status?.('');
    output.out('the end');
    const erase = '\r\u001b[2K';
    expect(written()).toBe(`${erase}1 up${erase}2 up${erase}a report\n2 up${erase}the end\n`);
    expect(output.columns).toBe(80);
  });

  test('is steered by nobody’s file names', () => {
    const { output, written } = screen(true);
    output.err('a\u001b[2J\u202eb.wav: no\n\tsuch file');
    expect(written()).toBe('a\\u001b[2J\\u202eb.wav: no\n\tsuch file\n');
  });

  test('that is none gets lines', () => {
    const { output } = screen(false);
    expect(output.status).toBeNull();
    expect(output.columns).toBe(110);
  });
});

describe('many calls', () => {
  const input = (path: string) => ({ kind: 'call', path }) as CallInput;
  const a = input('/a/long/path/of/many/folders/a-caller.wav');
  const b = input('b.yaml');

  function placed(of: CallInput, nth: number, change: Partial<CallResult> = {}, bad = false): PlacedCall {
    const result = {
      end: { by: 'caller', callStatus: 'completed', reason: 'caller_hung_up', result: 'success', timedOut: false },
      durationMs: 5_000,
      firstSoundMs: 100,
      answers: [{ callerEndMs: 0, agentStartMs: 0, ms: 500 + nth }],
      bargeIns: [{ atMs: 1, stopMs: 100 + nth, clearMs: 1, truncation: null }],
      deadAir: [{ fromMs: 0, toMs: 9_000, waitingFor: 'caller' }],
      costUsd: 0.01,
      webhookMs: 9,
      warnings: [],
      framesSent: 1_000,
      framesLate: 0,
      ...change,
    } as unknown as CallResult;
    const verdict = { what: 'turns', where: 'e.yaml:1:8', ok: !bad, expected: '1', found: '2' };
    return {
      input: of,
      nth,
      result,
      record: null,
      stops: [],
      verdicts: [verdict],
      interrupted: false,
      dataDir: null,
      startedWallMs: 0,
      tookMs: 0,
    };
  }

  test('are summed up per file and all together, in 80 columns', () => {
    const calls = [
      placed(a, 1),
      placed(a, 2, { deadAir: [{ fromMs: 0, toMs: 3_000, waitingFor: 'agent' }] }, true),
      placed(b, 1, { answers: [], bargeIns: [], costUsd: null, framesLate: 11 }),
      { ...placed(b, 2), interrupted: true, verdicts: [] },
    ];
    const lines = summaryLines(calls, 6, 80);
    expect(lines).toEqual([
      '',
      'file                  good  answer p50  p95  worst  dead air  stops in     cost',
      '…olders/a-caller.wav   1/2         501  502    502     3.0 s       102  $0.0200',
      'b.yaml                 1/1         502  502    502         -       102  $0.0100',
      'all                    2/3         502  502    502     3.0 s       102  $0.0300',
      'ended: 3 caller_hung_up, 1 given up',
      'never placed: 2',
      'FAILED in 1 call: e.yaml:1:8: turns',
      '1 call with more than 1 % of the caller’s frames late: this machine was busy',
    ]);
    for (const line of lines.slice(0, 5)) expect(widthOf(line)).toBeLessThanOrEqual(80);
  });

  test('are told one by one only where something was wrong', () => {
    expect(shortLines(placed(b, 1))).toEqual([]);
    expect(shortLines({ ...placed(b, 1), interrupted: true })).toEqual([]);
    // A file's name makes no second line.
    expect(shortLines(placed(input('a\u001b[31m\nb.yaml'), 1, {}, true))[0]).toMatch(/^a \[31m b\.yaml: /);
    expect(shortLines(placed(b, 3, {}, true))).toEqual([
      'b.yaml (caller 3): 5.0 s, caller_hung_up, by caller; webhook 9 ms, first sound after 100 ms, 1 barge-in',
      '  FAILED e.yaml:1:8: turns: expected 1, found 2',
    ]);
  });

  test('of another server are told by who could be heard when', () => {
    const call = placed(b, 1, {
      callerSpoke: [{ fromMs: 2_000, toMs: 3_500 }],
      agentSpoke: [{ fromMs: 100, toMs: 2_100 }],
      announced: [{ fromMs: 4_000, toMs: 5_000, verb: 'Say', about: 'Goodbye.' }],
      warnings: [{ code: 11_200, reason: '/voice/next answered 403' }],
    });
    expect(callLines(call, 80)).toEqual([
      '',
      'b.yaml: 5.0 s, caller_hung_up, by caller; webhook 9 ms, first sound after 100 ms, 1 barge-in',
      '  at       who           sound',
      '  00:00.1  agent         2.0 s',
      '  00:02.0  caller        1.5 s',
      '  00:04.0  carrier, Say  1.0 s',
      '  The server takes the signature for a forged one: look at --auth-token and --public-url.',
      '  1 of 1 expectation met',
    ]);
  });

  test('of which none was placed have no row', () => {
    expect(summaryLines([], 3, 80)).toEqual([
      '',
      'file  good  answer p50  p95  worst  dead air  stops in  cost',
      'never placed: 3',
    ]);
  });
});
