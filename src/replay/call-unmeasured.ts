// What stands for the measures of a call that could not be followed or measured: nothing but what went before.
import type { CallResult } from './call-result.ts';

/** A result without any measure; a verdict beside it says why. */
export function unmeasuredCall(source: string, callSid: string, durationMs: number): CallResult {
  return {
    v: 1,
    source,
    callSid,
    callId: null,
    end: { by: 'caller', callStatus: 'failed', reason: null, result: null, timedOut: false },
    durationMs: Math.round(durationMs),
    firstSoundMs: null,
    turns: [],
    callerSpoke: [],
    agentSpoke: [],
    announced: [],
    answers: [],
    unanswered: [],
    answerP50Ms: null,
    answerP95Ms: null,
    bargeIns: [],
    deadAir: [],
    talkOverMs: 0,
    keysPressed: '',
    tools: null,
    costUsd: null,
    verbs: [],
    transfers: [],
    messages: null,
    warnings: [],
    webhookMs: 0,
    underruns: [],
    unplayedMs: 0,
    framesSent: 0,
    framesLate: 0,
  };
}
