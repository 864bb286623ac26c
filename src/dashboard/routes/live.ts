// The routes about calls that are under way: how they stand, the streams of events that pages follow, and what an operator may
// do to one.
import type { z } from 'zod';
import { type Clock, realClock } from '../../clock.ts';
import { TrunklineError } from '../../errors.ts';
import type { ApiRequest, ApiRoute, Content } from '../api-route.ts';
import type { Listener } from '../live/channel.ts';
import type { Followed, LiveCalls } from '../live/live-calls.ts';
import type { OperatorAction, OperatorActions } from '../live/operator-actions.ts';
import { eventStream } from '../live/sse.ts';
import { callParams } from '../schemas/call.ts';
import { lineToSay, liveCallEvents, liveEvents, liveSnapshot, nothing, transferTo } from '../schemas/live.ts';
import { idOf } from './calls.ts';

export interface LiveRoutesOptions {
  live: Pick<LiveCalls, 'snapshot' | 'followGrid' | 'followCall'>;
  actions: OperatorActions;
  /** For the comments that keep a silent stream open. */
  clock?: Pick<Clock, 'nowMs' | 'at'>;
}

export function liveRoutes({ live, actions, clock = realClock }: LiveRoutesOptions): ApiRoute[] {
  return [
    {
      method: 'GET',
      path: '/live',
      summary: 'The calls that are under way here, and how the server does',
      reply: liveSnapshot,
      answer: () => Promise.resolve(live.snapshot()),
    },
    {
      method: 'GET',
      path: '/live/events',
      summary: 'The same as it changes; a stream that broke goes on behind Last-Event-ID',
      reply: { media: 'text/event-stream', description: 'server-sent events', events: liveEvents },
      answer: async ({ headers }) => stream((told, last) => live.followGrid(told, last), headers.lastEventId, clock),
    },
    {
      method: 'GET',
      path: '/live/calls/:id/events',
      summary: 'A call as it goes on, with its words; a stream that broke goes on behind Last-Event-ID',
      params: callParams,
      reply: { media: 'text/event-stream', description: 'server-sent events', events: liveCallEvents },
      answer: async (request) =>
        stream((told, last) => live.followCall(idOf(request), told, last), request.headers.lastEventId, clock),
    },
    action(actions, 'whisper', 'whisper', 'Tell the agent something that the caller does not hear', lineToSay),
    action(actions, 'say', 'say', 'Have the agent say this to the caller, when nobody speaks', lineToSay),
    action(actions, 'transfer', 'transfer', 'Hand the caller over to a target of the agent file', transferTo),
    action(actions, 'hang_up', 'hang-up', 'End the call, with a goodbye; asked again, at once', nothing),
  ];
}

const GONE = 'This call is over, or on another machine.';
/** @throws TrunklineError where there is nothing to follow, or too many follow already */
function stream(
  follow: (listener: Listener, lastId: string | null) => Followed,
  lastId: string | undefined,
  clock: Pick<Clock, 'nowMs' | 'at'>,
): Content {
  let followed: Followed = 'gone';
  const body = eventStream({
    subscribe(tell) {
      const began = follow(tell, lastId ?? null);
      followed = began;
      return () => void (typeof began === 'string' || began.close());
    },
    isLast: ({ event }) => event === 'gone',
    clock,
  });
  // By now it has subscribed.
  const outcome = followed as Followed;
  if (typeof outcome !== 'string')
    return { status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' }, body };
  body.destroy();
  if (outcome === 'gone') throw new TrunklineError('TRK_NOT_FOUND', GONE);
  throw new TrunklineError('TRK_NO_ROOM', 'Too many pages follow calls here; close some.');
}

function action(
  actions: OperatorActions,
  name: OperatorAction,
  path: string,
  summary: string,
  body: z.ZodType,
): ApiRoute {
  return {
    method: 'POST',
    path: `/live/calls/:id/${path}`,
    summary,
    params: callParams,
    body,
    reply: null,
    answer: async (request: ApiRequest) => {
      const acted = actions(name, idOf(request), request.body, request.who.actor);
      if (acted.outcome === 'gone') throw new TrunklineError('TRK_NOT_FOUND', GONE);
      if (acted.outcome === 'refused') throw new TrunklineError('TRK_CONFLICT', acted.why);
    },
  };
}
