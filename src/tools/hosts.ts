// Where one agent's tools may connect: the hosts that its declarations name, those listed under `outbound.hosts`, and the
// private ones of `outbound.private`.
import { isIP } from 'node:net';
import { addressKind } from './address.ts';

/** Which hosts; entries are `host` or `host:port`, v6 addresses in brackets. */
export interface Outbound {
  readonly hosts: readonly string[];
  readonly private: readonly string[];
}

/** A host name or address, and a port where one counts. */
const ENTRY = /^(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?)(?::(\d{1,5}))?$/i;

/** An entry as it is compared, or null when it is none. */
export function hostEntry(text: string): { host: string; port: string | null } | null {
  const [, host, port] = ENTRY.exec(text.trim()) ?? [];
  if (host === undefined || !URL.canParse(`http://${host}`) || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535)
    return null;
  // The URL writes 127.1 and 0x7f000001 as the address they are, and names in small letters.
  return { host: new URL(`http://${host}`).hostname, port: port === undefined ? null : String(Number(port)) };
}

export class Hosts {
  readonly #hosts: Set<string>;
  readonly #private: Set<string>;

  constructor({ hosts, private: own }: Outbound) {
    const keys = (entries: readonly string[], barePort: string) =>
      entries.flatMap((entry) => {
        const read = hostEntry(entry);
        return read ? [`${read.host}:${read.port ?? barePort}`] : [];
      });
    this.#hosts = new Set(keys(hosts, '443'));
    this.#private = new Set(keys(own, '*'));
  }

  /** A host that a declaration names. */
  add(url: URL): void {
    this.#hosts.add(`${url.hostname}:${portOf(url)}`);
  }

  listed(url: URL): boolean {
    return this.isPrivate(url) || this.#hosts.has(`${url.hostname}:${portOf(url)}`);
  }

  isPrivate(url: URL): boolean {
    return this.#private.has(`${url.hostname}:${portOf(url)}`) || this.#private.has(`${url.hostname}:*`);
  }

  /** Why nothing may be sent to this URL, whatever its name leads to; null when it may. */
  refusal(url: URL): string | null {
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'expected an https URL';
    if (url.username !== '' || url.password !== '') return 'expected a URL without user name and password';
    if (url.protocol === 'http:' && !this.isPrivate(url))
      return `expected https, or ${hostOf(url)} under outbound.private`;
    if (!this.listed(url)) return `expected ${hostOf(url)} under outbound.hosts`;
    const address = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(address) !== 0 && addressKind(address) !== 'public' && !this.isPrivate(url))
      return `expected a public address, or ${hostOf(url)} under outbound.private`;
    return null;
  }

  /** Whether a connection for this URL may go to an address that its name was resolved to. */
  allows(url: URL, address: string): boolean {
    const kind = addressKind(address);
    return kind === 'public' || (kind === 'private' && this.isPrivate(url));
  }
}

const portOf = (url: URL) => url.port || (url.protocol === 'http:' ? '80' : '443');

/** As it would be listed. */
const hostOf = (url: URL) => url.host;
