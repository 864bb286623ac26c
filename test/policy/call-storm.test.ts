// A thousand tool calls of whole calls, with random faults, hang-ups, interruptions, lost sessions, duplicates, and consent
// that is given, refused, late or missing. Judged from outside: what the business did, what the model was told, and a second
// reading of the rule of consent. `TRK_STORM=20` blows twenty times as long; a seed that failed is in the test's name.
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/phone/seeded-random.ts';
import { objection, same } from './consent-judge.ts';
import { isIrreversible, meaning, stormCall, type Stormed } from './storm-call.ts';

const LONG = Math.max(1, Number(process.env['TRK_STORM']) || 1);
const FIRST = Number(process.env['TRK_STORM_SEED']) || 1;
const SEEDS = Array.from({ length: LONG }, (_, i) => FIRST + i);
const ASKED = 1_000;

/** What one call may not show. */
function faultsOf({ line, log, deeds, consent, open, hanging }: Stormed): string[] {
  const faults: string[] = line.faults.map((fault) => `a fault: ${String(fault)}`);
  const agreed = new Map<string, number>();
  for (const [at, { effects }] of log.entries())
    for (const effect of effects) {
      if (effect.do !== 'tool.run' || !effect.agreed) continue;
      agreed.set(effect.toolCall, at);
      if (!isIrreversible(effect.name)) continue;
      const why = objection(log, at, effect, { ...consent, meaning });
      if (why !== null)
        faults.push(`${effect.toolCall} ${effect.name} ran as agreed to, at ${log[at]?.event.atMs}: ${why}`);
    }
  for (const deed of deeds)
    if (isIrreversible(deed.tool) && !agreed.has(deed.toolCall))
      faults.push(`${deed.toolCall} ${deed.tool} was done without a yes`);

  // At most once: nothing twice under one key or for one request, and the same again only after something else was done.
  for (const [i, deed] of deeds.entries()) {
    if (deed.tool === 'find') continue;
    const before = deeds.slice(0, i).findLast((one) => one.tool === deed.tool && same(one.args, deed.args));
    if (!before) continue;
    if (before.key === deed.key || before.toolCall === deed.toolCall)
      faults.push(`${deed.toolCall} ${deed.tool} was done twice`);
    const other = deeds.some(
      (one) => one.tool !== 'find' && one.tool !== deed.tool && one.began > before.order && one.order < deed.order,
    );
    if (!other) faults.push(`${deed.toolCall} ${deed.tool} ${deed.args} was done again after ${before.toolCall}`);
  }

  faults.push(...unanswered({ line, log }));
  if (line.call.state.phase !== 'ended') faults.push('the call is not over');
  if (line.clock.pending !== 0) faults.push(`${line.clock.pending} timers are left`);
  if (open.length !== hanging) faults.push(`${open.length} runs are open, ${hanging} hang at the business`);
  if (open.some(({ signal }) => !signal.aborted)) faults.push('a run that hangs was not told to stop');
  return faults;
}

/** Tool calls with no outcome, or two: each has one, in the session that asked or with what another was told. */
function unanswered({ line, log }: Pick<Stormed, 'line' | 'log'>): string[] {
  const faults: string[] = [];
  const called = new Map<string, { at: number; session: string }>();
  for (const [at, { event, effects }] of log.entries())
    if (
      event.type === 'tool.called' &&
      !called.has(event.toolCall) &&
      !effects.some(({ do: what }) => what === 'note.ignored')
    )
      called.set(event.toolCall, { at, session: event.on.session });
  const settled = Map.groupBy(
    log.flatMap(({ effects }) => effects.filter((one) => one.do === 'session.settle_tool')),
    (one) => (one.do === 'session.settle_tool' ? one.toolCall : ''),
  );
  const ended = log.findIndex(({ effects }) => effects.some((one) => one.do === 'call.end'));
  for (const [id, { at, session }] of called) {
    const told = settled.get(id)?.length ?? 0;
    if (told > 1) faults.push(`${id} was answered ${told} times`);
    if (told === 1) continue;
    const recalled = log
      .slice(at)
      .some(({ effects }) =>
        effects.some(
          (one) =>
            one.do === 'session.recall' &&
            one.history.some((said) => said.who === 'tool' && said.toolCall === id && said.output !== null),
        ),
      );
    // Nobody is there to be told: no session follows the one that went.
    const gone = log
      .slice(at)
      .findLast(({ event, session: current }) => event.type === 'session.closed' && event.on.session === current);
    const ran = log.some(({ event }) => event.type === 'tool.settled' && event.toolCall === id);
    const begun = log.some(({ effects }) => effects.some((one) => one.do === 'tool.run' && one.toolCall === id));
    // Whoever ran has settled by now, the caller gone or not: nothing of it is left.
    if (begun && !ran) faults.push(`${id} ran and never settled`);
    const wasOver =
      log.findIndex(({ event }) => event.type === 'tool.settled' && event.toolCall === id) >= ended || !begun;
    if (!recalled && gone === undefined && !(ended >= 0 && wasOver))
      faults.push(`${id} of ${session} was never answered`);
  }
  for (const [n, { received }] of line.models.entries()) {
    const outputs = received.flatMap(({ item }) => {
      const { type, call_id: id } = (item ?? {}) as { type?: string; call_id?: string };
      return type === 'function_call_output' ? [id] : [];
    });
    // One that repeats an id may be told of each in turn only where the first was forgotten; 64 are remembered.
    if (new Set(outputs).size !== outputs.length) faults.push(`session ${n + 1} was told twice of one tool call`);
  }
  return faults;
}

test.each(SEEDS)(
  'tool calls are answered once, and what cannot be undone is done once and only with a yes (seed %i)',
  async (seed) => {
    const random = seededRandom(seed);
    const faults: string[] = [];
    const seen = { asked: 0, agreed: 0, refused: 0, deeds: 0, calls: 0, lost: 0 };
    while (seen.asked < ASKED) {
      const stormed = await stormCall(random, ASKED - seen.asked);
      seen.calls += 1;
      faults.push(...faultsOf(stormed).map((fault) => `call ${seen.calls}: ${fault}`));
      seen.asked += stormed.asked;
      seen.deeds += stormed.deeds.filter(({ tool }) => isIrreversible(tool)).length;
      seen.lost += stormed.line.models.length - 1;
      for (const { effects } of stormed.log)
        for (const effect of effects) {
          if (effect.do === 'tool.run' && effect.agreed) seen.agreed += 1;
          if (effect.do === 'session.settle_tool' && effect.output.startsWith('Not done')) seen.refused += 1;
        }
    }
    if (process.env['TRK_STORM_TELL']) console.log(seen);
    expect(faults).toEqual([]);
    // The storm blew.
    expect(seen.agreed).toBeGreaterThan(20);
    expect(seen.refused).toBeGreaterThan(50);
    expect(seen.deeds).toBeGreaterThan(10);
    expect(seen.lost).toBeGreaterThan(10);
  },
);
