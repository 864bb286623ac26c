// Who had agreed to what, judged from outside: a second reading of the rule, over what a call was told and did, that shares
// no line with the call's own. It looks back from each irreversible run instead of keeping a state.
//
// The rule: the same arguments were asked for before and were sound; since then something was said to the caller which was
// heard whole; since then the caller answered, by a turn with a yes and no no in its words where words are known, or by the
// key 1. Nothing else was done meanwhile, the answer was not used before, and is not older than three minutes.
import type { CallEffect } from '../../src/call/effect.ts';
import type { CallEvent } from '../../src/call/event.ts';

export interface Entry {
  /** The session that counted then: another one's turns are none of this call's. */
  session: string;
  event: CallEvent;
  effects: readonly CallEffect[];
}

export interface JudgeOptions {
  by: 'voice_or_key' | 'key';
  transcribes: boolean;
  /** What a caller's words mean. */
  meaning: (text: string) => 'yes' | 'no' | 'unclear';
}

const VALID_MS = 180_000;
const WORDS_MS = 2_500;

type Run = Extract<CallEffect, { do: 'tool.run' }>;

/** Why a run that was let through as agreed to was not; null: it was. `at`: the entry that let it through. */
export function objection(
  log: readonly Entry[],
  at: number,
  run: Run,
  { by, transcribes, meaning }: JudgeOptions,
): string | null {
  const asked = lastIndex(log, at, ({ event }) => event.type === 'tool.settled' && event.status === 'unconfirmed');
  if (asked < 0) return 'it was never asked for before';
  const first = callOf(log, asked);
  if (first === null || first.name !== run.name || !same(first.arguments, run.arguments))
    return 'what was asked for last was something else';
  if (atMs(log, at) - atMs(log, asked) > VALID_MS) return 'it was asked for too long ago';
  if (between(log, asked, at).some(({ effects }) => effects.some((one) => one.do === 'tool.run' && one.agreed)))
    return 'the answer was used before';

  const answer = firstAnswer(log, asked, at);
  if (answer === null) return 'the caller has not answered what was heard whole';
  for (let i = answer.begunAt; i < at; i += 1) {
    const { event, effects } = log[i]!;
    if (event.type === 'tool.settled' && event.status === 'ok' && !isIgnored(effects))
      return 'something else was done meanwhile';
  }

  if (isSpeaking(log, at)) return 'the caller is still speaking';
  let keyAt = -1;
  for (let i = answer.at; i <= at; i += 1) {
    const { event, effects } = log[i]!;
    if (event.type !== 'leg.digit_pressed' || isIgnored(effects)) continue;
    if (event.digit !== '1') return 'the caller pressed another key';
    keyAt = i;
  }
  if (by === 'key' && keyAt < 0) return 'no key was pressed';
  let yes = false;
  let turns = 0;
  for (let i = Math.max(answer.at, keyAt); i <= at; i += 1) {
    const { event } = log[i]!;
    if (event.type !== 'turn.committed' || !isTurn(log[i]!)) continue;
    turns += 1;
    const words = log
      .slice(i, at + 1)
      .find((one) => one.event.type === 'turn.transcribed' && one.event.turn === event.turn)?.event;
    if (words?.type !== 'turn.transcribed') {
      if (transcribes && !waited(log, i, at, { name: run.name, answered: answer.at }))
        return 'it did not wait for the words';
      continue;
    }
    const means = meaning(words.text);
    if (means === 'no') return 'the caller said no';
    if (means === 'yes') yes = true;
  }
  if (keyAt >= 0) return null;
  if (turns === 0) return 'the caller said nothing';
  return yes || !transcribes ? null : 'the caller did not say yes';
}

/** The first turn or key of the caller at a moment when all that was said since `asked` had been heard whole. */
function firstAnswer(log: readonly Entry[], asked: number, at: number): { at: number; begunAt: number } | null {
  for (let i = asked + 1; i <= at; i += 1) {
    const { event, effects } = log[i]!;
    const isKey = event.type === 'leg.digit_pressed' && event.digit === '1' && !isIgnored(effects);
    if (!isKey && !isTurn(log[i]!)) continue;
    const begunAt = heardWholeSince(log, asked, i);
    if (begunAt !== null) return { at: i, begunAt };
  }
  return null;
}

