// The routes about calls that the database answers: the list and its sums, its export, one call, its bill, its agent file.
import type { z } from 'zod';
import { type Clock, realClock } from '../../clock.ts';
import { TrunklineError } from '../../errors.ts';
import type { TurnLatency } from '../../metrics/latency.ts';
import { sortedValue } from '../../store/queries/call-order.ts';
import type { KeptCall } from '../../store/queries/calls.ts';
import type { Store } from '../../store/store.ts';
import type { ApiRequest, ApiRoute } from '../api-route.ts';
import { type ListOf, readCursor, writeCursor } from '../call-cursor.ts';
import { filterOf } from '../call-filter.ts';
import { type ExportFormat, exportCalls, type InTurn, oneAtATime } from '../export.ts';
import { inPieces } from '../in-pieces.ts';
import { agentFile } from '../schemas/timeline.ts';
import { bill, call, type CallAnswer, callParams } from '../schemas/call.ts';
import {
  callExportQuery,
  callFacets,
  callFilterQuery,
  type CallFilterQuery,
  callList,
  type CallList,
  callListQuery,
  callStats,
} from '../schemas/calls.ts';

const toldCall = inPieces(call);
const toldBill = inPieces(bill);

type CallStore = Pick<Store, 'ask' | 'append'>;

/** @param clock tells when an export was made */
export function callRoutes(store: CallStore, clock: Pick<Clock, 'wallMs'> = realClock): ApiRoute[] {
  const inTurn = oneAtATime();
  return [
    {
      method: 'GET',
      path: '/calls',
      summary: 'A page of the list of calls, and how many there are',
      query: callListQuery,
      reply: callList,
      answer: (request) => page(store, request.query as z.infer<typeof callListQuery>),
    },
    {
      method: 'GET',
      path: '/calls/stats',
      summary: 'What the calls of a list come to',
      query: callFilterQuery,
      reply: callStats,
      answer: ({ query }) => store.ask('callStats', filterOf(query as CallFilterQuery)),
    },
    {
      method: 'GET',
      path: '/calls/facets',
      summary: 'By what a list may be narrowed: what calls there are have',
      reply: callFacets,
      answer: () => store.ask('callFacets', null),
    },
    exported({ store, clock, inTurn }, 'csv', 'text/csv'),
    exported({ store, clock, inTurn }, 'json', 'application/json'),
    {
      method: 'GET',
      path: '/calls/:id',
      summary: 'One call: its turns with the words said and heard, its tool runs, what it cost',
      params: callParams,
      reply: call,
      answer: async (request) => toldCall(printable(found(await store.ask('readCall', { callId: idOf(request) })))),
    },
    {
      method: 'GET',
      path: '/calls/:id/bill',
      summary: "A call's bill, line by line",
      params: callParams,
      reply: bill,
      answer: async (request) => toldBill(found(await store.ask('readBill', { callId: idOf(request) }))),
    },
    {
      method: 'GET',
      path: '/calls/:id/agent',
      summary: "A call's agent file, as it was when the call came in",
      params: callParams,
      reply: agentFile,
      answer: async (request) => {
        const { agentHash } = found(await store.ask('readCall', { callId: idOf(request) }));
        const known = await store.ask('readAgentFile', { hash: agentHash });
        if (known === null) throw new TrunklineError('TRK_NOT_FOUND', 'The agent file of this call was not kept.');
        return known;
      },
    },
  ];
}

async function page(store: CallStore, query: z.infer<typeof callListQuery>): Promise<CallList> {
  const { sort, order, limit, cursor, ...narrowed } = query;
  const list: ListOf = { filter: filterOf(narrowed), sort, order };
  const after = cursor === undefined ? null : readCursor(list, cursor);
  const listed = store.ask('listCalls', { ...list.filter, sort, order, limit, after });
  // Of a page behind the first one the count is known: counting costs more than the page.
  const [{ calls, more }, count] = await Promise.all([listed, after?.count ?? store.ask('countCalls', list.filter)]);
  const last = calls.at(-1);
  const next =
    more && last !== undefined
      ? writeCursor(list, { value: sortedValue(last, sort), callId: last.callId, count })
      : null;
  return { calls, next, count };
}

interface Exporting {
  store: CallStore;
  clock: Pick<Clock, 'wallMs'>;
  inTurn: InTurn;
}

function exported({ store, clock, inTurn }: Exporting, format: ExportFormat, media: string): ApiRoute {
  return {
    method: 'GET',
    path: `/calls.${format}`,
    summary: `All calls of a list as ${format.toUpperCase()}`,
    query: callExportQuery,
    reply: { media, description: 'one row for each call, at most 1,000,000; the names of columns are its heading' },
    answer: async ({ query, who }) => {
      const { sort, order, ...narrowed } = query as z.infer<typeof callExportQuery>;
      const list: ListOf = { filter: filterOf(narrowed), sort, order };
      const content = await exportCalls(store, list, format, clock.wallMs(), inTurn);
      // Callers' numbers leave: who took them is known, by what they were narrowed is not.
      store.append({
        ...{ type: 'audited', atWallMs: clock.wallMs(), actor: who.actor },
        ...{ action: 'export', subject: 'calls', note: format },
      });
      return content;
    },
  };
}

/** Facts of an older version may lack a part of a wait: then its whole is all that is told of it. */
function printable(kept: KeptCall): CallAnswer {
  const turns = kept.turns.map((turn) => (isWhole(turn.latency) ? turn : { ...turn, latency: null }));
  return { ...kept, turns };
}

const PARTS = ['modelMs', 'toolsMs', 'ourMs', 'queuedMs', 'answerMs'] as const;
const PARTS_OR_NULL = ['endOfTurnWaitMs', 'endOfTurnFrom', 'carrierMs', 'voiceToVoiceMs'] as const;

const isWhole = (latency: TurnLatency | null): boolean =>
  latency !== null &&
  PARTS.every((part) => typeof latency[part] === 'number') &&
  PARTS_OR_NULL.every((part) => latency[part] !== undefined);

export const idOf = ({ params }: Pick<ApiRequest, 'params'>): string => (params as z.infer<typeof callParams>).id;

export function found<T>(answer: T | null): T {
  if (answer === null) throw new TrunklineError('TRK_NOT_FOUND', 'There is no such call.');
  return answer;
}
