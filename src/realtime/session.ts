// What a speech-to-speech model is to the rest: a session that a call may ask things of, and the events it reports.
// Speaks of utterances, answers and turns; a model adapter (a folder beside this file) maps its own ids to these, and
// invents them where the model has none.
import type { AudioChunk } from '../audio/chunk.ts';

/** One stretch of agent speech, addressed as a whole; ids are unique within a call. */
export type UtteranceId = string;
/** One answer of the model; may hold several utterances and tool calls. */
export type AnswerId = string;

/** What differs between models and matters to the call core. */
export interface SessionCapabilities {
  /** True: the model answers a finished caller turn by itself. False: the core must ask for each answer. */
  answersTurns: boolean;
  /** True: the model reports when the caller speaks and stops. False: turns end only by the core's `commit`. */
  detectsTurns: boolean;
}

/** Why a session cannot go on. */
export type SessionLossCause =
  /** No connection, TLS or DNS failure, or no answer in time. */
  | 'unreachable'
  /** The handshake or the session's configuration was refused. */
  | 'refused'
  /** The socket went away, or the session expired. */
  | 'lost';

/** What one billable event used. `kind` tells tokens from seconds; absent counts are 0. */
export type Usage = {
  /** The provider's id of the billed thing: unique, so that it is charged once. */
  source: string;
  /** A session counts up: the most that was reported counts, not the sum. */
  what: 'answer' | 'transcription' | 'session';
  model: string;
  /** Where the counts, as they came, cannot be right: what was odd. */
  doubt?: UsageDoubt;
} & (
  | {
      unit: 'tokens';
      textIn: number;
      audioIn: number;
      imageIn: number;
      /** Cached counts are included in the counts above (subset). */
      cachedTextIn: number;
      cachedAudioIn: number;
      cachedImageIn: number;
      textOut: number;
      audioOut: number;
    }
  | { unit: 'seconds'; seconds: number }
);

/** What is wrong with a usage as it came, and what is made of it. */
export type UsageDoubt =
  /** It is no count (negative, no number, beyond all reason): it counts as nothing. */
  | 'absurd_count'
  /** More was cached than went in: all of it counts as cached. */
  | 'cached_exceeds_input'
  /** It is not said which part was cached: text first. */
  | 'cached_split_unknown'
  /** It is not said of all what was text and what was audio: the rest counts as text, as audio where it was transcribed. */
  | 'details_missing'
  /** Nobody knows the answer that it is for. */
  | 'unknown_answer';

/** How an answer ended. */
export type AnswerStatus = 'completed' | 'cancelled' | 'failed' | 'incomplete';

/** What a session reports. Times are stamped by the call's shell, not here. */
export type RealtimeEvent =
  | { type: 'session.ready' }
  /** An attempt to connect failed; the session tries again by itself. */
  | { type: 'session.delayed'; cause: SessionLossCause; detail: string }
  /**
   * `fatal`: another session with the same model and endpoint would end the same way. `deafMs`: for so long it may have
   * heard nothing of the caller any more.
   */
  | { type: 'session.closed'; cause: SessionLossCause; detail: string; fatal: boolean; deafMs?: number }
  /** The caller began to speak; `audioMs` is the position on the model's input clock, padding included. */
  | { type: 'speech.started'; audioMs: number | null }
  | { type: 'speech.stopped'; audioMs: number | null }
  | { type: 'turn.committed'; turn: string }
  | { type: 'turn.transcribed'; turn: string; text: string }
  | { type: 'answer.started'; answer: AnswerId }
  | { type: 'utterance.started'; utterance: UtteranceId; answer: AnswerId }
  | { type: 'utterance.audio'; utterance: UtteranceId; chunk: AudioChunk }
  | { type: 'utterance.text'; utterance: UtteranceId; text: string }
  | { type: 'utterance.ended'; utterance: UtteranceId }
  /** `arguments` is the JSON text as the model wrote it: unchecked. */
  | { type: 'tool.called'; toolCall: string; name: string; arguments: string; answer: AnswerId }
  /** `fatal`: every other answer of this model would fail the same way. */
  | { type: 'answer.ended'; answer: AnswerId; status: AnswerStatus; detail: string; fatal?: true }
  | { type: 'usage.reported'; usage: Usage }
  /** What `session.summarise` asked for; null where the model could not. */
  | { type: 'summary.ready'; text: string | null }
  /** Something worth counting that changes nothing: a benign refusal, an unknown event. */
  | { type: 'session.noticed'; code: string; benign: boolean };

/** How much of one utterance reached the caller's ear when it was stopped. */
export interface HeardUtterance {
  utterance: UtteranceId;
  /** Whole milliseconds, rounded down; never beyond what was sent. */
  heardMs: number;
}

/**
 * One thing of a conversation so far, as a new session is told it: only what was heard, and tools with their outcome. A
 * tool without one still runs, and is settled later.
 */
export type Recalled =
  | { who: 'caller' | 'agent'; text: string }
  | { who: 'tool'; toolCall: string; name: string; arguments: string; output: string | null };

/** What a call may ask of a session. Asked before it is ready, a request waits (bounded) and is carried out in order. */
export type RealtimeRequest =
  /** The conversation so far, in order, and a note on what happened; before any audio of the caller. Nobody answers by this alone. */
  | { do: 'session.recall'; history: Recalled[]; note: string }
  /** Answer now. `say` steers this one answer and forbids tools; without it the model answers the conversation. */
  | { do: 'session.speak'; say: string | null }
  /** Say this and nothing after it, whatever the caller does: turns are no longer detected or answered. */
  | { do: 'session.last_words'; say: string }
  /** Stop answering. One entry per utterance that was not fully heard; utterances fully heard are not named. */
  | { do: 'session.interrupt'; because: 'caller_spoke' | 'our_decision'; heard: HeardUtterance[] }
  /** The outcome of one tool call. When the last of an answer's calls is in, the model answers unless `quietly`. */
  | { do: 'session.settle_tool'; toolCall: string; output: string; quietly: boolean }
  /** Adds text to the conversation; nobody answers by this alone. */
  | { do: 'session.tell'; role: 'system' | 'user' | 'assistant'; text: string }
  /** Sum up the conversation so far in text, for somebody else: nothing is said, and the conversation knows nothing of it. */
  | { do: 'session.summarise'; ask: string }
  /** Ends the caller's turn by hand, for sessions that do not detect turns. */
  | { do: 'session.commit' }
  /**
   * From now on a plain answer waits until it is allowed; what the model is told to say it says. There is no way back: a
   * model that answers by itself again would do so for some turns and not for others, until it has heard of it.
   */
  | { do: 'session.hold_answers' }
  /** The plain answer that waits may begin; later ones wait again. */
  | { do: 'session.allow_answer' };

/** One speech-to-speech connection behind a call. Owns its socket and deadlines. */
export interface RealtimeSession {
  readonly capabilities: SessionCapabilities;
  /** Caller audio in order. Before the session is ready it waits, bounded, and goes out first. */
  append(chunk: AudioChunk): void;
  /** Digital silence in the caller's audio, in milliseconds. */
  appendSilence(ms: number): void;
  request(request: RealtimeRequest): void;
  /** Ends the session; late usage may still be reported for a moment. Idempotent. */
  close(): void;
}
