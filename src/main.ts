// The process that serves: configuration, logger, signals, drain, exit code; nothing else.
import { webhookUrls } from './carrier/twilio/public-url.ts';
import { readConfig } from './config.ts';
import { createLogger } from './log.ts';
import { startServer } from './server.ts';

/** Serves until told to stop. Errors of the boot are thrown; the command line prints them. */
export async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLogger({ level: config.logLevel });
  for (const warning of config.warnings) log.warn({ warning }, 'configuration');
  const server = await startServer({ config, log });
  const urls = webhookUrls(server.publicUrl);
  log.info(
    {
      listening: server.origin,
      agents: server.agents.map((a) => `${a.name}: ${a.answers.join(' ')}`),
      model: server.simulator ? 'simulator (no OPENAI_API_KEY)' : config.openaiBaseUrl,
      voiceWebhook: urls.voice,
      statusWebhook: urls.status,
      fallbackTwiml: urls.fallbackBin,
    },
    'ready',
  );
  if (config.twilioAuthToken === null) {
    // Not through the log: it would be censored there, and rightly.
    process.stderr.write(
      `No TWILIO_AUTH_TOKEN: webhooks must be signed with this process's own token ${server.authToken}\n`,
    );
  }
  if (config.publicUrl === null) {
    process.stderr.write(`No PUBLIC_URL: carriers cannot reach ${server.publicUrl}; the built-in phone can\n`);
  }

  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) {
      log.warn({ signal, live: server.calls.live }, 'stopping now');
      process.exit(1);
    }
    stopping = true;
    log.info({ signal, live: server.calls.live, drainSeconds: config.drainMs / 1000 }, 'draining');
    const progress = setInterval(() => log.info({ live: server.calls.live }, 'draining'), 5_000);
    void server
      .drain(config.drainMs)
      .then(() => server.close())
      .then(() => {
        clearInterval(progress);
        log.info('stopped');
      })
      .catch((err: unknown) => {
        log.error({ err }, 'stopping failed');
        process.exit(1);
      });
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
}
