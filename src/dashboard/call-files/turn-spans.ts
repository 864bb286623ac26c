// Who spoke when, by what the database keeps of a call's turns: all there is where the files lie on another machine, or have
// gone with their retention. Pure.
import type { KeptCall } from '../../store/queries/calls.ts';
import type { KeptTurn } from '../../store/queries/calls-words.ts';
import type { Span, Spans } from './spans.ts';

export function turnSpans(call: Pick<KeptCall, 'turns' | 'mediaStartedWallMs' | 'endedWallMs'>): Spans {
  const caller = call.turns.flatMap(callerSpan);
  const agent = call.turns.flatMap(agentSpan);
  const lastMs = [...caller, ...agent].reduce((last, { toMs }) => Math.max(last, toMs), 0);
  const { mediaStartedWallMs: started, endedWallMs: ended } = call;
  return { caller, agent, durationMs: started === null || ended === null ? lastMs : Math.max(0, ended - started) };
}

function callerSpan({ who, speechStartAtMs, speechStopAtMs, committedAtMs }: KeptTurn): Span[] {
  const toMs = speechStopAtMs ?? committedAtMs;
  return who !== 'caller' || speechStartAtMs === null || toMs === null ? [] : [{ fromMs: speechStartAtMs, toMs }];
}

const agentSpan = ({ who, soundAtMs, heardMs }: KeptTurn): Span[] =>
  who !== 'agent' || soundAtMs === null || heardMs === null ? [] : [{ fromMs: soundAtMs, toMs: soundAtMs + heardMs }];
