// The processes of one data folder. Each has a Unix socket below DATA_DIR/nodes, a folder that only the server's own user
// may enter, and serves on it the same routes as on its port. Owns that socket.
import { mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { join, relative } from 'node:path';
import { askNode, type NodeAnswer, type NodeFailure } from './node-socket.ts';

/** The part of a logger that this folder uses. */
export interface PeersLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What a process tells its peers about itself at `NODE_PATH`. */
export interface NodeFacts {
  node: string;
  host: string;
  port: number;
  publicUrl: string;
  /** Says whether two processes check signatures with the same token, and nothing else of it. */
  tokenMark: string;
  /** It listens, and lets new calls in. */
  taking: boolean;
}

/** Answered to peers only. */
export const NODE_PATH = '/node';

/** Names of processes as they stand in tokens; anything else is no file's name. */
const NODE_ID = /^[0-9a-f]{12}$/;
const SOCKET = /^([0-9a-f]{12})\.sock$/;
/** Bytes of a socket's path: 104 with the last zero on macOS, 108 on Linux. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;
/** Processes of one machine answer at once, unless they are overloaded. */
const FACTS_WITHIN_MS = 500;
/** A socket without a listener is removed when it is older than this: between its making and its listening lies a moment. */
const STALE_AFTER_MS = 60_000;

export class Nodes {
  readonly id: string;
  readonly #folder: string;
  readonly #log: PeersLog;
  readonly #connections = new WeakSet<object>();
  #server: NetServer | null = null;

  constructor({ id, dataDir, log }: { id: string; dataDir: string; log: PeersLog }) {
    this.id = id;
    this.#folder = join(dataDir, 'nodes');
    this.#log = log;
  }

  /** Lets peers in from now; `connected` gets their connections. Without a socket the process works alone, and says so. */
  async listen(connected: (socket: Socket) => void): Promise<void> {
    const server = createServer((socket) => {
      this.#connections.add(socket);
      connected(socket);
    });
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const path = this.#path(this.id);
      if (path === null) throw Object.assign(new Error('the path is too long'), { code: 'ENAMETOOLONG' });
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(path, resolve);
      });
    } catch (err) {
      this.#log.warn(
        { err, code: (err as NodeJS.ErrnoException).code },
        'no socket in the data folder: other processes of it cannot hand calls over',
      );
      return;
    }
    server.on('error', (err) => this.#log.warn({ err }, 'socket in the data folder failed'));
    this.#server = server;
  }

  /** Whether a connection comes from a peer. */
  isPeer(connection: object): boolean {
    return this.#connections.has(connection);
  }

  /** Where a process can be reached, if it is there; null for this one and for what is no process's name. */
  socketOf(node: string): string | null {
    return node === this.id || !NODE_ID.test(node) ? null : this.#path(node);
  }

  /** What the others say of themselves, those that are up. Removes the sockets of processes that died. */
  async others(): Promise<NodeFacts[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const ids = names.flatMap((name) => SOCKET.exec(name)?.[1] ?? []);
    const found = await Promise.all(ids.filter((id) => id !== this.id).map((id) => this.#factsOf(id)));
    return found.filter((facts) => facts !== null);
  }

  /** Whether nobody listens on the socket of a process; one that is slow is not gone. */
  async isGone(node: string): Promise<boolean> {
    const path = this.socketOf(node);
    return path === null || (await this.#ask(path)) === 'gone';
  }

  /** Removes the socket; peers that are connected stay so. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    // Node unlinks the path itself.
    server.close();
  }

  async #factsOf(node: string): Promise<NodeFacts | null> {
    const path = this.#path(node);
    if (path === null) return null;
    const answer = await this.#ask(path);
    if (answer === 'gone') await this.#removeStale(path);
    if (typeof answer === 'string' || answer.status !== 200) return null;
    try {
      return JSON.parse(answer.body) as NodeFacts;
    } catch {
      return null;
    }
  }

  #ask(path: string): Promise<NodeAnswer | NodeFailure> {
    return askNode(path, { method: 'GET', path: NODE_PATH, headers: {}, body: '' }, FACTS_WITHIN_MS);
  }

  async #removeStale(path: string): Promise<void> {
    try {
      if (Date.now() - (await stat(path)).mtimeMs > STALE_AFTER_MS) await unlink(path);
    } catch {
      // Somebody else was quicker.
    }
  }

  /** Null when neither spelling of it fits into a socket's address. */
  #path(node: string): string | null {
    const path = join(this.#folder, `${node}.sock`);
    const spellings = [path, relative(process.cwd(), path)];
    return spellings.find((spelling) => Buffer.byteLength(spelling) <= MAX_PATH_BYTES) ?? null;
  }
}
