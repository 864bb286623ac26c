// Logging in and out, and links that let others in.
import type { z } from 'zod';
import { TrunklineError } from '../../errors.ts';
import type { ApiRequest, ApiRoute } from '../api-route.ts';
import { type Entrance, isRefusal, type Knock, type Refusal } from '../entrance.ts';
import { link, logIn, newLink, session, type Session as SessionReply } from '../schemas/session.ts';
import type { Session } from '../sessions.ts';

/** What a route sees of whoever comes in or goes out. */
export interface DoorRequest extends Pick<ApiRequest, 'body'> {
  knock: Knock;
  /** null: nobody is logged in, or it is the admin token that asks. */
  session: Session | null;
}

/** A route that lets people in and out: it sees the session itself, and sets its cookie. */
export interface DoorRoute extends Omit<ApiRoute, 'access' | 'answer'> {
  access: 'anyone' | 'phone';
  answer(request: DoorRequest): Refusal | { cookie: string | null; body?: unknown };
}

/** `/api/session` */
export function doorRoutes(entrance: Entrance): DoorRoute[] {
  const told = (of: Session): SessionReply => ({
    ...{ scope: of.scope, name: of.name, expiresWallMs: of.expiresWallMs, csrf: entrance.csrf(of) },
  });
  return [
    {
      method: 'POST',
      path: '/session',
      summary: 'Log in, with the admin token or with the code of a one-time link; sets the cookie of the session',
      access: 'anyone',
      body: logIn,
      reply: session,
      answer({ knock, body }) {
        const outcome = entrance.logIn(knock, body as z.infer<typeof logIn>);
        return isRefusal(outcome) ? outcome : { cookie: outcome.cookie, body: told(outcome.session) };
      },
    },
    {
      method: 'GET',
      path: '/session',
      summary: 'Who is logged in',
      access: 'phone',
      reply: session,
      answer(request) {
        if (request.session === null) throw new TrunklineError('TRK_NOT_FOUND', 'The admin token needs no session.');
        return { cookie: null, body: told(request.session) };
      },
    },
    {
      method: 'DELETE',
      path: '/session',
      summary: 'Log out: this session is over, whatever copies of its cookie there are',
      access: 'phone',
      reply: null,
      answer: (request) => ({ cookie: request.session === null ? null : entrance.logOut(request.session) }),
    },
  ];
}

/** `/api/links` */
export function linkRoutes({ links }: Pick<Entrance, 'links'>): ApiRoute[] {
  return [
    {
      method: 'POST',
      path: '/links',
      summary: 'A link that lets somebody in once: all of it, or the browser phone only',
      body: newLink,
      reply: link,
      async answer({ body, who }) {
        const { path, expiresWallMs } = links.make({ ...(body as z.infer<typeof newLink>), by: who.actor });
        return { path, expiresWallMs };
      },
    },
  ];
}
