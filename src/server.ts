// Builds the whole server from a configuration and gives it back; main, the demo and the tests all call it. Reads like the
// path of a call: carrier -> calls -> model, with the onlookers beside.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import type { Agent, AgentTarget } from './agent/agent.ts';
import { loadAgents } from './agent/load.ts';
import type { CallStore } from './call/call-store.ts';
import { Calls } from './call/calls.ts';
import type { OnlookerFactory } from './call/feed.ts';
import { Holdings } from './call/holdings.ts';
import type { Model } from './call/make-call.ts';
import { startSweep } from './call/sweep.ts';
import { BROWSER } from './carrier/carrier.ts';
import { TWILIO_LEG } from './carrier/twilio/leg.ts';
import { twilioCarrier } from './carrier/twilio/plugin.ts';
import { twilioControl } from './carrier/twilio/rest.ts';
import { explainStreamError } from './carrier/twilio/stream-codes.ts';
import { type Books, openBooks } from './books.ts';
import { type Clock, realClock } from './clock.ts';
import { type AgentTools, openAgentTools } from './agent-tools.ts';
import type { Config } from './config.ts';
import { keepRegistered } from './coordination/heartbeat.ts';
import { InProcess } from './coordination/in-process.ts';
import { TrunklineError } from './errors.ts';
import { callLogger, type Logger } from './log.ts';
import { type Operators, operatorsSide } from './operators.ts';
import { createMetrics, type Metrics } from './metrics/metrics.ts';
import { freePort } from './peers/doors.ts';
import { Sharing } from './peers/sharing.ts';
import { ModelHealth } from './realtime/model-health.ts';
import { Endpoints } from './realtime/openai/endpoints.ts';
import { openAiModel } from './realtime/openai/model.ts';
import { FileCallStore } from './record/file-store.ts';
import { SteadyStore } from './record/steady-store.ts';
import { loggable } from './record/call-record.ts';
import { createRecorder, type Recorder } from './record/record.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from './simulator/server.ts';
import { PreparedThread } from './store/database-thread.ts';
import { startStore, type StoreOptions } from './store/start.ts';
import type { Store } from './store/store.ts';
import { recordingOnlooker } from './tape/recording.ts';
import { startRetention } from './privacy/schedule.ts';
import { shownArguments } from './tools/shown-arguments.ts';
import { troubleLog } from './record/trouble-log.ts';
import { tapeRecorder } from './tape/recorder.ts';

export interface ServerOptions {
  config: Config;
  log: Logger;
  clock?: Clock;
  /** Default: the agent files of `config.agentsDir`. */
  agents?: readonly Agent[];
  /** More onlookers on every call, e.g. the demo's captions. */
  onlookers?: readonly OnlookerFactory[];
  /**
   * Who looks on at every call, so that the bench can tell what that costs: all (the default), all but the record with its
   * ledger and facts, or nobody (no tape, recording, record or metrics).
   */
  standingOnlookers?: 'all' | 'all_but_books' | 'none';
  /** How the embedded simulator behaves, where it answers. */
  simulator?: SimulatorOptions;
  /** p99 of the event loop's delay of late, in milliseconds. Default: as it is measured. */
  loopDelayMs?: () => number;
  /** How the store of facts and costs is opened; default: journal and database of the configuration. */
  openStore?: (options: StoreOptions) => Promise<Store>;
  /** Where the tools' `${NAME}` are looked up. Default: the process's environment. */
  env?: Readonly<Record<string, string | undefined>>;
  /** The built page; default: where `npm run build:page` puts it. */
  pageDir?: string;
  /** What the calls get for the files of the data folder; default: these. For faults of a disk. */
  store?: (files: CallStore) => CallStore;
}

export interface Server {
  /** Where it really listens, e.g. http://127.0.0.1:3000 */
  origin: string;
  /** The origin that carriers reach; signatures are checked against it. */
  publicUrl: string;
  /** What signs webhooks: the operator's token, or the random one of this process. */
  authToken: string;
  /** What opens the API: the operator's token, or the random one of this process. */
  adminToken: string;
  calls: Calls;
  agents: readonly Agent[];
  /** Makes one-time links to the operators' page. */
  links: Operators['links'];
  metrics: Metrics;
  /** Who holds places and tokens, and which nodes there are. */
  coordination: InProcess;
  /** What the calls hold: sessions, sockets, timers, tokens. */
  holdings: Holdings;
  /** The embedded simulator, when it answers. */
  simulator: Simulator | null;
  /** Tells of each call's record. */
  records: Pick<Recorder, 'onRecord'>;
  /** Lets no new call in and waits for the live ones, at most `drainMs`; then they are wrapped up. */
  drain(drainMs: number): Promise<void>;
  /** Ends everything now. Call `drain` first. Idempotent. */
  close(): Promise<void>;
}

