// What a replayed call came to: `result.json`, and what `--expect` judges. Everything under `phone` facts was seen by the
// phone alone, so it holds for any server; what only the server's record can tell is null where there is none.
//
// Times are whole milliseconds of the media stream, as the caller hears them.

/** A stretch of sound, or of its absence. */
export interface Span {
  fromMs: number;
  toMs: number;
}

/** Silence of both sides. */
export interface DeadAir extends Span {
  /**
   * Who did not speak last: a silent agent is a fault, a caller who thinks is none. The agent at the start, and where it
   * spoke over at least 1 s of the caller and has not begun to speak since.
   */
  waitingFor: 'caller' | 'agent';
}

/** How one stretch of caller speech was answered. */
export interface AnswerLatency {
  /** Where the caller's sound ends: loudness of the line, not the clip's length. */
  callerEndMs: number;
  /** Where the agent's next sound begins in what the caller hears. */
  agentStartMs: number;
  ms: number;
}

/** The caller began to speak while the agent could be heard. */
export interface BargeIn {
  /** Onset of the caller's sound. */
  atMs: number;
  /** From there until the agent cannot be heard any more; null when it spoke on (a backchannel, a protected line). */
  stopMs: number | null;
  /** The server's `clear`, from the onset; null without one. */
  clearMs: number | null;
  /** What the server told the model was heard of the utterance, and what the phone's buffer had played; null when unknown. */
  truncation: { utterance: string; ledgerMs: number; phoneMs: number; errorMs: number } | null;
}

export interface ResultTurn {
  who: 'caller' | 'agent';
  atMs: number;
  /** The caller's transcript; of the agent what was heard. Null where no record tells. */
  text: string | null;
  /** Of the agent: said but never heard. */
  unheardText: string;
}

export interface ResultTool {
  name: string;
  atMs: number;
  status: string;
  /** As the model wrote them. */
  arguments: string;
  output: string | null;
}

/** Somebody whom the call was transferred to, or whom the server called to hand it over. */
export interface ResultTransfer {
  to: string;
  /** `refused`: answered, and never connected with the caller. */
  outcome: 'answered' | 'busy' | 'no_answer' | 'failed' | 'canceled' | 'refused';
  atMs: number;
  /** How long the caller and this person were connected. */
  talkedMs: number;
}

/** A text message that the server sent while the call was up. */
export interface ResultMessage {
  to: string;
  from: string;
  text: string;
}

/** One replayed call. */
export interface CallResult {
  v: 1;
  /** The file that was replayed. */
  source: string;
  callSid: string;
  /** The server's own id; null when no record was seen. */
  callId: string | null;
  end: {
    /** Who ended it, as the phone saw it. */
    by: 'caller' | 'server';
    /** The carrier's word: completed, busy, no-answer, failed. */
    callStatus: string;
    /** The server's reason and whether it calls that a failure; null without a record. */
    reason: string | null;
    result: string | null;
    /** The bound of `--max-seconds` ended it. */
    timedOut: boolean;
  };
  durationMs: number;
  /** Start of the stream to the agent's first sound; null when nothing was heard. */
  firstSoundMs: number | null;
  turns: ResultTurn[];
  /** Stretches of caller sound and of agent sound, by loudness. */
  callerSpoke: Span[];
  agentSpoke: Span[];
  /** What the carrier itself said or played to the caller (Say, Play, ringing); the caller hears it, so it is no dead air. */
  announced: (Span & { verb: string; about: string })[];
  answers: AnswerLatency[];
  /** Of `answers`; null without any. */
  answerP50Ms: number | null;
  answerP95Ms: number | null;
  bargeIns: BargeIn[];
  /** Caller sound of at least 1 s after which the agent began no answer within the wait, or hung up without one. */
  unanswered: Span[];
  /** Nobody could be heard for longer than 2 s. */
  deadAir: DeadAir[];
  /** Both could be heard at once, all together. */
  talkOverMs: number;
  keysPressed: string;
  /** Null without a record. */
  tools: ResultTool[] | null;
  costUsd: number | null;
  /** TwiML verbs carried out, in order, with what each was about: the number dialled, the words said. */
  verbs: { name: string; about: string }[];
  /** Of a server of another process only those that the carrier dialled in the call itself. */
  transfers: ResultTransfer[];
  /** Null where nobody could see them: without people, and of a server of another process. */
  messages: ResultMessage[] | null;
  /** What the carrier's debugger would list. */
  warnings: { code: number; reason: string }[];
  webhookMs: number;
  underruns: { atMs: number; gapMs: number }[];
  /** Agent sound that was queued and never played. */
  unplayedMs: number;
  framesSent: number;
  framesLate: number;
}
