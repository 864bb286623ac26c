// What a route of the operators' API is: plain data and one function. Requests are held against its schemas, answers are made
// by them, and the OpenAPI description is made of them; nothing else is served below /api.
import type { Readable } from 'node:stream';
import type { z } from 'zod';

/** Who asks: whoever has the admin token or a session. `actor` is what the audit calls them. */
export interface Who {
  scope: 'operator' | 'phone';
  actor: string;
}

/** A request whose parts were read by the route's schemas. */
export interface ApiRequest {
  params: unknown;
  query: unknown;
  body: unknown;
  who: Who;
  /** Of what is served in parts, or resumed. */
  headers: { range?: string | undefined; lastEventId?: string | undefined };
}

/** An answer that is no JSON: a file, or a stream of events. */
export interface Content {
  status: 200 | 206 | 416;
  headers: Readonly<Record<string, string>>;
  body: Readable | Buffer | string;
}

/** The description of such an answer; `events`: the names of a stream's events and what each holds. */
export interface ContentReply {
  media: string;
  description: string;
  events?: Readonly<Record<string, z.ZodType>>;
}

export interface ApiRoute {
  method: 'GET' | 'POST' | 'DELETE';
  /** Below `/api`, with Fastify's parameters. */
  path: string;
  summary: string;
  /** Who may: `phone`, also whoever may only use the browser phone. Default `operator`. */
  access?: 'operator' | 'phone';
  params?: z.ZodObject;
  query?: z.ZodObject;
  /** JSON. */
  body?: z.ZodType;
  /** A schema: JSON. `null`: nothing, 204. */
  reply: z.ZodType | ContentReply | null;
  /** Gives what `reply` says. @throws TrunklineError, which becomes its status and words */
  answer(request: ApiRequest): Promise<unknown>;
}
