// The process that serves: configuration, logger, signals, drain, exit code; nothing else.
import type { Agent } from './agent/agent.ts';
import { loadAgents } from './agent/load.ts';
import { webhookUrls } from './carrier/twilio/public-url.ts';
import { type Config, readConfig } from './config.ts';
import { TrunklineError } from './errors.ts';
import { createLogger } from './log.ts';
import { type Server, startServer } from './server.ts';

/** How often a drain tells how far it is. */
const PROGRESS_MS = 5_000;
/** The same signal again within this is the same wish: the terminal signals everybody, and npm hands its own copy on. */
const ONE_PRESS_MS = 500;
/** The page's first link is good for so long. */
const LINK_MINUTES = 30;

/** Serves until told to stop. Errors of the boot are thrown; the command line prints them. */
export async function serve(): Promise<void> {
  const config = await readConfiguration(process.env);
  const log = createLogger({ level: config.logLevel });
  for (const warning of config.warnings) log.warn({ warning }, 'configuration');
  const server = await startServer({ config, log });

  let draining = false;
  const drain = (signal: string): void => {
    draining = true;
    const untilMs = performance.now() + config.drainMs;
    const told = (): { live: number; secondsLeft: number } => ({
      live: server.calls.live,
      // Below zero while the last ones are wrapped up.
      secondsLeft: Math.round((untilMs - performance.now()) / 1_000),
    });
    log.info({ signal, ...told() }, 'draining');
    const progress = setInterval(() => log.info(told(), 'draining'), PROGRESS_MS);
    void server
      .drain(config.drainMs)
      .then(() => {
        clearInterval(progress);
        if (server.calls.live > 0) log.warn({ live: server.calls.live }, 'calls that would not end are cut');
        return server.close();
      })
      .then(() => log.info('stopped'))
      .catch((err: unknown) => {
        log.error({ err }, 'stopping failed');
        process.exit(1);
      });
  };

  let asked: { signal: string; atMs: number } | null = null;
  const stop = (signal: string): void => {
    const atMs = performance.now();
    const live = server.calls.live;
    if (asked !== null) {
      if (signal === asked.signal && atMs - asked.atMs < ONE_PRESS_MS) return;
      log.warn({ signal, live }, 'stopping now');
      process.exit(1);
    }
    asked = { signal, atMs };
    // A process that a fault has sent away drains already: whoever stops it now has asked once, not twice.
    if (draining) log.info({ signal, live }, 'draining');
    else drain(signal);
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  // A promise that a tool file forgot concerns its own call, which has its outcome or its deadline.
  process.on('unhandledRejection', (err) => {
    server.metrics.error('other');
    log.error({ err }, 'unhandled rejection');
  });
  // Nothing of ours throws outside a guard; what a tool file does (a timer, an emitter) must not cut off every call. The
  // process takes no more calls, lets the live ones finish, and says with its exit code that it was not asked to.
  process.on('uncaughtException', (err) => {
    server.metrics.error('other');
    log.fatal({ err }, 'uncaught exception');
    process.exitCode = 1;
    if (!draining) drain('uncaughtException');
  });

  log.info({ listening: server.origin, agents: server.agents.length, simulated: server.simulator !== null }, 'ready');
  // For the operator's eyes, and not through the log, which would rightly censor a token.
  process.stderr.write(welcome(server, config));
}

/**
 * Where the page is. With a link that lets one person in where somebody sits before it, or would have to copy the token from
 * here anyway; a service's log gets none.
 */
function pageAddress({ origin, publicUrl, links }: Server, { publicUrl: configured, adminToken }: Config): string {
  const base = configured === null ? origin : publicUrl;
  if (adminToken !== null && !process.stderr.isTTY) return `${base}/ (log in with ADMIN_TOKEN)`;
  const { path } = links.make({ scope: 'operator', minutes: LINK_MINUTES });
  return `${base}${path} (lets one person in, once, within ${LINK_MINUTES} minutes)`;
}

/** The configuration; where it has faults, those of the agent files are told with them. */
async function readConfiguration(env: NodeJS.ProcessEnv): Promise<Config> {
  try {
    return readConfig(env);
  } catch (error) {
    const { AGENTS_DIR } = env;
    const bounds = readConfig({});
    const more = await loadAgents(AGENTS_DIR?.trim() || bounds.agentsDir, bounds).then(
      () => null,
      (fault: unknown) => fault,
    );
    if (!(error instanceof TrunklineError) || !(more instanceof TrunklineError)) throw error;
    throw new TrunklineError('TRK_CONFIG', `${error.message}\n${more.message}`, { cause: error });
  }
}

/** A thousand lines would push what is to be configured off the screen. */
const MOST_AGENTS_SHOWN = 20;

function agentRows(agents: readonly Agent[]): [string, string][] {
  const rows = agents
    .slice(0, MOST_AGENTS_SHOWN)
    .map((agent): [string, string] => ['agent', `${agent.name} answers ${agent.answers.join(', ')}`]);
  const more = agents.length - rows.length;
  return more === 0 ? rows : [...rows, ['agents', `and ${more} more`]];
}

/** What an operator needs to know at start: who answers, and what to configure at the carrier. */
export function welcome(server: Server, config: Config): string {
  const urls = webhookUrls(server.publicUrl);
  const rows: [string, string][] = [
    ['listening', server.origin],
    ['page', pageAddress(server, config)],
    ['model', server.simulator ? 'the embedded simulator, because OPENAI_API_KEY is not set' : config.openaiBaseUrl],
    ...agentRows(server.agents),
    ['call comes in', `POST ${urls.voice}`],
    ['call status', `POST ${urls.status}`],
    ['handler fails', `a TwiML Bin with ${urls.fallbackBin}`],
  ];
  if (config.publicUrl === null)
    rows.push(['note', 'PUBLIC_URL is not set: no carrier can reach this server, only the built-in phone']);
  if (config.twilioAuthToken === null)
    rows.push([
      'note',
      `TWILIO_AUTH_TOKEN is not set: webhooks must be signed with this process's own ${server.authToken}`,
    ]);
  if (config.adminToken === null)
    rows.push(['note', `ADMIN_TOKEN is not set: page and API open with this process's own ${server.adminToken}`]);
  return `Trunkline\n${rows.map(([what, value]) => `  ${what.padEnd(14)} ${value}\n`).join('')}`;
}
