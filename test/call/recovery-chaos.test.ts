// Random callers over a model that is lost, refused, mute and slow at random, in virtual time: whatever happens, the call
// is never stuck, ends once, leaves nothing behind, and a model that is well again answers.
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/phone/seeded-random.ts';
import type { Plan, ScriptedModel } from '../support/scripted-model.ts';
import { VirtualLine } from '../support/virtual-line.ts';

const SEEDS = 300;
const STEPS = 25;

/** The model of the session that counts, once it is configured and while it lives. */
function model(line: VirtualLine): ScriptedModel | null {
  const { state } = line.call;
  const present = line.models[Number(state.on.session.slice(1)) - 1];
  return present && present.readyAtMs !== null && !present.closed ? present : null;
}

/** What may happen next; each is tried wherever the call stands. */
function happenings(line: VirtualLine, random: () => number): (() => void)[] {
  const plan = (next: Plan) => () => void model(line)?.plans.push(next);
  const id = `call_${line.events.length}`;
  return [
    () => model(line)?.lose(),
    () => model(line)?.lose(),
    plan({ items: [{ ms: 1_000 }], thinkMs: 1e9 }),
    plan({ items: [{ ms: 6_000, stallAfterMs: 1_000, stallMs: 1e9 }] }),
    plan({ items: [], tools: [{ callId: id, name: 'lookup', arguments: '{}' }] }),
    plan({ items: [{ ms: 500 }], tools: [{ callId: id, name: 'end_call', arguments: '{}' }] }),
    () => model(line)?.speechStarted(),
    () => model(line)?.speechStopped(),
    () => line.report({ type: 'leg.digit_pressed', digit: '7' }),
    () => line.report({ type: 'leg.digit_pressed', digit: '#' }),
    () => {
      if (!line.call.away) line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '1006' });
    },
    () => {
      if (line.call.away) line.startMedia();
    },
    () => line.frame(Math.floor(random() * 1_000_000)),
  ];
}

interface Run {
  line: VirtualLine;
  /** False while the model is refused. */
  well: boolean;
}

function start(random: () => number): Run {
  const run: Run = { well: true } as Run;
  run.line = new VirtualLine({
    random,
    policy: {
      holdBytes: 8_000,
      recoverWithinMs: 8_000,
      resumeWithinMs: 9_000,
      rolloverAfterMs: 20_000,
      models: random() < 0.5 ? 2 : 1,
      greeting: random() < 0.5 ? { by: 'model', say: 'Hello.', protected: random() < 0.5 } : null,
      interruptAfterMs: random() < 0.5 ? 0 : 300,
    },
    interrupts: random() < 0.7,
    answers: random() < 0.7,
    laterModels: [{ readyAfterMs: Math.floor(random() * 1_500) }],
    refuse: () => (run.well ? null : { cause: 'lost', detail: '1013', retry: true }),
    runTool: (_name, settle) =>
      void run.line.clock.at(run.line.clock.nowMs() + random() * 3_000, () => settle({ status: 'ok', output: '{}' })),
  });
  return run;
}

async function play(seed: number): Promise<VirtualLine> {
  const random = seededRandom(seed);
  const run = start(random);
  const { line } = run;
  line.advance(random() * 500);
  line.startMedia();
  for (let n = 0; n < STEPS && line.termination === null; n++) {
    const all = happenings(line, random);
    if (random() < 0.15) run.well = !run.well;
    all[Math.floor(random() * all.length)]?.();
    await Promise.resolve();
    line.advance(random() * (random() < 0.2 ? 5_000 : 600));
    await Promise.resolve();
  }
  run.well = true;
  return line;
}

test(`${SEEDS} random calls end once, by a name, and leave nothing behind`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const line = await play(seed);
    if (line.termination === null) line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: '' });
    // A tool that still runs is waited for; what it settles is heard of in a turn of its own.
    line.advance(4_000);
    await Promise.resolve();
    line.advance(30_000);
    const found = {
      phase: line.call.state.phase,
      ends: line.done('call.end').length,
      faults: line.faults,
      timers: line.clock.pending,
    };
    expect(found, `seed ${seed}`).toEqual({ phase: 'ended', ends: 1, faults: [], timers: 0 });
    const errors = line.models
      .flatMap((model) => model.errors)
      .filter((code) => code !== 'response_cancel_not_active' && code !== 'conversation_already_has_active_response');
    expect(errors, `seed ${seed}`).toEqual([]);
  }
});

test(`after ${SEEDS} random calls that are still up, a caller who asks is heard and answered`, async () => {
  let asked = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const line = await play(seed);
    if (line.call.away) line.startMedia();
    // Whatever was under way comes to its end; what was planned is gone.
    for (const [n, waitMs] of [9_000, 9_000, 1].entries()) {
      for (const one of line.models) one.plans.length = 0;
      if (n === 1 && line.call.state.phase === 'talking' && line.call.state.turn.callerSpeaking)
        model(line)?.speechStopped();
      line.advance(waitMs);
    }
    const present = model(line);
    if (line.termination !== null || line.call.state.phase !== 'talking' || present === null) continue;
    asked += 1;
    present.speechStarted();
    line.advance(800);
    // It may have been lost or replaced meanwhile; whoever heard the beginning tells of the end.
    if (model(line) !== present) continue;
    present.speechStopped();
    const fromMs = line.clock.nowMs();
    line.advance(4_000);
    const answered = line.done('leg.play').some((play) => play.atMs >= fromMs);
    expect(answered || line.termination !== null, `seed ${seed}`).toBe(true);
  }
  expect(asked).toBeGreaterThan(SEEDS / 10);
});