const { version: VERSION } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** A webhook is known as a replay for half a year after its call. */
const KEEP_ENTRIES_MS = 183 * 24 * 3_600_000;
const MOST_PORTS_TRIED = 5;
/** From a request's first byte to its last; Twilio itself gives up after 15 s. */
const REQUEST_MS = 10_000;

/** @throws TrunklineError for a bad agent file, an unwritable data folder or a port that cannot be had */
export async function startServer(options: ServerOptions): Promise<Server> {
  for (let tries = 1; ; tries++) {
    try {
      return await buildServer(options);
    } catch (error) {
      const taken = error instanceof TrunklineError && error.code === 'TRK_LISTEN';
      // A free port may be taken before it is listened on: then another is as good.
      if (!taken || options.config.port !== 0 || tries === MOST_PORTS_TRIED) throw error;
    }
  }
}

async function buildServer(options: ServerOptions): Promise<Server> {
  const { config, log, clock = realClock } = options;
  await makeDataDir(config.dataDir);
  // It has as much to load as the agents have, and waits until they are found good.
  const thread = options.openStore === undefined ? new PreparedThread() : undefined;
  const nodeId = randomBytes(6).toString('hex');
  const coordination = new InProcess({ clock, nodeId });
  let books: Books | null = null;
  try {
    const agents = options.agents ?? (await loadAgents(config.agentsDir, config));
    books = await openBooks({
      ...{ config, agents, clock, log, nodeId, budgets: coordination.budgets },
      openStore: options.openStore ?? ((asked) => startStore({ ...asked, thread })),
    });
    return await serve(options, { agents, nodeId, coordination, books });
  } catch (error) {
    await thread?.discard();
    await books?.close().catch(() => {});
    throw error;
  }
}

/** What a server begins with: agents that are found good, and books that are open. Where it cannot serve they are its caller's to close. */
interface Begun {
  agents: readonly Agent[];
  nodeId: string;
  coordination: InProcess;
  books: Books;
}

