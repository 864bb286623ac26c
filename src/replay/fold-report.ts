// The differences of a folded tape for people: turn by turn, first in words, then the lines themselves.
import type { Tape, TapeEntry } from '../tape/tape.ts';
import { type Change, changesIn, type Difference } from './fold-difference.ts';
import type { FoldTurn } from './fold-turns.ts';
import { decisionText, type Names, otherDetails } from './fold-words.ts';
import { callTime, counted, fit, plainText } from './text-layout.ts';

export interface FoundDifferences {
  diffs: readonly Difference[];
  /** Differences that were only counted. */
  moreDiffs: number;
  turns: readonly FoldTurn[];
}

/** Differences told of the first turn that has some, and of each further one; the rest is counted. */
const SHOWN_OF_FIRST = 3;
const SHOWN_OF_OTHERS = 1;
/** Turns told: what comes later mostly follows from the first. */
const SHOWN_TURNS = 5;
const MAX_SHOWN_CHARS = 400;
const MAX_WORDS_COLUMNS = 60;
const NAME_COLUMNS = 24;
const SHOWN_DETAILS = 3;

/** @param mediaAtMs where times of the call count from, monotonic */
export function foldReport(tape: Tape, { diffs, moreDiffs, turns }: FoundDifferences, mediaAtMs: number): string {
  const baseMs = tape.header.opening.atMs;
  const names: Names = {
    time: (atMs) => callTime(atMs - mediaAtMs),
    utterance(id) {
      const words = plainText(turns.find((turn) => turn.id === id)?.words ?? '');
      return words === '' ? id : `${id} ${JSON.stringify(fit(words, NAME_COLUMNS))}`;
    },
  };
  const turnAt = (t: number) => turns.findLastIndex(({ atMs }) => atMs <= baseMs + t);
  const groups = [...Map.groupBy(diffs, ({ t }) => turnAt(t))];
  const many = diffs.length + moreDiffs;
  const shown = groups.slice(0, SHOWN_TURNS);
  const hidden = groups.length - shown.length;
  return [
    `decided differently: ${counted(many, 'difference')} in ${counted(groups.length, 'turn')}`,
    ...(many > 1 ? ['  Look at the first one first: what comes later may only follow from it.'] : []),
    ...shown.flatMap(([index, ofTurn], i) => {
      const told = ofTurn.slice(0, i === 0 ? SHOWN_OF_FIRST : SHOWN_OF_OTHERS);
      const untold = ofTurn.length - told.length;
      return [
        '',
        `  ${turnTitle(turns[index], index, names)}`,
        ...told.flatMap((diff) => differenceLines(diff, tape, names, baseMs)),
        ...(untold > 0 ? [`    and ${untold} more in this turn`] : []),
      ];
    }),
    ...(hidden > 0 || moreDiffs > 0 ? ['', `  and ${hidden > 0 ? `${counted(hidden, 'turn')} more` : 'more'}`] : []),
  ].join('\n');
}

/** Nobody's turn: before the first word. */
function turnTitle(turn: FoldTurn | undefined, index: number, names: Names): string {
  if (!turn) return 'before anybody spoke';
  const words = plainText(turn.words);
  const said = words === '' ? 'no words known' : JSON.stringify(fit(words, MAX_WORDS_COLUMNS));
  return `turn ${index + 1}, the ${turn.who} at ${names.time(turn.atMs)}: ${said}`;
}

function differenceLines(diff: Difference, tape: Tape, names: Names, baseMs: number): string[] {
  const { after, changes } = changesIn(diff);
  const because = after === null ? '' : ` after ${causeText(after)}`;
  const entry = tape.entries.find(({ line }) => line === diff.line) as TapeEntry;
  return [
    `    at ${names.time(baseMs + diff.t)}${because}, line ${diff.line} of the tape`,
    ...changes.flatMap((change) => changeLines(change, names)),
    ...(changes.length === 0 ? ['      the same decisions in another order'] : []),
    `      raw then: ${diff.expected === null ? 'nothing' : short(diff.expected)}`,
    `      raw now:  ${diff.got === null ? 'nothing' : short(diff.got)}`,
    ...(entry.line > 2 ? [`      raw cause: ${causeLine(tape, entry)}`] : []),
  ];
}

const causeText = ({ tape, replay }: { tape: string | null; replay: string | null }): string =>
  tape === null || replay === null || tape === replay ? String(tape ?? replay) : `${tape} then, ${replay} now`;

function changeLines({ tape, replay }: Change, names: Names): string[] {
  const text = (decision: Change['tape']) => (decision === null ? 'nothing' : decisionText(decision, names));
  const [a, b] = [text(tape), text(replay)].map((words) => fit(words, MAX_SHOWN_CHARS));
  // Two that read the same differ in something that the words leave out.
  const details = a === b ? otherDetails(tape, replay).slice(0, SHOWN_DETAILS) : [];
  return [
    `      then  ${a}`,
    `      now   ${b}`,
    ...details.map((detail) => `        ${fit(detail, MAX_SHOWN_CHARS)}`),
  ];
}

/** The last input before a line: what was decided on. */
function causeLine(tape: Tape, { line }: TapeEntry): string {
  const cause = tape.entries.findLast((e) => e.line < line && (e.kind === 'input' || e.kind === 'frame'));
  return cause ? `line ${cause.line}: ${short(cause.text)}` : 'the beginning of the call';
}

const short = (text: string): string =>
  text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}… (${text.length} characters)` : text;
