// The real page, API and sockets of the live views, over calls that a test makes up: streams with numbers, actions that can be
// refused, both sides of a call to listen to. It can go away and come back on the same port.
import Fastify, { type FastifyInstance } from 'fastify';
import type { Page } from 'playwright-core';
import { pino } from 'pino';
import { realClock } from '../../../src/clock.ts';
import type { ApiRoute } from '../../../src/dashboard/api-route.ts';
import { dashboardApi } from '../../../src/dashboard/api.ts';
import { Entrance } from '../../../src/dashboard/entrance.ts';
import { Channel, type Listener } from '../../../src/dashboard/live/channel.ts';
import type { Followed } from '../../../src/dashboard/live/live-calls.ts';
import { listenSocket, type ListenSink } from '../../../src/dashboard/live/listen-socket.ts';
import type { Acted, OperatorAction } from '../../../src/dashboard/live/operator-actions.ts';
import { pageFiles } from '../../../src/dashboard/page-files.ts';
import { liveRoutes } from '../../../src/dashboard/routes/live.ts';
import { callParams } from '../../../src/dashboard/schemas/call.ts';
import type { LiveCall, LiveEntry, ServerFacts } from '../../../src/dashboard/schemas/live.ts';
import { pageSockets } from '../../../src/dashboard/upgrades.ts';
import { TrunklineError } from '../../../src/errors.ts';
import { z } from 'zod';
import { builtPage, enterPage } from '../../support/browser.ts';
import { serverFacts } from './facts.ts';

const ADMIN_TOKEN = 'token-of-the-test-of-the-live-views';

export interface Action {
  action: OperatorAction;
  callId: string;
  body: unknown;
  actor: string;
}

/** What goes on, as the test says. */
export class Scene {
  server: ServerFacts = serverFacts();
  /** Under way. */
  readonly calls = new Map<string, LiveCall>();
  readonly entries = new Map<string, LiveEntry[]>();
  /** Over: how `/api/calls/:id` tells their end. */
  readonly ended = new Map<string, { endedWallMs: number | null; reason: string | null; by: string | null }>();
  readonly actions: Action[] = [];
  /** What an action comes to. */
  outcome: Acted = { outcome: 'done' };
  readonly sinks = new Map<string, Set<ListenSink>>();
  #grid = new Channel('scene');
  readonly #channels = new Map<string, Channel>();

  snapshot() {
    return { server: { ...this.server, wallMs: Date.now(), live: this.calls.size }, calls: [...this.calls.values()] };
  }

  followGrid(listener: Listener, lastId: string | null = null): Followed {
    return follow(this.#grid, listener, lastId, () => this.snapshot());
  }

  /** Streams of the grid that are open. */
  get followers(): number {
    return this.#grid.size;
  }

  followCall(callId: string, listener: Listener, lastId: string | null = null): Followed {
    const call = this.calls.get(callId);
    if (call === undefined) return 'gone';
    return follow(this.#channel(callId), listener, lastId, () => ({
      call: this.calls.get(callId),
      entries: this.entries.get(callId) ?? [],
    }));
  }

  one(callId: string): object | null {
    return this.calls.get(callId) ?? null;
  }

  listen(callId: string, sink: ListenSink): (() => void) | null {
    if (!this.calls.has(callId)) return null;
    const sinks = this.sinks.get(callId) ?? new Set();
    this.sinks.set(callId, sinks.add(sink));
    return () => void sinks.delete(sink);
  }

  /** Calls begin or change; told as the hub tells it. */
  tell(calls: readonly LiveCall[], gone: readonly string[] = []): void {
    for (const call of calls) this.calls.set(call.callId, call);
    for (const id of gone) this.calls.delete(id);
    this.#grid.tell('changed', { calls, gone });
    for (const call of calls) this.#channels.get(call.callId)?.tell('changed', { call, entries: [] });
    for (const id of gone) {
      this.#channels.get(id)?.tell('gone', { callId: id });
      for (const sink of this.sinks.get(id) ?? []) sink.gone();
    }
  }

  tellFacts(facts: Partial<ServerFacts>): void {
    this.server = { ...this.server, ...facts };
    this.#grid.pass(this.#grid.now('server', this.snapshot().server));
  }

  /** New or changed lines of a call. */
  write(callId: string, lines: readonly LiveEntry[]): void {
    const kept = new Map((this.entries.get(callId) ?? []).map((line) => [line.entry, line]));
    for (const line of lines) kept.set(line.entry, line);
    this.entries.set(callId, [...kept.values()]);
    this.#channel(callId).tell('changed', { call: this.calls.get(callId), entries: lines });
  }

  sound(callId: string, side: 'caller' | 'agent', atMs: number, payload: string): void {
    for (const sink of this.sinks.get(callId) ?? []) sink.frame(side, atMs, payload);
  }

  /** All streams of the grid stay open and bring nothing more, as when a machine on the way has gone. */
  deafen(): void {
    this.#grid.close();
  }

  /** Everything is forgotten, as by a restart. */
  restarted(): void {
    this.calls.clear();
    this.entries.clear();
    this.#channels.clear();
    this.#grid = new Channel(`scene-${Math.random().toString(36).slice(2)}`);
  }

  #channel(callId: string): Channel {
    const channel = this.#channels.get(callId) ?? new Channel('scene');
    this.#channels.set(callId, channel);
    return channel;
  }
}

