// Guardrails of the agent file: patterns that are looked for in what the agent says, as its words appear (they run ahead of
// the sound), and in what tools are asked for. What offends is stopped. Pure.
import { cause, change, type Draft } from './draft.ts';
import { askToSay, giveUp } from './ending.ts';
import type { Guardrail } from './policy.ts';
import { stopSpeaking } from './speaking.ts';

/** A model that offends so often in a row does nothing else. */
const MAX_IN_ROW = 3;

/** What to do instead, where a guardrail objects; null: none does. */
export function offence(d: Draft, watch: Guardrail['watch'], text: string): string | null {
  const { guardrails } = d.state.policy.errands;
  if (guardrails.length === 0) return null;
  const texts = [text, plain(text)];
  const found = guardrails.find(
    (one) => one.watch === watch && texts.some((each) => regularOf(one.pattern).test(each)),
  );
  if (found === undefined) return null;
  cause(d, { do: 'note.guarded', guardrail: found.name });
  return found.instead;
}

/** As it sounds: wide letters and digits are those they stand for, nothing is hidden between them, blanks are one blank. */
const plain = (text: string): string =>
  text
    .normalize('NFKC')
    .replace(/\p{Cf}/gu, '')
    .replace(/\s+/gu, ' ');

/** Words of an utterance have appeared: what offends is stopped before it is heard whole. */
export function guardSpeech(d: Draft, utterance: string): void {
  const { errands } = d.state.policy;
  if (errands.guardrails.length === 0 || d.state.guarded.utterance === utterance) return;
  const said = d.state.history.find((one) => one.who === 'agent' && one.utterance === utterance);
  if (said?.who !== 'agent') return;
  const instead = offence(d, 'speech', said.text);
  if (instead === null) return;
  const inRow = d.state.guarded.inRow + 1;
  change(d, { guarded: { utterance, inRow } });
  // Also of the last one nothing more is heard.
  stopSpeaking(d, 'our_decision');
  if (inRow >= MAX_IN_ROW) return giveUp(d, 'model_failed', 'guardrail');
  if (d.state.phase !== 'talking') return;
  cause(d, { do: 'session.tell', role: 'system', text: `You were stopped by a rule. ${instead}` });
  askToSay(d, null);
}

/** Something was heard that offended nobody. */
export function unoffending(d: Draft, utterance: string): void {
  const { guarded } = d.state;
  if (guarded.inRow > 0 && guarded.utterance !== utterance) change(d, { guarded: { ...guarded, inRow: 0 } });
}

/** Compiled once per process; there are as many as agent files name. */
const compiled = new Map<string, RegExp>();

function regularOf(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known) return known;
  const made = new RegExp(pattern, 'iu');
  compiled.set(pattern, made);
  return made;
}