/** When what was heard whole by `until` began; null: nothing was. */
function heardWholeSince(log: readonly Entry[], asked: number, until: number): number | null {
  let open = new Map<string, number>();
  let heard: number | null = null;
  const known = new Set<string>();
  const broken = (): void => {
    open = new Map();
    heard = null;
  };
  for (let i = 0; i < until; i += 1) {
    const { event, effects } = log[i]!;
    // What is left of an answer that broke off may sound on: it is not all of it.
    if (
      i > asked &&
      event.type === 'answer.ended' &&
      event.status !== 'completed' &&
      open.size > 0 &&
      !isIgnored(effects)
    )
      broken();
    for (const effect of effects) {
      if (effect.do === 'shelf.put' && !known.has(effect.utterance)) {
        known.add(effect.utterance);
        if (i <= asked) continue;
        if (wasDictated(log, i)) broken();
        else {
          open.set(effect.utterance, i);
        }
      }
      if (effect.do === 'session.close' && i > asked && open.size > 0) broken();
      if (effect.do !== 'note.settled' || !open.has(effect.utterance)) continue;
      if (effect.outcome !== 'heard') broken();
      else {
        heard ??= open.get(effect.utterance)!;
        open.delete(effect.utterance);
      }
    }
  }
  return open.size === 0 ? heard : null;
}

/** The words that sounded then were ours: a question whether anybody is there is no read-back. */
function wasDictated(log: readonly Entry[], at: number): boolean {
  for (let i = at; i >= 0; i -= 1) {
    const { event, effects } = log[i]!;
    for (const effect of effects.toReversed()) {
      if (effect.do === 'session.speak' || effect.do === 'session.last_words')
        return effect.do === 'session.last_words' || effect.say !== null;
      if (effect.do === 'session.settle_tool' && !effect.quietly) return false;
    }
    if (event.type === 'turn.committed') return false;
  }
  return false;
}

/** The words of a turn were waited for in vain, from when it was over and they were wanted. */
function waited(
  log: readonly Entry[],
  turn: number,
  at: number,
  { name, answered }: { name: string; answered: number },
): boolean {
  const asked = log.slice(answered, at + 1).find(({ event }) => event.type === 'tool.called' && event.name === name);
  return asked !== undefined && atMs(log, at) - Math.max(asked.event.atMs, atMs(log, turn)) >= WORDS_MS;
}

function isSpeaking(log: readonly Entry[], at: number): boolean {
  for (let i = at; i >= 0; i -= 1) {
    const { event, effects, session } = log[i]!;
    // A session that takes over has not heard the beginning, and says so when it hears speech itself.
    if (effects.some((one) => one.do === 'session.close' || one.do === 'session.recall')) return false;
    if (event.on.session !== session) continue;
    if (event.type === 'speech.stopped' || event.type === 'turn.committed') return false;
    if (event.type === 'speech.started') return true;
  }
  return false;
}

const isTurn = ({ event, effects, session }: Entry): boolean =>
  event.type === 'turn.committed' && event.on.session === session && !isIgnored(effects);

const isIgnored = (effects: readonly CallEffect[]): boolean => effects.some((one) => one.do === 'note.ignored');

const between = (log: readonly Entry[], from: number, to: number): readonly Entry[] => log.slice(from + 1, to);

const atMs = (log: readonly Entry[], at: number): number => log[at]?.event.atMs ?? 0;

function lastIndex(log: readonly Entry[], before: number, fits: (entry: Entry) => boolean): number {
  for (let i = before - 1; i >= 0; i -= 1) if (fits(log[i]!)) return i;
  return -1;
}

/** The tool call of an outcome. */
function callOf(log: readonly Entry[], settled: number): { name: string; arguments: string } | null {
  const { event } = log[settled]!;
  if (event.type !== 'tool.settled') return null;
  const called = log.find((one) => one.event.type === 'tool.called' && one.event.toolCall === event.toolCall)?.event;
  return called?.type === 'tool.called' ? called : null;
}

/** Equal however they are written. */
export function same(a: string, b: string): boolean {
  return flat(JSON.parse(a)) === flat(JSON.parse(b));
}

const flat = (value: unknown): string =>
  typeof value !== 'object' || value === null
    ? JSON.stringify(value)
    : Object.keys(value)
        .sort()
        .map((key) => `${JSON.stringify(key)}:${flat((value as Record<string, unknown>)[key])}`)
        .join();
