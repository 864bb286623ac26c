// Fastify plugin: the operators' page as it was built, its files and nothing else. It holds nothing, so everybody may load it;
// what it shows comes from the API, which asks who they are.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { pageHeaders } from './security-headers.ts';

export interface PageFilesOptions {
  /** What `npm run build:page` made. Default: where it makes it. */
  dir?: string;
  /** The origin that others reach. */
  publicUrl: string;
}

const BUILT = fileURLToPath(new URL('../../dist/page', import.meta.url));

/** Paths that are views of the page: its own document, which knows them apart. */
const VIEWS = ['/', '/login', '/live', '/live/:id', '/calls', '/calls/:id', '/phone', '/audit'];
/** What lies beside the document under a name that stays. */
const FIXED_FILES = ['icon.svg'];
/** The others: their names hold a hash, so what was loaded once is good for ever. No folders, nothing that begins with a dot. */
const ASSET = /^\w[\w.-]{0,150}$/;

const A_YEAR_MS = 365 * 24 * 3_600_000;

/** GET of the page's views, `/assets/…` and `/icon.svg`; the answer to every path of the server that nobody has. */
export async function pageFiles(app: FastifyInstance, { dir = BUILT, publicUrl }: PageFilesOptions): Promise<void> {
  const headers = pageHeaders({ https: publicUrl.startsWith('https://') });
  await app.register(fastifyStatic, {
    root: dir,
    serve: false,
    preCompressed: true,
    index: false,
    dotfiles: 'ignore',
    // The page may be built while the server runs.
    suppressWarning: true,
  });
  /** Requests that the document was looked for, and not found: there is none. */
  const asked = new WeakSet<FastifyRequest>();
  // People get the page, which says so in its own words; programs get what they get from the API.
  app.setNotFoundHandler(async (request, reply) => {
    void reply.headers(headers);
    if (!asked.has(request) && !isPerson(request)) return reply.code(404).send(NOTHING_HERE);
    // Whatever the browser knows already: `sendFile` would answer 304 to some, hence nothing.
    const page = await readFile(join(dir, 'index.html')).catch(() => null);
    void reply.header('cache-control', 'no-store').type('text/html; charset=utf-8');
    return page === null ? reply.code(503).send(NOT_BUILT) : reply.code(404).send(page);
  });
  await app.register(async (own) => {
    own.addHook('onRequest', async (_request, reply) => void reply.headers(headers));
    for (const path of VIEWS)
      own.get(path, (request, reply) => {
        asked.add(request);
        // Asked for anew each time, so that a later build is seen at once; it is small, and mostly answered with 304.
        return reply.header('cache-control', 'no-cache').sendFile('index.html', { cacheControl: false });
      });
    for (const name of FIXED_FILES) own.get(`/${name}`, (_request, reply) => reply.sendFile(name));
    own.get<{ Params: { name: string } }>('/assets/:name', ({ params: { name } }, reply) =>
      ASSET.test(name)
        ? reply.sendFile(`assets/${name}`, { immutable: true, maxAge: A_YEAR_MS })
        : reply.callNotFound(),
    );
  });
}

const isPerson = ({ method, url, headers: { accept = '' } }: FastifyRequest): boolean =>
  (method === 'GET' || method === 'HEAD') && accept.includes('text/html') && !url.startsWith('/api');

const NOTHING_HERE = { error: { code: 'TRK_NOT_FOUND', message: 'There is nothing here.' } };

const NOT_BUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trunkline</title>
<h1>Trunkline is running</h1>
<p>Its page is not built yet. In the folder of Trunkline run <code>npm ci &amp;&amp; npm run build:page</code>, then load this page anew.
<p>Calls are answered all the same, and the API is at <a href="/api/openapi.json">/api</a>.
</html>
`;
