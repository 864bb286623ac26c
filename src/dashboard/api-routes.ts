// The routes of the operators' API: what each takes and gives, and the question it asks of the store.
import type { z } from 'zod';
import { TrunklineError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { bill, call, callList, callListQuery, callParams } from './api-schemas.ts';
import { readCursor, writeCursor } from './cursor.ts';

export interface ApiRoute {
  /** Below `/api`, with Fastify's parameters. */
  path: string;
  summary: string;
  params: z.ZodObject | null;
  query: z.ZodObject | null;
  reply: z.ZodType;
  /** Answers a request whose parameters were read by `params` and `query`. */
  answer: (store: Pick<Store, 'ask'>, request: { params: unknown; query: unknown }) => Promise<unknown>;
}

export const API_ROUTES: readonly ApiRoute[] = [
  {
    path: '/calls',
    summary: 'Calls, the newest first',
    params: null,
    query: callListQuery,
    reply: callList,
    answer: async (store, request) => {
      const { day, agent, from, reason, limit, cursor } = request.query as z.infer<typeof callListQuery>;
      // A plus that was not escaped has become a space; nothing that is kept begins with one.
      const caller = from?.replace(/^ (?=\d)/, '+') ?? null;
      const filter = { day: day ?? null, agent: agent ?? null, from: caller, reason: reason ?? null };
      const after = cursor === undefined ? null : readCursor(cursor);
      const { calls, more } = await store.ask('listCalls', { ...filter, limit, after });
      const last = calls.at(-1);
      return { calls, next: more && last !== undefined ? writeCursor(last) : null } satisfies z.infer<typeof callList>;
    },
  },
  {
    path: '/calls/:id',
    summary: 'One call: its turns with the words said and heard, its tool runs, what it cost',
    params: callParams,
    query: null,
    reply: call,
    answer: async (store, request) => found(await store.ask('readCall', { callId: idOf(request) })),
  },
  {
    path: '/calls/:id/bill',
    summary: "A call's bill, line by line",
    params: callParams,
    query: null,
    reply: bill,
    answer: async (store, request) => found(await store.ask('readBill', { callId: idOf(request) })),
  },
];

const idOf = ({ params }: { params: unknown }): string => (params as z.infer<typeof callParams>).id;

function found<T>(answer: T | null): T {
  if (answer === null) throw new TrunklineError('TRK_NOT_FOUND', 'There is no such call.');
  return answer;
}
