// Sessions of people: a signed word in a cookie, with all that is known of the session in it. Nothing is kept here but who
// has logged out, and the key is made of the admin token: whoever changes the token ends all sessions, and a restart ends none.
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Who } from './api-route.ts';

/** An operator's, from the log-in or the last renewal. */
export const OPERATOR_SESSION_MS = 12 * 3_600_000;
/** However often it is renewed. */
const LONGEST_SESSION_MS = 7 * 24 * 3_600_000;
/** Sessions that have been logged out of and would still be good. */
export const MAX_LOGGED_OUT = 10_000;
/** A cookie of ours is some 300 bytes. */
const MAX_SEALED_LENGTH = 2_000;

export interface Session {
  id: string;
  scope: Who['scope'];
  /** What the person said who they are; may be empty. */
  name: string;
  issuedWallMs: number;
  expiresWallMs: number;
  /** Its cookie may only travel by https: so it was begun. */
  secure: boolean;
}

export class Sessions {
  readonly #signing: Buffer;
  readonly #crossSite: Buffer;
  readonly #clock: Pick<Clock, 'wallMs'>;
  /** Ids, and when the last copy of their cookie runs out. */
  readonly #loggedOut = new Map<string, number>();
  /** Older sessions are not believed any more. */
  #notBeforeWallMs = 0;

  constructor({ adminToken, clock }: { adminToken: string; clock: Pick<Clock, 'wallMs'> }) {
    this.#signing = derive(adminToken, 'trunkline session v1');
    this.#crossSite = derive(adminToken, 'trunkline csrf v1');
    this.#clock = clock;
  }

  /** A session that begins now. */
  begin(of: Pick<Session, 'scope' | 'name' | 'expiresWallMs' | 'secure'>): Session {
    return { ...of, id: randomBytes(16).toString('base64url'), issuedWallMs: Math.round(this.#clock.wallMs()) };
  }

  /** The session as its cookie holds it. */
  seal({ id, scope, name, issuedWallMs, expiresWallMs, secure }: Session): string {
    const words = [id, scope, name, issuedWallMs, expiresWallMs, secure];
    const said = Buffer.from(JSON.stringify(words)).toString('base64url');
    return `${said}.${sign(this.#signing, said)}`;
  }

  /** The session that was sealed; null: it was not by us, is over, or was logged out of. */
  open(sealed: string): Session | null {
    const [said = '', signature = '', ...more] = sealed.length > MAX_SEALED_LENGTH ? [] : sealed.split('.');
    if (more.length > 0 || said === '' || !equal(signature, sign(this.#signing, said))) return null;
    // Nobody else could have signed it.
    const words = JSON.parse(Buffer.from(said, 'base64url').toString()) as [
      ...[string, Who['scope'], string, number, number, boolean],
    ];
    const [id, scope, name, issuedWallMs, expiresWallMs, secure] = words;
    const session = { id, scope, name, issuedWallMs, expiresWallMs, secure };
    return this.isGood(session) ? session : null;
  }

  isGood({ id, issuedWallMs, expiresWallMs }: Session): boolean {
    return expiresWallMs > this.#clock.wallMs() && issuedWallMs >= this.#notBeforeWallMs && !this.#loggedOut.has(id);
  }

  /** The same session for longer, when it is an operator's and half of its time is over. */
  renew(session: Session): Session | null {
    const nowWallMs = Math.round(this.#clock.wallMs());
    if (session.scope !== 'operator' || session.expiresWallMs - nowWallMs > OPERATOR_SESSION_MS / 2) return null;
    const expiresWallMs = Math.min(nowWallMs + OPERATOR_SESSION_MS, session.issuedWallMs + LONGEST_SESSION_MS);
    return expiresWallMs > session.expiresWallMs ? { ...session, expiresWallMs } : null;
  }

  /** What a page of ours can know and another site's cannot; goes with whatever changes something. */
  csrf({ id }: Session): string {
    return sign(this.#crossSite, id);
  }

  isCsrf(session: Session, given: unknown): boolean {
    return typeof given === 'string' && equal(given, this.csrf(session));
  }

  /** Ends a session, whatever copies of its cookie there are. Until the next restart, which no copy should outlive for long. */
  logOut({ id, expiresWallMs }: Session): void {
    const nowWallMs = this.#clock.wallMs();
    for (const [old, overWallMs] of this.#loggedOut) if (overWallMs <= nowWallMs) this.#loggedOut.delete(old);
    if (this.#loggedOut.size >= MAX_LOGGED_OUT) {
      // Rather all log in anew than one logged-out session lives again.
      this.#loggedOut.clear();
      this.#notBeforeWallMs = nowWallMs;
    }
    // Another copy may have been renewed, at the latest now.
    this.#loggedOut.set(id, Math.max(expiresWallMs, nowWallMs + OPERATOR_SESSION_MS));
  }
}

const derive = (secret: string, label: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', label, 32));

const sign = (key: Buffer, text: string): string => createHmac('sha256', key).update(text).digest('base64url');

function equal(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