function follow(channel: Channel, listener: Listener, lastId: string | null, snapshot: () => unknown): Followed {
  for (const told of channel.since(lastId) ?? [channel.now('snapshot', snapshot())]) listener(told);
  return { close: channel.follow(listener) };
}

export interface LiveServer {
  origin: string;
  scene: Scene;
  /** Opens a page of somebody who is logged in. */
  enter(open: (url: string) => Promise<Page>, path: string): Promise<Page>;
  token: string;
  /** The process goes: all connections break. */
  down(): Promise<void>;
  /** And comes back on the same port. */
  up(): Promise<void>;
  close(): Promise<void>;
}

export async function startLiveServer(): Promise<LiveServer> {
  const scene = new Scene();
  const dir = await builtPage();
  let app = await start(scene, dir, 0);
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const { port } = address;
  const origin = `http://127.0.0.1:${port}`;
  const beat = setInterval(() => scene.tellFacts({}), 1_000);
  return {
    ...{ origin, scene, token: ADMIN_TOKEN },
    enter: (open, path) => enterPage(open, { origin, token: ADMIN_TOKEN, path }),
    down: () => app.close(),
    async up() {
      app = await start(scene, dir, port);
    },
    async close() {
      clearInterval(beat);
      await app.close();
    },
  };
}

async function start(scene: Scene, dir: string, port: number): Promise<FastifyInstance> {
  const entrance = new Entrance({
    adminToken: ADMIN_TOKEN,
    publicUrl: 'http://127.0.0.1',
    clock: realClock,
    append: () => {},
  });
  const log = pino({ level: 'silent' });
  const app = Fastify({ forceCloseConnections: true });
  await app.register(pageFiles, { dir, publicUrl: 'http://127.0.0.1' });
  const actions = (action: OperatorAction, callId: string, body: unknown, actor: string): Acted => {
    if (!scene.calls.has(callId)) return { outcome: 'gone' };
    scene.actions.push({ action, callId, body, actor });
    return scene.outcome;
  };
  const routes = [...liveRoutes({ live: scene, actions }), endRoute(scene)];
  await app.register(dashboardApi, { routes, entrance, version: 'test', clock: realClock, log });
  const open = listenSocket({ live: scene, store: { append: () => {} }, clock: realClock });
  const sockets = pageSockets({
    ...{ entrance, clock: realClock, log },
    routes: [
      {
        path: '/api/live/calls/:id/listen',
        open: (socket, _request, who, { id = '' }) => open(socket, who, id),
      },
    ],
  });
  app.server.on('upgrade', (request, socket, head) => {
    if (!sockets.take(request, socket, head)) socket.destroy();
  });
  app.addHook('preClose', () => sockets.close());
  await app.listen({ host: '127.0.0.1', port });
  return app;
}

/** The part of a call's record that the live views ask for. */
const endRoute = (scene: Scene): ApiRoute => ({
  method: 'GET',
  path: '/calls/:id',
  summary: 'How a call ended',
  params: callParams,
  reply: z.object({ endedWallMs: z.int().nullable(), reason: z.string().nullable(), by: z.string().nullable() }),
  answer: async ({ params }) => {
    const ending = scene.ended.get((params as { id: string }).id);
    if (ending === undefined) throw new TrunklineError('TRK_NOT_FOUND', 'no such call');
    return ending;
  },
});
