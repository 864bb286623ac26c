// The operators' side of a server: who gets in, the API with all its routes, the page, its sockets, and the browser phone. It
// looks on at the calls and orders what operators ask for; no call waits for it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Agent } from './agent/agent.ts';
import type { Calls } from './call/calls.ts';
import type { CarrierControl } from './carrier/carrier.ts';
import { parsePublicUrl } from './carrier/twilio/public-url.ts';
import { loadTwiml, twimlUrls } from './carrier/twilio/twiml.ts';
import type { OnlookerFactory } from './call/feed.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { dashboardApi } from './dashboard/api.ts';
import { Entrance } from './dashboard/entrance.ts';
import type { Links } from './dashboard/links.ts';
import { listenSocket } from './dashboard/live/listen-socket.ts';
import { LiveCalls } from './dashboard/live/live-calls.ts';
import { operatorActions } from './dashboard/live/operator-actions.ts';
import { SpentToday } from './dashboard/live/spent-today.ts';
import { pageFiles } from './dashboard/page-files.ts';
import { browserControl } from './dashboard/phone/browser-control.ts';
import { BrowserPhones } from './dashboard/phone/browser-phones.ts';
import { liveCaptions } from './dashboard/phone/live-captions.ts';
import { agentRoutes } from './dashboard/routes/agents.ts';
import { callFileRoutes } from './dashboard/routes/call-files.ts';
import { callRoutes } from './dashboard/routes/calls.ts';
import { liveRoutes } from './dashboard/routes/live.ts';
import { phoneRoutes } from './dashboard/routes/phone.ts';
import type { ServerFacts } from './dashboard/schemas/live.ts';
import { type PageSockets, pageSockets } from './dashboard/upgrades.ts';
import type { Logger } from './log.ts';
import type { HealthReading } from './realtime/model-health.ts';
import type { StoreEvent } from './store/events.ts';
import type { Store } from './store/store.ts';

export interface OperatorsOptions {
  config: Config;
  agents: readonly Agent[];
  clock: Clock;
  log: Logger;
  nodeId: string;
  version: string;
  /** Where this server listens, and the origin that others reach. */
  origin: string;
  publicUrl: string;
  /** What signs the browser phone's webhooks. */
  authToken: string;
  adminToken: string;
  /** The built page; default: where the build puts it. */
  pageDir?: string;
  store: Store;
  /** The embedded simulator answers. */
  simulated: boolean;
  calls(): Calls;
  /** How every model in use is doing, by a name for people. */
  models(): readonly { name: string; health: HealthReading }[];
  loopDelayMs(): number;
}

export interface Operators {
  /** Looks on at every call. */
  readonly onlooker: OnlookerFactory;
  /** Orders about calls from browser phones. */
  readonly control: CarrierControl;
  /** One-time links to the page. */
  readonly links: Links;
  readonly sockets: PageSockets;
  /** A fact that the record of a call keeps. */
  kept(fact: StoreEvent): void;
  /** The API and the page. */
  register(app: FastifyInstance): Promise<void>;
  /** Keeps the agent files as they are now, so that the page of a call can show the one that answered it. */
  keepAgentFiles(): Promise<void>;
  close(): Promise<void>;
}

export function operatorsSide(options: OperatorsOptions): Operators {
  const { config, agents, clock, log, nodeId, version, publicUrl, adminToken, store, simulated } = options;
  const startedWallMs = clock.wallMs();
  const spent = new SpentToday({ store, clock });
  const live = new LiveCalls({
    clock,
    nodeId,
    server: (): ServerFacts => {
      const calls = options.calls();
      const { state, why, lagMs } = store.health;
      return {
        ...{ node: nodeId, version, simulated },
        startedWallMs: Math.round(startedWallMs),
        wallMs: Math.round(clock.wallMs()),
        live: calls.live,
        maxConcurrentCalls: config.maxConcurrentCalls,
        draining: calls.draining,
        circuits: options.models().map(({ name, health }) => ({ name, state: health.circuit })),
        loopDelayMs: options.loopDelayMs(),
        spentTodayNanoUsd: spent.nanoUsd,
        dayLimitNanoUsd: config.maxNanoUsdPerDay,
        store: { state, why, lagMs },
      };
    },
  });
  const append = (fact: StoreEvent): void => store.append(fact);
  const entrance = new Entrance({ adminToken, publicUrl, clock, append });
  const phones = new BrowserPhones({
    ...{ clock, publicUrl, log, server: options.origin },
    authToken: options.authToken,
    accountSid: config.twilioAccountSid,
    captions: liveCaptions(live),
    admitted: (who, callId) =>
      append({
        ...{ type: 'audited', atWallMs: Math.round(clock.wallMs()), actor: who.actor },
        ...{ action: 'phone.call', subject: callId, note: '' },
      }),
  });
  const listens = listenSocket({ live, store, clock });
  const sockets = pageSockets({
    ...{ entrance, clock, log },
    routes: [
      { path: '/api/phone/socket', access: 'phone', open: (socket, _request, who) => phones.accept(socket, who) },
      {
        path: '/api/live/calls/:id/listen',
        open: (socket, _request, who, { id = '' }) => listens(socket, who, id),
      },
    ],
  });
  const twiml = loadTwiml(twimlUrls(parsePublicUrl(publicUrl)));
  return {
    onlooker: live.onlooker,
    control: browserControl({ phones, twiml: (next) => twiml.next(next) }),
    links: entrance.links,
    sockets,
    kept: (fact) => live.kept(fact),
    async register(app) {
      const calls = options.calls();
      const routes = [
        ...callRoutes(store, clock),
        ...callFileRoutes({ store, dataDir: config.dataDir, log }),
        ...liveRoutes({ live, actions: operatorActions({ calls, audit: append, clock }), clock }),
        ...agentRoutes({ agents, store, simulated }),
        ...phoneRoutes({ agents, simulated, phones, calls }),
      ];
      await app.register(dashboardApi, { routes, entrance, version, clock, log });
      await pageFiles(app, { publicUrl, ...(options.pageDir === undefined ? {} : { dir: options.pageDir }) });
    },
    keepAgentFiles: () => tellAgentFiles(agents, config.agentsDir, append, clock),
    async close() {
      await phones.close();
      await sockets.close();
      live.close();
    },
  };
}

async function tellAgentFiles(
  agents: readonly Agent[],
  dir: string,
  append: (fact: StoreEvent) => void,
  clock: Clock,
): Promise<void> {
  for (const { name, file, hash } of agents) {
    // Agents of a test or of another loader have no file.
    const text = await readFile(join(dir, file), 'utf8').catch(() => null);
    if (text !== null) append({ type: 'agent.known', atWallMs: Math.round(clock.wallMs()), name, file, hash, text });
  }
}
