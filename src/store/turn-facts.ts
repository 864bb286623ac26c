// What is read out of the facts of kept turns. Records of other versions may lack fields or have more, and some facts cannot
// be read at all.
import type { AgentUtterance, CallerTurn } from '../record/call-record.ts';

/** Everything of a turn but words, and who said them. */
export type TurnFacts = Partial<
  Omit<AgentUtterance, 'who' | 'text' | 'heardText' | 'unheardText'> & Omit<CallerTurn, 'who' | 'transcript'>
>;

export function factsOf(text: string): TurnFacts {
  try {
    return (JSON.parse(text) ?? {}) as TurnFacts;
  } catch {
    // Emptied with the words.
    return {};
  }
}

/** The median of the latencies, voice to voice, in milliseconds; of an even number the lower one; null: there is none. */
export function medianLatency(turns: readonly string[]): number | null {
  const answered = turns.map((facts) => factsOf(facts).latency?.voiceToVoiceMs);
  const sorted = answered.filter((ms) => typeof ms === 'number').toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}
