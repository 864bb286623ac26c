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
  /** End the media; `next` is stored first, so that any process can tell the carrier what follows. */
  | { do: 'leg.close'; next: NextStep }
  | { do: 'session.append'; chunk: AudioChunk }
  | { do: 'session.append_silence'; ms: number }
  | RealtimeRequest
  /** Opens a further session under this name, with the first or second model of the agent (`target` 0 or 1), after a while. */
  | { do: 'session.open'; session: string; target: number; afterMs: number }
  /** The caller's latest audio once more, to a session that takes over. */
  | { do: 'session.append_recent'; ms: number }
  /** Ends the session that it is addressed to. */
  | { do: 'session.close' }
  | { do: 'shelf.put'; utterance: UtteranceId; chunk: AudioChunk }
  | { do: 'shelf.drop'; utterance: UtteranceId }
  | { do: 'timer.set'; timer: TimerName; atMs: number }
  | { do: 'timer.clear'; timer: TimerName }
  | { do: 'tool.run'; toolCall: string; name: string; arguments: string }
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
  /** The caller was brought back on another leg. */
  | { do: 'note.resumed'; awayMs: number }
  | { do: 'call.end'; termination: Termination };

export type CallEffect = { on: Origin } & UnaddressedEffect;
