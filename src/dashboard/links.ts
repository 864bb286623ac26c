// One-time links, which let somebody in without the admin token. The code stands in the fragment of the address, which
// browsers send to nobody: no proxy and no log sees it. Kept in this process only, and only as digests.
import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { TrunklineError } from '../errors.ts';
import type { Who } from './api-route.ts';

/** Links that nobody has used and that are still good. */
export const MAX_LINKS = 1_000;

export interface Link {
  scope: Who['scope'];
  expiresWallMs: number;
}

export interface MadeLink extends Link {
  /** Below the origin of the page. */
  path: string;
}

export class Links {
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #made: (link: Link, by: string) => void;
  /** By the digest of the code. */
  readonly #open = new Map<string, Link>();

  /** @param made is told of each link and of who made it */
  constructor({ clock, made = () => {} }: { clock: Pick<Clock, 'wallMs'>; made?: (link: Link, by: string) => void }) {
    this.#clock = clock;
    this.#made = made;
  }

  /** @throws TrunklineError when too many are open */
  make({ scope, minutes, by = 'server' }: { scope: Who['scope']; minutes: number; by?: string }): MadeLink {
    const nowWallMs = Math.round(this.#clock.wallMs());
    for (const [digest, { expiresWallMs }] of this.#open) if (expiresWallMs <= nowWallMs) this.#open.delete(digest);
    if (this.#open.size >= MAX_LINKS)
      throw new TrunklineError(
        'TRK_CONFLICT',
        `There are ${MAX_LINKS} links that nobody has used; make shorter ones, or wait until some expire.`,
      );
    const code = randomBytes(24).toString('base64url');
    const link = { scope, expiresWallMs: nowWallMs + minutes * 60_000 };
    this.#open.set(digestOf(code), link);
    this.#made(link, by);
    return { ...link, path: `${scope === 'phone' ? '/phone' : '/login'}#code=${code}` };
  }

  /** What a code lets in, the first time; null: it is none of ours, was used, or has expired. */
  use(code: string): Link | null {
    const digest = digestOf(code);
    const link = this.#open.get(digest) ?? null;
    this.#open.delete(digest);
    return link !== null && link.expiresWallMs > this.#clock.wallMs() ? link : null;
  }
}

const digestOf = (code: string): string => createHash('sha256').update(code).digest('base64');
