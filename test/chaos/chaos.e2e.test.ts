// Chaos in its short form: brief calls, all at once, each struck by a kind of fault of its own, two of them at times. The
// long form with every kind and state is `trunkline chaos`.
import { expect, test } from 'vitest';
import { ChaosRun } from '../../src/chaos/chaos-run.ts';
import { type FaultName, FAULT_NAMES, faultKind } from '../../src/chaos/fault-kinds.ts';
import { Plans } from '../../src/chaos/plan.ts';
import { isGood, tally } from '../../src/chaos/tally.ts';
import { World } from '../../src/chaos/world.ts';

/** What holds a call for more than ten seconds, or differs from its neighbour in a number only. */
const LEFT_TO_THE_LONG_FORM: readonly FaultName[] = [
  ...[
    'handshake_hangs_always',
    'refused_403',
    'refused_429_always',
    'refused_503_always',
    'tls_failure',
    'circuit_open',
  ],
  ...['update_never', 'closed_1000', 'closed_1001', 'closed_1013', 'session_expired', 'closed_again_and_again', 'mute'],
  ...['stops_mid_answer', 'answer_without_quota', 'frames_not_an_object', 'frames_bare', 'frames_huge'],
  ...[
    'frames_binary',
    'frozen',
    'half_open',
    'stops_reading',
    'bad_network',
    'rest_limits',
    'rest_slow',
    'rest_hangs',
    'rest_refuses_once',
  ],
  ...['rest_down', 'tool_hangs', 'tool_rejects_late', 'tool_hangs_unannounced', 'store_hangs', 'clock_back'],
] as const;

/** Beside the other tests of the suite a sound may come a second late; the long form, alone on its machine, allows nothing. */
function isLateByNoise(what: string): boolean {
  const [, ms = '0', allowedMs = '0'] = /^(\d+) ms of silence unexplained .*allowed (\d+)/.exec(what) ?? [];
  return Number(ms) > 0 && Number(ms) <= Number(allowedMs) + 1_000;
}

test('faults of every family at once leave no silence, no call without a name, and nothing behind', {
  timeout: 60_000,
}, async () => {
  const kinds = FAULT_NAMES.filter((fault) => !LEFT_TO_THE_LONG_FORM.includes(fault));
  const drawn = new Plans({ seed: 6, kinds, brief: true });
  // Each of the kinds once, and a control for every four.
  const plans = Array.from({ length: Math.ceil((kinds.length * 5) / 4) }, (_, i) => drawn.of(i + 1));
  const world = await World.start(plans);
  try {
    const run = new ChaosRun(world, plans, {
      ...{ parallel: plans.length, faults: Number.POSITIVE_INFINITY, minutes: 1, staggerMs: 30 },
    });
    const verdicts = await run.placeAll(new AbortController().signal);
    const report = tally(verdicts, {
      ...{ seed: 6, seconds: 0, longestStallMs: world.stalls.longestMs },
      leftovers: await world.leftovers(),
      unhandled: world.unhandled.map(String),
      again: (call) => `call ${call} of the seed`,
    });
    const violations = report.violations.filter(({ what }) => !isLateByNoise(what));
    expect({ ...report, violations }).toMatchObject({ violations: [], leftovers: [], unhandled: [], controlsHurt: 0 });
    expect(isGood({ ...report, violations })).toBe(true);
    expect(report.struck).toBeGreaterThanOrEqual(40);
    const families = new Set(report.rows.map(({ family }) => family));
    expect(families).toEqual(new Set(FAULT_NAMES.map((fault) => faultKind(fault).family)));
    // The faults were there: callers were taken up again, on another session, or by another stream.
    const outcomes = verdicts.map(({ outcome }) => outcome);
    expect(outcomes).toEqual(expect.arrayContaining(['unnoticed', 'resumed']));
    // Which of the two is heard depends on how busy the machine is.
    expect(outcomes.filter((outcome) => outcome?.endsWith('recovered')).length).toBeGreaterThanOrEqual(3);
  } finally {
    await world.close();
  }
});
