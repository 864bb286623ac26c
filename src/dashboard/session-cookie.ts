// The cookie that holds a session. Scripts cannot read it, other sites' requests do not carry it.

const NAME = 'trk_session';
/** Of one name: a page of a neighbouring host can add its own, which come first or last as it likes. */
const MOST_READ = 8;

/** The values that a request's `cookie` header has under our name. */
export function readCookies(header: string | undefined): string[] {
  if (header === undefined) return [];
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${NAME}=`))
    .slice(0, MOST_READ)
    .map((pair) => pair.slice(NAME.length + 1));
}

/** A `set-cookie` header. @param seconds until the browser forgets it; 0: now */
export function writeCookie(value: string, seconds: number, secure: boolean): string {
  const flags = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${Math.max(0, Math.floor(seconds))}`;
  return `${NAME}=${value}; ${flags}${secure ? '; Secure' : ''}`;
}
