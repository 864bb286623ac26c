// Recorded callers through the real server, round after round: every call must meet its expectations and come to the same
// result each time. `test/recorded` holds callers, conversation scripts and agents; `trunkline replay` does the rest.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CallResult } from '../src/replay/call-result.ts';
import { type Bench, runBench, shown } from './report.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CALLERS = join(ROOT, 'test', 'recorded', 'callers');
/** Callers who may be silent for a minute; all others meet the default silence policy. */
const PATIENT = /-patient\.yaml$/;
/** Calls of five minutes; the short form leaves them out. */
const LONG = /^(five-minutes|auto-repair)/;
const PATIENT_SECONDS = '60';

await runBench('recorded-calls', 'Recorded callers through the real server', measure);

async function measure(bench: Bench): Promise<void> {
  const rounds = bench.number('rounds', 3, 1);
  const names = readdirSync(CALLERS).filter((name) => name.endsWith('.yaml') && !(bench.short && LONG.test(name)));
  const byName = new Map<string, CallResult[]>(names.map((name) => [name.replace(/\.yaml$/, ''), []]));
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-recorded-'));
  try {
    for (let round = 1; round <= rounds; round++) {
      bench.say(`round ${round} of ${rounds}: ${names.length} calls at once`);
      const runs = [
        { callers: names.filter((name) => PATIENT.test(name)), env: { IDLE_TIMEOUT_SECONDS: PATIENT_SECONDS } },
        { callers: names.filter((name) => !PATIENT.test(name)), env: {} },
      ].filter(({ callers }) => callers.length > 0);
      const outcomes = await Promise.all(
        runs.map(({ callers, env }, i) => replay(callers, env, join(folder, `${round}-${i}`))),
      );
      for (const [i, { code, output }] of outcomes.entries()) {
        bench.fault(code !== 0, `round ${round}: trunkline replay ended with ${code}:\n${output}`);
        for (const name of runs[i]?.callers ?? []) {
          const call = name.replace(/\.yaml$/, '');
          byName.get(call)?.push(readResult(join(folder, `${round}-${i}`, call, 'result.json')));
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }

  bench.table(
    `${rounds} rounds; the slowest of all rounds. Owed: silence in which the caller waited for the agent`,
    [
      'call',
      'seconds',
      'ended as',
      'turns',
      'answers',
      'p95 ms',
      'worst ms',
      'barge-ins',
      'stop ms',
      'truncation off ms',
      'owed > 2 s',
      'same each time',
    ],
    [...byName].map(([call, results]) => row(call, results)),
  );
  for (const [call, results] of byName) {
    const kinds = new Set(results.map((result) => JSON.stringify(outcomeOf(result))));
    bench.fault(kinds.size > 1, `${call} came to ${kinds.size} different results:\n${[...kinds].join('\n')}`);
    bench.figure(`${call}_answer_p95_ms`, worst(results.map(({ answerP95Ms }) => answerP95Ms ?? 0)));
  }
}

/**
 * What must be the same each time: how the call ended, who said what, what was interrupted, which tools ran. Not the
 * figures that are measured on the sound: where somebody speaks up 10 ms earlier, an answer has no gap before it any more.
 */
function outcomeOf({ end, turns, tools, bargeIns, keysPressed, verbs, warnings }: CallResult): object {
  return {
    end,
    turns: turns.map(({ who, text, unheardText }) =>
      who === 'caller' ? { who, text } : { who, all: unheardText === '' },
    ),
    tools: tools?.map(({ name, status, arguments: args }) => ({ name, status, args })),
    bargeIns: bargeIns.map(({ stopMs }) => stopMs !== null),
    keysPressed,
    verbs: verbs.map(({ name }) => name),
    warnings,
  };
}

function row(call: string, results: readonly CallResult[]): string[] {
  const [first] = results;
  if (!first) return [call];
  const bargeIns = results.flatMap((result) => result.bargeIns);
  const owed = results.flatMap(({ deadAir }) => deadAir.filter(({ waitingFor }) => waitingFor === 'agent'));
  const same = new Set(results.map((result) => JSON.stringify(outcomeOf(result)))).size === 1;
  return [
    call,
    shown(first.durationMs / 1_000, 1),
    `${first.end.reason ?? first.end.callStatus}, ${first.end.by}`,
    `${first.turns.length}`,
    `${first.answers.length}`,
    shown(worst(results.map(({ answerP95Ms }) => answerP95Ms ?? Number.NaN)), 0),
    shown(worst(results.flatMap(({ answers }) => answers.map(({ ms }) => ms))), 0),
    `${first.bargeIns.length}`,
    shown(worst(bargeIns.flatMap(({ stopMs }) => stopMs ?? [])), 0),
    shown(worst(bargeIns.flatMap(({ truncation }) => (truncation ? Math.abs(truncation.errorMs) : []))), 0),
    `${owed.length}`,
    same ? 'yes' : 'NO',
  ];
}

function worst(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : Math.max(...values);
}

function readResult(path: string): CallResult {
  return JSON.parse(readFileSync(path, 'utf8')) as CallResult;
}

/** `trunkline replay` as a tester runs it. */
function replay(
  callers: string[],
  env: Record<string, string>,
  out: string,
): Promise<{ code: number; output: string }> {
  const args = ['src/trunkline.mjs', 'replay', ...callers.map((name) => join(CALLERS, name)), '--out', out];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      AGENTS_DIR: join(ROOT, 'test', 'recorded', 'agents'),
      DATA_DIR: join(out, 'data'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (text: Buffer): void => void (output += text.toString());
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 1, output: error.message }));
    // Without the lines of progress.
    const told = (): string => output.replace(/^\d\d:\d\d\.\d .* left\n/gm, '');
    child.once('close', (code) => resolve({ code: code ?? 1, output: told() }));
  });
}
