// Who gets in: scripts with the admin token, people with a session, which they get for the token or for a one-time link. One
// answer for requests and for sockets; log-ins, log-outs, lock-outs and links are told to the audit.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../clock.ts';
import { ERROR_CODES, type ErrorCode } from '../errors.ts';
import type { Audited } from '../store/events.ts';
import { AdminGuard, clientOf } from './admin-guard.ts';
import type { Who } from './api-route.ts';
import { Links } from './links.ts';
import { cameFromUs, isOurOrigin, mayRead } from './same-site.ts';
import { readCookies, writeCookie } from './session-cookie.ts';
import { OPERATOR_SESSION_MS, type Session, Sessions } from './sessions.ts';

/** Lock-outs are told to the audit no more often: whoever has many addresses could fill it. */
const TELL_LOCK_OUTS_MS = 60_000;

export interface EntranceOptions {
  /** ADMIN_TOKEN, or the one that this process made for itself. */
  adminToken: string;
  /** The origin that others reach. */
  publicUrl: string;
  clock: Pick<Clock, 'nowMs' | 'wallMs'>;
  /** Where audited facts go. */
  append: (fact: Audited) => void;
}

/** What is looked at of a request. */
export interface Knock {
  headers: IncomingHttpHeaders;
  /** The IP address that it came from. */
  address: string;
}

export interface Admitted {
  who: Who;
  /** null: by the admin token. */
  session: Session | null;
  /** The session's cookie anew, when it was renewed. */
  cookie: string | null;
}

/** Why somebody does not get in, as it is answered. */
export interface Refusal {
  status: number;
  code: ErrorCode;
  message: string;
  headers: Readonly<Record<string, string>>;
}

export class Entrance {
  readonly links: Links;
  readonly #sessions: Sessions;
  readonly #guard: AdminGuard;
  readonly #token: Buffer;
  readonly #options: EntranceOptions;
  readonly #onLogOut = new Set<(sessionId: string) => void>();
  #lockOutsUntold = 0;
  #lockOutToldMs = -Infinity;

  constructor(options: EntranceOptions) {
    const { adminToken, clock } = options;
    this.#options = options;
    this.#token = digest(adminToken);
    this.#sessions = new Sessions({ adminToken, clock });
    this.#guard = new AdminGuard({ clock, lockedOut: (tries, forMs) => this.#lockedOut(tries, forMs) });
    this.links = new Links({
      clock,
      made: ({ scope, expiresWallMs }, by) =>
        this.#audit(by, 'link_made', scope, `good for ${Math.round((expiresWallMs - clock.wallMs()) / 60_000)} min`),
    });
  }

  /** Who makes a request; `changes`: it is meant to change something. */
  admit(knock: Knock, { changes }: { changes: boolean }): Admitted | Refusal {
    return this.#admit(knock, (session) => (changes ? this.#mayChange(knock, session) : mayRead(knock.headers)));
  }

  /** Who opens a socket. Browsers let every page open one and send our cookie along: they have to say that it is our page. */
  admitSocket(knock: Knock): Admitted | Refusal {
    const { origin, host } = knock.headers;
    const isOurs =
      origin === undefined ? bearerOf(knock.headers) !== null : isOurOrigin(origin, host, this.#options.publicUrl);
    if (!isOurs) return forbidden('Sockets are for pages of this server.');
    return this.#admit(knock, () => true);
  }

  /** Begins a session for the admin token or for the code of a link. */
  logIn(
    knock: Knock,
    given: { token?: string | undefined; code?: string | undefined; name?: string | undefined },
  ): { session: Session; cookie: string } | Refusal {
    const { publicUrl, clock } = this.#options;
    if (!cameFromUs(knock.headers, publicUrl)) return forbidden('Log in on a page of this server.');
    const { token, code = '', name = '' } = given;
    const operator = { scope: 'operator', expiresWallMs: Math.round(clock.wallMs()) + OPERATOR_SESSION_MS } as const;
    let found: Pick<Session, 'scope' | 'expiresWallMs'> | null = operator;
    const outcome = this.#guard.try(clientOf(knock.address, knock.headers['x-forwarded-for']), () => {
      if (token !== undefined) return this.#isToken(token);
      const link = this.links.use(code);
      // Who may only use the phone may do so until the link expires; an operator has come to stay.
      found = link === null || link.scope === 'phone' ? link : operator;
      return found !== null;
    });
    if (outcome !== 'passed')
      return outcome === 'refused'
        ? { ...UNAUTHORIZED, message: token === undefined ? STALE_LINK : 'This is not the admin token.' }
        : locked(outcome.lockedMs);
    // The browser says how it came; what is no browser is believed to have come by the public way.
    const secure = (knock.headers.origin ?? publicUrl).startsWith('https://');
    const session = this.#sessions.begin({ ...(found ?? operator), name, secure });
    this.#audit(actorOf(session), 'log_in', session.scope, token === undefined ? 'by a link' : 'by the token');
    return { session, cookie: this.#cookie(session) };
  }

