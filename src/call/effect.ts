// Everything a call can cause, as plain data. The machine returns effects, the shell performs them in order.
import type { AudioChunk } from '../audio/chunk.ts';
import type { NextStep } from '../carrier/carrier.ts';
import type { RealtimeRequest, Usage, UtteranceId } from '../realtime/session.ts';
import type { Origin, TimerName } from './event.ts';
import type { Termination } from './termination.ts';

/** What became of one utterance, for records and latency: settled exactly once. */
export interface SettledUtterance {
  utterance: UtteranceId;
  outcome: 'heard' | 'interrupted' | 'unheard';
  heardMs: number;
  sentMs: number;
  receivedMs: number;
}

export type UnaddressedEffect =
  /**
   * Take bytes [fromByte, toByte) of an utterance from the shelf, fill up with `padBytes` of silence to whole frames, and
   * queue them at the carrier. `startsAtMs` is when the ledger expects the first byte to sound.
   */
  | { do: 'leg.play'; utterance: UtteranceId; fromByte: number; toByte: number; padBytes: number; startsAtMs: number }
  | { do: 'leg.mark'; mark: string }
  | { do: 'leg.clear' }
  /** Ask the carrier to open a media stream of this call again. */
  | { do: 'leg.recall' }
  /**
   * Send the caller on; the call lives, and may get the caller back. `by` order: the carrier is told to, where it can be;
   * else the media ends and the carrier asks. `person.moved` tells that it did.
   */
  | { do: 'leg.move'; next: NextStep; by: 'order' | 'close' }
  /** End the media; `next` is stored first, so that any process can tell the carrier what follows. */
  | { do: 'leg.close'; next: NextStep }
  | { do: 'session.append'; chunk: AudioChunk }
  | { do: 'session.append_silence'; ms: number }
  | RealtimeRequest
  /** Opens a further session under this name, with the first or second model of the agent (`target` 0 or 1), after a while. */
  | { do: 'session.open'; session: string; agent: string; target: number; afterMs: number }
  /** The caller's latest audio once more, to a session that takes over. */
  | { do: 'session.append_recent'; ms: number }
  /** Ends the session that it is addressed to. */
  | { do: 'session.close' }
  | { do: 'shelf.put'; utterance: UtteranceId; chunk: AudioChunk }
  /** The tones of keys, as an utterance. */
  | { do: 'shelf.tones'; utterance: UtteranceId; keys: string }
  | { do: 'shelf.drop'; utterance: UtteranceId }
  /** Keeps what is keyed in from now on under this name, and only there. */
  | { do: 'digits.collect'; field: string; endKey: string; max: number }
  /** It is over; what was keyed in is kept, or forgotten. */
  | { do: 'digits.done'; field: string; keep: boolean }
  /** Rings a person up, who hears `say` and decides by a key: `person.took` or `person.missed`. */
  | { do: 'person.call'; to: string; say: string; room: string; ringSeconds: number }
  /** The person is not needed any more. */
  | { do: 'person.drop' }
  | { do: 'timer.set'; timer: TimerName; atMs: number }
  | { do: 'timer.clear'; timer: TimerName }
  /** `agreed`: the caller has agreed to it, where it cannot be undone. */
  | { do: 'tool.run'; toolCall: string; agent: string; name: string; arguments: string; agreed: boolean }
  | { do: 'tool.abort'; toolCall: string }
  | { do: 'ledger.charge'; usage: Usage }
  /** An answer is due and nothing is set aside for it: `budget.changed` tells what became of that. */
  | { do: 'budget.reserve' }
  /** Facts for onlookers; the shell performs nothing. */
  | ({ do: 'note.settled' } & SettledUtterance)
  /** Speech was stopped before it was heard. */
  | { do: 'note.stopped'; because: 'caller_spoke' | 'our_decision'; unheardMs: number }
  | { do: 'note.filled'; ms: number; why: 'gap' | 'stall' }
  | { do: 'note.ignored'; what: string }
  | { do: 'note.underrun'; ms: number }
  /** The caller had waited in silence and was asked for a moment. */
  | { do: 'note.held' }
  /** What the call was about, in the agent's words. */
  | { do: 'note.left'; disposition: string; text: string }
  /** The hand-over to a person: how far it is. */
  | { do: 'note.transfer'; target: string; stage: 'begun' | 'taken' | 'missed' | 'revoked'; why: string }
  /** Another agent answers from now on. */
  | { do: 'note.handed_off'; to: string }
  /** A guardrail stopped what was being said, or a tool. */
  | { do: 'note.guarded'; guardrail: string }
  /** The caller was brought back on another leg. */
  | { do: 'note.resumed'; awayMs: number }
  | { do: 'call.end'; termination: Termination };

export type CallEffect = { on: Origin } & UnaddressedEffect;
