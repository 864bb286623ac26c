// Builds the whole server from a configuration and gives it back; main, the demo and the tests all call it. Reads like the
// path of a call: carrier -> calls -> model, with the onlookers beside.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, access, constants } from 'node:fs/promises';
import { createServer } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import type { Agent } from './agent/agent.ts';
import { loadAgents } from './agent/load.ts';
import { Calls, type Model } from './call/calls.ts';
import type { OnlookerFactory } from './call/feed.ts';
import { TWILIO_LEG } from './carrier/twilio/leg.ts';
import { twilioCarrier } from './carrier/twilio/plugin.ts';
import { type Clock, realClock } from './clock.ts';
import type { Config } from './config.ts';
import { TrunklineError } from './errors.ts';
import { callLogger, type Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics/metrics.ts';
import { connectWire } from './realtime/openai/connect.ts';
import { OpenAiSession } from './realtime/openai/session.ts';
import { capabilitiesFor, dialogueConfig } from './realtime/openai/session-config.ts';
import { FileCallStore } from './record/file-store.ts';
import { loggable } from './record/call-record.ts';
import { createRecorder, type Recorder } from './record/record.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from './simulator/server.ts';
import { recordingOnlooker } from './tape/recording.ts';
import { tapeRecorder } from './tape/recorder.ts';
import { createToolRunner, type ToolRunner } from './tools/runner.ts';

export interface ServerOptions {
  config: Config;
  log: Logger;
  clock?: Clock;
  /** Default: the agent files of `config.agentsDir`. */
  agents?: readonly Agent[];
  /** More onlookers on every call, e.g. the demo's captions. */
  onlookers?: readonly OnlookerFactory[];
  /** False: no tape, recording, record or metrics of any call, so that the bench can tell what they cost. Default true. */
  standingOnlookers?: boolean;
  /** How the embedded simulator behaves, where it answers. */
  simulator?: SimulatorOptions;
}

export interface Server {
  /** Where it really listens, e.g. http://127.0.0.1:3000 */
  origin: string;
  /** The origin that carriers reach; signatures are checked against it. */
  publicUrl: string;
  /** What signs webhooks: the operator's token, or the random one of this process. */
  authToken: string;
  calls: Calls;
  agents: readonly Agent[];
  metrics: Metrics;
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
/** From the session's opening to its readiness; the call core has shorter patience once the caller is there. */
const SESSION_READY_MS = 8_000;
const HANDSHAKE_MS = 5_000;
/** From a request's first byte to its last; Twilio itself gives up after 15 s. */
const REQUEST_MS = 10_000;

/** @throws TrunklineError for a bad agent file, an unwritable data folder or a port that cannot be had */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { config, log, clock = realClock } = options;
  await makeDataDir(config.dataDir);
  const agents = options.agents ?? (await loadAgents(config.agentsDir, config));
  const simulator = config.openaiApiKey === null ? await startSimulator(options.simulator) : null;
  const port = config.port === 0 ? await freePort(config.host) : config.port;
  const publicUrl = config.publicUrl ?? localOrigin(config.host, port);
  const authToken = config.twilioAuthToken ?? randomBytes(16).toString('hex');
  const metrics = createMetrics({ clock, version: VERSION });
  const store = new FileCallStore({ dataDir: config.dataDir, log });
  const recorder = createRecorder({ dataDir: config.dataDir, clock, log });
  recorder.onRecord((record) => log.info(loggable(record), 'call record'));
  void store
    .prune(clock.wallMs() - KEEP_ENTRIES_MS)
    .catch((err: unknown) => log.warn({ err }, 'old entries were not removed'));

  const model = (agent: Agent): Model => {
    const dialogue = dialogueConfig(agent);
    const capabilities = capabilitiesFor(agent);
    return {
      capabilities,
      config: dialogue,
      open: (hooks) =>
        new OpenAiSession({
          config: dialogue,
          capabilities,
          clock,
          readyWithinMs: SESSION_READY_MS,
          listener: hooks,
          connect: (events) =>
            connectWire(
              {
                baseUrl: simulator?.origin ?? agent.model.endpoint ?? config.openaiBaseUrl,
                model: agent.model.name,
                apiKey: config.openaiApiKey ?? 'simulator',
                handshakeMs: HANDSHAKE_MS,
              },
              events,
            ),
        }),
    };
  };

  const runners = new Map<Agent, ToolRunner>(
    agents.map((agent) => [agent, createToolRunner(agent.tools, { clock, deadlineMs: agent.limits.toolMs })]),
  );
  const standing: OnlookerFactory[] = [
    tapeRecorder({ dataDir: config.dataDir, log }),
    recordingOnlooker({ dataDir: config.dataDir, log }),
    recorder.onlooker,
    metrics.onlooker,
  ];
  const calls = new Calls({
    nodeId: randomBytes(6).toString('hex'),
    clock,
    agents,
    leg: TWILIO_LEG,
    maxConcurrentCalls: config.maxConcurrentCalls,
    model,
    runTool: (agent, callId, run) => (runners.get(agent) as ToolRunner).run({ ...run, callId }),
    store,
    onlookers: [...((options.standingOnlookers ?? true) ? standing : []), ...(options.onlookers ?? [])],
    watch: {
      admitted: ({ opening, agent }) => callLogger(log, opening.callId).info({ agent: agent.name }, 'call admitted'),
      refused: (reason) => {
        metrics.rejected(reason);
        log.warn({ reason }, 'call refused');
      },
      ended: (callId, { reason, by, result }) => callLogger(log, callId).info({ reason, by, result }, 'call ended'),
      closed: (callId) => callLogger(log, callId).debug('call closed'),
      swept: (callId) => {
        metrics.swept();
        callLogger(log, callId).warn('sockets of a call did not go in time');
      },
      fault: (callId, err) => {
        metrics.error(err instanceof TrunklineError ? err.code : 'internal');
        callLogger(log, callId).error({ err }, 'fault in a call');
      },
    },
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
  });
  addProbes(app, calls, metrics);
  try {
    await app.listen({ port, host: config.host });
  } catch (cause) {
    await simulator?.close();
    metrics.close();
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new TrunklineError(
      'TRK_LISTEN',
      `cannot listen on ${config.host}:${port} (${code}); set PORT or HOST to an address that is free`,
      { cause },
    );
  }

  let closing: Promise<void> | null = null;
  return {
    origin: localOrigin(config.host, port),
    publicUrl,
    authToken,
    calls,
    agents,
    metrics,
    simulator,
    records: recorder,
    drain: (drainMs) => calls.drain(clock.nowMs() + drainMs),
    close() {
      closing ??= app.close().then(async () => {
        await simulator?.close();
        metrics.close();
      });
      return closing;
    },
  };
}

/** Where a client on this machine reaches the server. */
function localOrigin(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** Liveness; readiness, false while draining or full; Prometheus. */
function addProbes(app: FastifyInstance, calls: Calls, metrics: Metrics): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const status = calls.draining ? 'draining' : calls.full ? 'full' : 'ready';
    return reply.code(status === 'ready' ? 200 : 503).send({ status, live: calls.live });
  });
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
}

async function makeDataDir(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await access(dir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new TrunklineError(
      'TRK_DATA_DIR',
      `the data folder ${dir} cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}); set DATA_DIR to a folder that can`,
      { cause },
    );
  }
}

/** A port that is free now. Only for PORT=0, where media URLs must name the port before the server listens. */
function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, host, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
