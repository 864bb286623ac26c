// One call of the storm: a model that asks for whatever it likes, a caller who answers, interrupts, presses keys and hangs up,
// sessions and media that are lost, and a business that fails in every way. All of it follows from one seed.
import type { CallPolicy } from '../../src/call/policy.ts';
import { createToolRunner } from '../../src/tools/runner.ts';
import { type Tool, type ToolContext, ToolFailure, type ToolPolicy } from '../../src/tools/tool.ts';
import { NO_ERRANDS } from '../support/no-errands.ts';
import type { Plan } from '../support/scripted-model.ts';
import { VirtualLine } from '../support/virtual-line.ts';
import type { Entry } from './consent-judge.ts';

/** Something that really happened at the business. */
export interface Deed {
  toolCall: string;
  tool: string;
  args: string;
  key: string;
  /** Steps of the business: when its run began, and when it was done. */
  began: number;
  order: number;
}

export interface Stormed {
  line: VirtualLine;
  log: Entry[];
  deeds: Deed[];
  consent: CallPolicy['errands']['consent'];
  /** Runs that the business has not answered, told to stop or not. */
  open: { tool: string; signal: AbortSignal }[];
  hanging: number;
  /** Tool calls of the model. */
  asked: number;
}

const SAYS = {
  yes: ['Yes.', 'yes, PLEASE', 'Okay then.'],
  no: ['No.', 'Yes. No, wait!', 'okay, don\u2019t'],
  unclear: ['Well.', 'Yesterday.', 'And what does it cost?', ''],
} as const;

export const meaning = (text: string): keyof typeof SAYS =>
  (Object.keys(SAYS) as (keyof typeof SAYS)[]).find((kind) => (SAYS[kind] as readonly string[]).includes(text)) ??
  'unclear';

const POLICIES: Record<string, Partial<ToolPolicy>> = {
  find: { effect: 'reads' },
  book: { effect: 'writes', atOnce: 3 },
  move: { effect: 'writes', idempotent: true, retries: 1 },
  cancel: { effect: 'irreversible' },
  pay: { effect: 'irreversible', idempotent: true, retries: 2 },
};

export const isIrreversible = (tool: string): boolean => POLICIES[tool]?.effect === 'irreversible';

interface Wish {
  name: string;
  slot: number;
}

