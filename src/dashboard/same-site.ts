// Whether a request was made by a page of this very server. Browsers say where a request comes from; scripts on other sites
// cannot forge it, and clients that are no browsers have no cookie that could be abused.
import type { IncomingHttpHeaders } from 'node:http';

/**
 * The origin that a browser names, when it is ours: the public one, or that of the address that was asked.
 * @param publicUrl the origin that others reach; a proxy may have hidden it from the `host` header
 */
export function isOurOrigin(origin: string, host: string | undefined, publicUrl: string): boolean {
  if (!/^https?:\/\//.test(origin) || !URL.canParse(origin)) return false;
  const [from, ours] = [new URL(origin), new URL(publicUrl)];
  // An unsafe http page under the public name is not ours when the public origin is https.
  if (from.host === ours.host) return from.origin === ours.origin;
  const asked = `${from.protocol}//${host ?? ''}`;
  return URL.canParse(asked) && new URL(asked).host === from.host;
}

/** Whether nothing in a request says that another site's page made it. */
export function cameFromUs(headers: IncomingHttpHeaders, publicUrl: string): boolean {
  const { origin, host, 'sec-fetch-site': site } = headers;
  if (site !== undefined && site !== 'same-origin') return false;
  return origin === undefined || isOurOrigin(origin, host, publicUrl);
}

/**
 * Whether the session's cookie may be used for reading. A page of another port or of a neighbouring host is the same site: its
 * requests carry the cookie, and though it cannot see the answers, it could hold streams open or guess by their timing.
 */
export const mayRead = ({ 'sec-fetch-site': site }: IncomingHttpHeaders): boolean =>
  site === undefined || site === 'same-origin' || site === 'none';