  /** Ends a session and everything that it holds open. @returns the cookie that takes it from the browser */
  logOut(session: Session): string {
    this.#sessions.logOut(session);
    this.#audit(actorOf(session), 'log_out', session.scope, '');
    for (const listener of this.#onLogOut) listener(session.id);
    return writeCookie('', 0, session.secure);
  }

  /** Tells of log-outs until the result is called. */
  onLogOut(listener: (sessionId: string) => void): () => void {
    this.#onLogOut.add(listener);
    return () => void this.#onLogOut.delete(listener);
  }

  /** What changes of this session have to carry. */
  csrf(session: Session): string {
    return this.#sessions.csrf(session);
  }

  /** @param mayUse whether a session may be used for this, which the token may be in any case */
  #admit(knock: Knock, mayUse: (session: Session) => boolean): Admitted | Refusal {
    const given = bearerOf(knock.headers);
    if (given !== null) return this.#byToken(knock, given);
    const session = this.#sessionOf(knock);
    if (session === null) return UNAUTHORIZED;
    if (!mayUse(session))
      return forbidden('This was not asked for by a page of this server. Load the page anew and try again.');
    const renewed = this.#sessions.renew(session);
    const cookie = renewed === null ? null : this.#cookie(renewed);
    return { who: { scope: session.scope, actor: actorOf(session) }, session: renewed ?? session, cookie };
  }

  #mayChange({ headers }: Knock, session: Session): boolean {
    return cameFromUs(headers, this.#options.publicUrl) && this.#sessions.isCsrf(session, headers['x-csrf-token']);
  }

  #byToken({ headers, address }: Knock, given: string): Admitted | Refusal {
    const outcome = this.#guard.try(clientOf(address, headers['x-forwarded-for']), () => this.#isToken(given));
    if (outcome === 'passed') return { who: { scope: 'operator', actor: 'operator' }, session: null, cookie: null };
    return outcome === 'refused' ? UNAUTHORIZED : locked(outcome.lockedMs);
  }

  #sessionOf({ headers }: Knock): Session | null {
    for (const sealed of readCookies(headers.cookie)) {
      const session = this.#sessions.open(sealed);
      if (session !== null) return session;
    }
    return null;
  }

  #cookie(session: Session): string {
    const seconds = (session.expiresWallMs - this.#options.clock.wallMs()) / 1_000;
    return writeCookie(this.#sessions.seal(session), seconds, session.secure);
  }

  // Digests have one length, whatever was given.
  #isToken = (given: string): boolean => timingSafeEqual(digest(given), this.#token);

  #lockedOut(tries: number, forMs: number): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#lockOutToldMs < TELL_LOCK_OUTS_MS) return void this.#lockOutsUntold++;
    const others = this.#lockOutsUntold === 0 ? '' : `; ${this.#lockOutsUntold} more since the last such entry`;
    this.#lockOutToldMs = nowMs;
    this.#lockOutsUntold = 0;
    this.#audit('api', 'locked_out', 'log_in', `${tries} wrong tries in a row, for ${forMs / 1_000} s${others}`);
  }

  #audit(actor: string, action: string, subject: string, note: string): void {
    const { append, clock } = this.#options;
    append({ type: 'audited', atWallMs: Math.round(clock.wallMs()), actor, action, subject, note });
  }
}

/** What is given as the token. Other schemes are between the browser and a proxy, which may ask for a password of its own. */
const bearerOf = ({ authorization }: IncomingHttpHeaders): string | null =>
  /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? null;

export const isRefusal = (outcome: object): outcome is Refusal => 'status' in outcome;

/** The `operator` of the audit, or whoever a phone link was given to, with the name that they gave. */
const actorOf = ({ scope, name }: Session): string =>
  `${scope === 'operator' ? 'operator' : 'link'}${name === '' ? '' : `:${name}`}`;

const STALE_LINK = 'This link was used already, or has expired. Ask for another.';

/** The same for nothing, half a token, a wrong one, and a session that is over. */
const UNAUTHORIZED: Refusal = {
  status: ERROR_CODES.TRK_UNAUTHORIZED,
  code: 'TRK_UNAUTHORIZED',
  message: 'Log in, or send the admin token.',
  headers: { 'www-authenticate': 'Bearer' },
};

export const forbidden = (message: string): Refusal => ({
  ...{ status: 403, code: 'TRK_FORBIDDEN', message, headers: {} },
});

function locked(lockedMs: number): Refusal {
  const seconds = Math.ceil(lockedMs / 1_000);
  const message = 'Too many wrong tries in a row; none is looked at for a while.';
  const code = 'TRK_TOO_MANY_FAILURES';
  return { status: ERROR_CODES[code], code, message, headers: { 'retry-after': String(seconds) } };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