export async function stormCall(random: () => number, mostAsked: number): Promise<Stormed> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const log: Entry[] = [];
  const deeds: Deed[] = [];
  const open: Stormed['open'] = [];
  const known = new Set<string>();
  const counts = { steps: 0, hanging: 0 };
  const consent: CallPolicy['errands']['consent'] = {
    by: random() < 0.15 ? 'key' : 'voice_or_key',
    transcribes: random() < 0.85,
    ...{ yes: ['yes', 'okay'], no: ['no', 'wait', "don't"] },
  };
  let runner: ReturnType<ReturnType<typeof createToolRunner>['forCall']> | null = null;

  const run =
    (name: string, idempotent: boolean) =>
    async (args: Record<string, unknown>, { toolCall, idempotencyKey: key, signal }: ToolContext): Promise<unknown> => {
      const began = (counts.steps += 1);
      const mine = { tool: name, signal };
      open.push(mine);
      const act = (): void => {
        if (idempotent && known.has(key)) return;
        known.add(key);
        counts.steps += 1;
        deeds.push({ toolCall, tool: name, args: JSON.stringify(args), key, began, order: counts.steps });
      };
      const wait = (ms: number) => new Promise<void>((done) => line.clock.at(line.clock.nowMs() + ms, done));
      const dice = random();
      if (dice > 0.95) {
        counts.hanging += 1;
        if (random() < 0.5) act();
        await new Promise(() => {});
      }
      try {
        if (dice < 0.45) act();
        else if (dice < 0.65) {
          await wait(random() * 3_000);
          act();
        } else if (dice < 0.72) throw new Error('out of order');
        else if (dice < 0.78) {
          act();
          throw new ToolFailure('No answer.', { passing: true });
        } else if (dice < 0.84) throw new ToolFailure('Try again.', { passing: true, nothingDone: true });
        else if (dice < 0.9) throw new ToolFailure('That is taken.');
        else {
          await wait(7_000 + random() * 5_000);
          act();
        }
        return { done: name };
      } finally {
        open.splice(open.indexOf(mine), 1);
      }
    };

  // The line tells of its first events before it is there.
  let counting: VirtualLine['call'] | null = null;
  const line: VirtualLine = new VirtualLine({
    policy: {
      errands: { ...NO_ERRANDS, consent },
      ...{ recoverWithinMs: 8_000, holdBytes: 8_000, resumeWithinMs: 9_000, silenceMs: 7_000, maxCallMs: 3_600_000 },
      interruptAfterMs: pick([0, 0, 400]),
      rolloverAfterMs: pick([25_000, 3_300_000]),
    },
    ...{ delayMs: 30, jitterMs: 40, random, modelDelayMs: pick([0, 40]) },
    model: { answer: { items: [{ ms: 500 }], thinkMs: 100 } },
    laterModels: [{ answer: { items: [{ ms: 500 }], thinkMs: 100 } }],
    onlookers: [
      {
        stepped: (event, effects) => {
          const session = counting?.state.on.session ?? 's1';
          log.push({ session, event, effects });
        },
      },
    ],
    runTool: (_name, settle, _signal, wanted) => {
      runner ??= createToolRunner(
        Object.entries(POLICIES).map(([name, policy]): Tool => {
          const parameters = {
            type: 'object',
            properties: { slot: { type: 'integer' }, note: { type: 'string' } },
            required: ['slot'],
          };
          return { name, description: name, parameters, policy, run: run(name, policy.idempotent === true) };
        }),
        { clock: line.clock, deadlineMs: 8_000, random },
      ).forCall({
        ...{ callId: 'call-1', from: { kind: 'pstn', value: '+15550100' }, to: { kind: 'pstn', value: '+15550199' } },
        digits: () => null,
      });
      void runner.run(wanted).then(settle);
    },
  });

  counting = line.call;
  /** The one that hears the caller now; another may be getting ready. */
  const model = (): VirtualLine['model'] =>
    line.models[line.opened.findIndex(({ session }) => session === line.call.state.on.session)] ?? line.model;

  // --- the model
  let wish: Wish = { name: 'cancel', slot: 1 };
  const ids: string[] = [];
  const tool = ({ name, slot }: Wish): NonNullable<Plan['tools']>[number] => {
    const text = random() < 0.5 ? `{"slot":${slot},"note":"x"}` : ` { "note": "x", "slot": ${slot}.0 } `;
    const callId = ids.length > 0 && random() < 0.04 ? pick(ids) : `t${ids.length + 1}`;
    ids.push(callId);
    const odd = random();
    return {
      callId,
      name: odd < 0.02 ? 'nothing' : name,
      arguments: odd > 0.97 ? pick(['{', '[]', '{"slot":"a"}', '']) : text,
    };
  };
  // Most calls have a model that mostly does as it is told: it reads back, waits, and asks again.
  const tidy = random() < 0.7;
  let askedLast = false;
  const plan = (): Plan => {
    const planned = random() < (tidy ? 0.75 : 0) && asked() < mostAsked ? nextStep() : anyStep();
    askedLast = planned.tools !== undefined;
    return planned;
  };
  const nextStep = (): Plan =>
    askedLast
      ? { items: [{ ms: 300 + Math.floor(random() * 1_000) }], thinkMs: 100 }
      : { items: [], tools: [tool(wish)], thinkMs: 100 };
  const asked = (): number => log.filter(({ event }) => event.type === 'tool.called').length;
  const anyStep = (): Plan => {
    const dice = random();
    const thinkMs = 50 + random() * 400;
    const speech = { ms: 200 + Math.floor(random() * 1_800) };
    if (dice > 0.9)
      wish = { name: pick(['find', 'book', 'move', 'cancel', 'pay', 'pay', 'cancel']), slot: Math.floor(random() * 3) };
    if (asked() >= mostAsked || dice < 0.3) return { items: [speech], thinkMs };
    if (dice < 0.34) return { items: [speech], thinkMs, status: pick(['failed', 'incomplete']) };
    if (dice < 0.4) return { items: [speech, speech], thinkMs };
    if (dice < 0.85) return { items: [], tools: [tool(wish)], thinkMs };
    if (dice < 0.92) return { items: [speech], tools: [tool(wish)], thinkMs };
    return {
      items: [],
      tools: [tool(wish), tool({ name: pick(['find', 'book', 'move']), slot: 0 }), tool(wish)],
      thinkMs,
    };
  };
  const refill = (): void => {
    for (const one of line.models) if (!one.closed && one.plans.length === 0) one.plans.push(plan());
  };

  // --- the caller
  const understand = (): void => {
    const heard = model();
    const turn = line.events.findLast(({ type }) => type === 'turn.committed');
    const transcript = pick(SAYS[random() < 0.55 ? 'yes' : random() < 0.35 ? 'no' : 'unclear']);
    const lateMs = random() < 0.7 ? random() * 300 : random() * 4_000;
    if (turn?.type !== 'turn.committed' || random() < 0.06) return;
    const tell = { type: 'conversation.item.input_audio_transcription.completed', item_id: turn.turn, transcript };
    line.clock.at(line.clock.nowMs() + lateMs, () => heard.send(tell));
  };
  let speaksUntilMs = 0;
  let spoke = false;
  const isSpeaking = (): boolean => (line.buffer.endMs ?? 0) > line.clock.nowMs();
  const behave = (): void => {
    const nowMs = line.clock.nowMs();
    const { state } = line.call;
    if (state.phase !== 'talking' && state.phase !== 'leaving') return;
    if (state.away !== null) return void (random() < 0.1 && line.startMedia());
    if (spoke) {
      if (nowMs < speaksUntilMs) return;
      spoke = false;
      model().speechStopped();
      // The model's side may be some way away.
      line.clock.at(nowMs + 60, understand);
      return;
    }
    const dice = random();
    if (dice < (isSpeaking() ? 0.02 : 0.12) && state.session === 'ready') {
      spoke = true;
      speaksUntilMs = nowMs + 150 + random() * 600;
      return model().speechStarted();
    }
    if (dice > 0.988)
      return line.report({ type: 'leg.digit_pressed', digit: random() < 0.75 ? '1' : pick(['2', '#', '0']) });
    if (dice > 0.985) return state.session === 'ready' ? model().lose() : undefined;
    if (dice > 0.9835) line.report({ type: 'leg.closed', cause: 'socket_lost', detail: 'gone' });
  };

  line.startMedia();
  const endsAtMs = 30_000 + random() * 90_000;
  while (line.call.state.phase !== 'ended' && line.clock.nowMs() < endsAtMs) {
    refill();
    behave();
    line.advance(20 + random() * 100);
    await turnOfTheLoop();
  }
  if (line.call.state.phase !== 'ended') line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: '' });
  for (let n = 0; n < 120; n += 1) {
    await turnOfTheLoop();
    line.advance(500);
  }
  await turnOfTheLoop();
  return { line, log, deeds, consent, open, hanging: counts.hanging, asked: asked() };
}

const turnOfTheLoop = (): Promise<void> => new Promise((done) => setImmediate(done));
