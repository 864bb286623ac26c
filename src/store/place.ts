// Where a database is.

/** `:memory:` or a path for SQLite; a URL (`postgres://…`) for PostgreSQL. */
export type Place = { engine: 'sqlite'; path: string } | { engine: 'postgres'; url: string };

/** Where a server keeps its database. */
export const placeOf = (databaseUrl: string | null, sqlitePath: string): Place =>
  databaseUrl === null ? { engine: 'sqlite', path: sqlitePath } : { engine: 'postgres', url: databaseUrl };

/** A place as it may be shown to anybody: no name of a user, no password. */
export function shownPlace(place: Place): string {
  if (place.engine === 'sqlite') return `SQLite at ${place.path}`;
  const url = urlOf(place.url);
  return url === null ? 'PostgreSQL' : `PostgreSQL at ${url.host}${url.pathname}`;
}

/** Null: not the URL of a PostgreSQL. */
export function urlOf(text: string): URL | null {
  const url = URL.parse(text);
  return url !== null && /^postgres(?:ql)?:$/.test(url.protocol) ? url : null;
}
