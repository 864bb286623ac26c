// Turns and tool runs of a call as they are shown. Words come only from their own columns, which retention empties; of the
// stored facts only numbers and outcomes are read.
import type { Selectable } from 'kysely';
import type { CallerTurn } from '../../record/call-record.ts';
import type { ToolsTable, TurnsTable } from '../schema.ts';
import { factsOf } from '../turn-facts.ts';

/** One turn. Times are milliseconds since the media started, or the admission. */
export interface KeptTurn {
  turn: number;
  who: string;
  atMs: number | null;
  /** All words, heard or not; null: none are known, or they are not kept any more. */
  said: string | null;
  /** Of the agent's words those that the caller heard, and those never heard; null of the caller's own. */
  heard: string | null;
  unheard: string | null;
  /** Of the agent: how its sound came out (`heard`, `interrupted`, …), and how much of it was heard and made. */
  outcome: string | null;
  heardMs: number | null;
  receivedMs: number | null;
  sentMs: number | null;
  /** Of the agent: the utterance, the model's answer it belongs to, when the model began it and when it was to sound. */
  utterance: string | null;
  answer: string | null;
  startAtMs: number | null;
  soundAtMs: number | null;
  /** False: the model was still at it when it was stopped, so that words and sound may not match. */
  whole: boolean | null;
  /** Of the caller: the model's id of the turn, and when it reported speech, its end, and the turn. */
  turnId: string | null;
  speechStartAtMs: number | null;
  speechStopAtMs: number | null;
  committedAtMs: number | null;
  /** Of the caller: how long the answer took and whose time that was; null where it was not answered with sound. */
  latency: CallerTurn['latency'];
  /** From the caller's last sound to the answer as they hear it. */
  voiceToVoiceMs: number | null;
}

export interface KeptTool {
  tool: number;
  name: string;
  status: string;
  atMs: number;
  durationMs: number | null;
  arguments: string;
  output: string | null;
}

export function keptTurn(row: Selectable<TurnsTable>): KeptTurn {
  const facts = factsOf(row.facts);
  return {
    turn: row.turn,
    who: row.who,
    atMs: row.at_ms,
    said: row.said,
    heard: row.heard,
    unheard: unheard(row),
    outcome: facts.outcome ?? null,
    heardMs: facts.heardMs ?? null,
    receivedMs: facts.receivedMs ?? null,
    sentMs: facts.sentMs ?? null,
    utterance: facts.utterance ?? null,
    answer: facts.answer ?? null,
    startAtMs: facts.startAtMs ?? null,
    soundAtMs: facts.soundAtMs ?? null,
    whole: facts.whole ?? null,
    turnId: facts.turn ?? null,
    speechStartAtMs: facts.speechStartAtMs ?? null,
    speechStopAtMs: facts.speechStopAtMs ?? null,
    committedAtMs: facts.committedAtMs ?? null,
    latency: facts.latency ?? null,
    voiceToVoiceMs: facts.latency?.voiceToVoiceMs ?? null,
  };
}

/** What is left of what was said behind what was heard. */
function unheard({ said, heard }: Selectable<TurnsTable>): string | null {
  if (said === null || heard === null) return null;
  const all = said.trim();
  return all.startsWith(heard) ? all.slice(heard.length).trim() : null;
}

export const keptTool = (row: Selectable<ToolsTable>): KeptTool => ({
  tool: row.tool,
  name: row.name,
  status: row.status,
  atMs: row.at_ms,
  durationMs: row.duration_ms,
  arguments: row.arguments,
  output: row.output,
});