async function serve(options: ServerOptions, { agents, nodeId, coordination, books }: Begun): Promise<Server> {
  const { config, log, clock = realClock } = options;
  const simulator = config.openaiApiKey === null ? await startSimulator(options.simulator) : null;
  simulator?.onSession((session) => {
    session.on('script_fault', (fault) => log.warn({ fault }, 'the script of the simulator'));
  });
  const port = config.port === 0 ? await freePort(config.host) : config.port;
  const publicUrl = config.publicUrl ?? localOrigin(config.host, port);
  const authToken = config.twilioAuthToken ?? randomBytes(16).toString('hex');
  const adminToken = config.adminToken ?? randomBytes(16).toString('hex');
  const metrics = createMetrics({ clock, version: VERSION });
  const files = new FileCallStore({ dataDir: config.dataDir, log });
  const holdings = new Holdings();
  const fault = (err: unknown): void => metrics.error(err instanceof TrunklineError ? err.code : 'internal');
  const failedRead = (err: unknown): void => {
    fault(err);
    log.error({ err }, 'call store failed');
  };
  const recorder = createRecorder({
    dataDir: config.dataDir,
    clock,
    log,
    prices: books.prices,
    facts: {
      node: nodeId,
      keep(fact) {
        books.store.append(fact);
        operators.kept(fact);
        if (fact.type === 'line.charged') calls.charged(fact.callId, fact.line);
      },
    },
    incomplete: () => metrics.incomplete('record', 'failed'),
  });
  recorder.onRecord((record) => {
    metrics.judged(record.quality);
    for (const line of record.cost.lines) metrics.charged(line);
    log.info(loggable(record), 'call record');
  });
  void files
    .prune(clock.wallMs() - KEEP_ENTRIES_MS)
    .catch((err: unknown) => log.warn({ err }, 'old entries were not removed'));

  const health = new ModelHealth({
    clock,
    changed: (endpoint, state, detail) =>
      log[state === 'open' ? 'error' : 'info']({ endpoint, state, why: detail }, 'circuit of a model'),
  });
  const endpoints = new Endpoints({
    clock,
    health,
    only: simulator?.origin ?? null,
    standard: config.openaiBaseUrl,
    apiKey: config.openaiApiKey ?? 'simulator',
  });
  const control =
    config.twilioAccountSid && config.twilioAuthToken
      ? twilioControl({
          baseUrl: config.twilioApiBaseUrl,
          accountSid: config.twilioAccountSid,
          authToken: config.twilioAuthToken,
          publicUrl,
          clock,
          log,
          counters: metrics.counters,
        })
      : null;
  const tools = await openAgentTools({
    agents,
    env: options.env ?? process.env,
    clock,
    log,
    control,
    watch: {
      ...metrics.tools,
      circuit(tool, state) {
        metrics.tools.circuit(tool, state);
        log[state === 'open' ? 'warn' : 'info']({ tool, state }, 'circuit of a tool');
      },
    },
  });
  try {
    books.check(agents.map((agent) => tools.equipped(agent)));
  } catch (error) {
    await tools.close();
    throw error;
  }
  const unserved = agents.filter(({ sms, transfer }) => sms !== null || Object.values(transfer).some(isWarm));
  if (control === null && unserved.length > 0)
    log.warn(
      { agents: unserved.map(({ name }) => name) },
      'sms and transfers with how: warm need TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN; the agents are told that they cannot',
    );
  const operators = operatorsSide({
    ...{ config, agents, clock, log, nodeId, publicUrl, authToken, adminToken },
    ...{ version: VERSION, store: books.store, simulated: simulator !== null },
    origin: localOrigin(config.host, port),
    ...(options.pageDir === undefined ? {} : { pageDir: options.pageDir }),
    calls: () => calls,
    models: () => modelsOf(agents).map((one) => ({ name: one.name, health: health.read(endpoints.of(one).name) })),
    loopDelayMs: () => (options.loopDelayMs ?? metrics.loopDelayMs)(),
  });
  const model = (agent: Agent): Model => openAiModel(tools.equipped(agent), endpoints, clock);
  const looksOn = options.standingOnlookers ?? 'all';
  const standing: OnlookerFactory[] = [
    troubleLog({ log }),
    tapeRecorder({ dataDir: config.dataDir, log, incomplete: (why) => metrics.incomplete('tape', why) }),
    recordingOnlooker({
      dataDir: config.dataDir,
      log,
      incomplete: () => metrics.incomplete('recording', 'failed'),
    }),
    ...(looksOn === 'all' ? [recorder.onlooker] : []),
    metrics.onlooker,
    operators.onlooker,
  ];
  const calls = new Calls({
    nodeId,
    clock,
    agents,
    leg: TWILIO_LEG,
    bounds: config,
    coordination,
    model,
    modelHealth: ({ model: first, failure }) =>
      [first, failure.fallback].flatMap((one) => (one === null ? [] : [health.read(endpoints.of(one).name)])),
    journalFull: () => books.store.health.state === 'full',
    meter: (agent, incoming) => books.meter(tools.equipped(agent), incoming),
    loopDelayMs: () => (options.loopDelayMs ?? metrics.loopDelayMs)(),
    tools: (agent, caller) => tools.forCall(agent, caller),
    equipped: (agent) => tools.equipped(agent),
    shownArguments: (called, callId) =>
      shownArguments(
        called.flatMap((agent) => tools.equipped(agent).tools),
        callId,
      ),
    store: new SteadyStore({ store: options.store?.(files) ?? files, clock, failed: failedRead }),
    holdings,
    controls: (carrier) => (carrier === BROWSER ? operators.control : control),
    onlookers: [...(looksOn === 'none' ? [] : standing), ...(options.onlookers ?? [])],
    watch: {
      admitted: ({ opening, agent }) => callLogger(log, opening.callId).info({ agent: agent.name }, 'call admitted'),
      refused: (reason) => {
        metrics.rejected(reason);
        log.warn({ reason }, 'call refused');
      },
      forwardsToItself: (callId, agent) =>
        callLogger(log, callId).warn({ agent }, 'forward_to is the number that was called: not forwarded there'),
      ended: (callId, { reason, by, result, detail }) =>
        callLogger(log, callId).info({ reason, by, result, why: detail }, 'call ended'),
      closed: (callId) => callLogger(log, callId).debug('call closed'),
      swept: (callId) => {
        metrics.swept();
        callLogger(log, callId).warn('sockets of a call did not go in time');
      },
      fault: (callId, err) => {
        fault(err);
        callLogger(log, callId).error({ err }, 'fault in a call');
      },
      streamFailed: (callId, code) =>
        callLogger(log, callId).warn({ code, why: explainStreamError(code) }, 'the carrier reports a broken stream'),
      ordered: (callId, order, outcome) =>
        callLogger(log, callId)[outcome === 'failed' ? 'error' : 'info']({ order, outcome }, 'order to the carrier'),
    },
  });

  const stopSweep = startSweep({
    calls,
    holdings,
    clock,
    found: ({ kind, callId }) => {
      metrics.leftover(kind);
      callLogger(log, callId).error({ kind }, 'left over from a call that is gone');
    },
    failed: (callId, err) => callLogger(log, callId).error({ err }, 'a leftover could not be closed'),
  });
  const sharing = new Sharing({
    ...{ nodeId, dataDir: config.dataDir, host: config.host, port, publicUrl, authToken, calls, clock, log },
    passed: (what) => metrics.passedOn(what),
  });

  // Fastify's own request lines hold URLs, hence tokens; the carrier plugin logs what matters.
  const app = fastify({
    logger: false,
    bodyLimit: 1024 * 1024,
    forceCloseConnections: true,
    // Fastify's own default is none: a body that trickles would hold its socket for good.
    requestTimeout: REQUEST_MS,
    http: {
      headersTimeout: REQUEST_MS,
      connectionsCheckingInterval: 2_000,
      // Any other offer (`h2c` by curl --http2, Java, some proxies) is left alone and the request served as it is.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    },
  });
  await app.register(twilioCarrier, {
    intake: calls,
    publicUrl,
    authToken,
    accountSid: config.twilioAccountSid,
    log,
    counters: metrics.counters,
    clock,
    peers: sharing.passing,
    hold: (callId, close) => holdings.hold('media_socket', callId, close),
    others: (request, socket, head) => operators.sockets.take(request, socket, head),
  });
  addProbes(app, calls, metrics, books.store, tools);
  await operators.register(app);
  const stopRetention = startRetention({ ...{ dataDir: config.dataDir, agents, clock, log }, store: books.store });
  const closeAll = async (): Promise<void> => {
    const retentionStopped = stopRetention();
    await operators.close();
    await app.close();
    await sharing.close();
    await simulator?.close();
    await retentionStopped;
    await tools.close();
    await books.close();
    stopSweep();
    metrics.close();
  };
  try {
    await sharing.open(app);
  } catch (cause) {
    await closeAll();
    if (cause instanceof TrunklineError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new TrunklineError(
      'TRK_LISTEN',
      `cannot listen on ${config.host}:${port} (${code}); set PORT or HOST to an address that is free`,
      { cause },
    );
  }

  // A thousand small files: calls are taken meanwhile, and a stop is heard.
  void operators.keepAgentFiles();
  const unregister = keepRegistered({
    nodes: coordination.nodes,
    facts: { nodeId, publicUrl, version: VERSION, startedWallMs: clock.wallMs() },
    load: () => ({ live: calls.live, draining: calls.draining }),
    clock,
    fault,
  });
  let closing: Promise<void> | null = null;
  return {
    origin: localOrigin(config.host, port),
    publicUrl,
    authToken,
    adminToken,
    calls,
    agents,
    links: operators.links,
    metrics,
    coordination,
    holdings,
    simulator,
    records: recorder,
    drain: (drainMs) => sharing.drain(clock.nowMs() + drainMs),
    close() {
      closing ??= unregister().then(closeAll);
      return closing;
    },
  };
}

/** Every model in use, once. */
function modelsOf(agents: readonly Agent[]): { name: string; endpoint: string | null }[] {
  const models = agents.flatMap(({ model, failure }) => [
    model,
    ...(failure.fallback === null ? [] : [failure.fallback]),
  ]);
  return [...new Map(models.map(({ name, endpoint }) => [`${name} ${endpoint}`, { name, endpoint }])).values()];
}

const isWarm = ({ how }: AgentTarget): boolean => how === 'warm';

/** Where a client on this machine reaches the server. */
function localOrigin(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** Liveness; readiness, false while draining, full, or when nothing more can be kept; Prometheus. */
function addProbes(
  app: FastifyInstance,
  calls: Calls,
  metrics: Metrics,
  store: Store,
  tools: Pick<AgentTools, 'waiting'>,
): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const { state, why } = store.health;
    const status = calls.draining ? 'draining' : calls.full ? 'full' : state === 'full' ? 'journal_full' : 'ready';
    const database = state === 'ok' ? { database: state } : { database: state, why };
    // Agents that chose to start without a source are ready without it; an operator wants to know.
    const missing = tools.waiting.length === 0 ? {} : { missing_tools: tools.waiting };
    return reply.code(status === 'ready' ? 200 : 503).send({ status, live: calls.live, ...database, ...missing });
  });
  app.get('/metrics', async (_request, reply) => {
    metrics.kept(store.health);
    return reply.type(metrics.contentType).send(await metrics.text());
  });
}

async function makeDataDir(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unwritable(dir, cause);
  }
  // Those below may belong to another user: of whoever ran the server once as root. They are made when they are needed.
  for (const path of [dir, ...['calls', 'entries', 'nodes', 'journal'].map((name) => join(dir, name, '/'))])
    await access(path, constants.W_OK | constants.X_OK).catch((cause: NodeJS.ErrnoException) => {
      if (path === dir || cause.code !== 'ENOENT') throw unwritable(path, cause);
    });
}

const unwritable = (path: string, cause: unknown): TrunklineError =>
  new TrunklineError(
    'TRK_DATA_DIR',
    `the data folder ${path} cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}); give it to this user, or set DATA_DIR to a folder that can`,
    { cause },
  );
