// The process of a sample business: its flags, the line that says where it answers, and its end. A child that was started
// `--with-parent` ends with whoever started it, even where that one was killed: its standard input is closed then.
import { parseArgs } from 'node:util';
import type { FastifyInstance } from 'fastify';
import { isDay } from './days.ts';

/** What a business is told when it starts. */
export interface ServiceSettings {
  /** Path of its SQLite file, or `:memory:`. */
  database: string;
  /** The day it takes for today, `2026-11-21`; null: the machine's. */
  today: string | null;
  /** Bearer token of its clients. */
  token: string;
  /** Bearer token of `/_faults`; null: there is no such page. */
  adminToken: string | null;
}

/** One business. */
export interface Business {
  name: string;
  /** Where it listens unless `--port` says otherwise; always on 127.0.0.1. */
  port: number;
  /** `CLINIC`: its tokens are in the environment as `CLINIC_TOKEN` and `CLINIC_ADMIN_TOKEN`. */
  variable: string;
  build(settings: ServiceSettings): FastifyInstance;
}

/** What it takes to let running requests go; then the process ends all the same. */
const CLOSE_MS = 2_000;
/** More clients than any test has; the next ones are turned away. */
const MAX_CONNECTIONS = 500;

const FLAGS = {
  port: { type: 'string' },
  database: { type: 'string' },
  today: { type: 'string' },
  'with-parent': { type: 'boolean' },
} as const;

/** Runs a business until SIGTERM, SIGINT or the end of its parent. Bad flags end it with one line that says what to do. */
export async function runService(business: Business): Promise<void> {
  try {
    const { port, withParent, settings } = readFlags(business);
    const app = business.build(settings);
    app.server.maxConnections = MAX_CONNECTIONS;
    const end = endOf(app);
    process.once('SIGTERM', end);
    process.once('SIGINT', end);
    if (withParent) process.stdin.once('end', end).once('close', end).once('error', end).resume();
    const origin = await app.listen({ port, host: '127.0.0.1' });
    console.log(`The ${business.name} answers at ${origin}`);
  } catch (error) {
    console.error(`${business.name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
    process.stdin.pause();
  }
}

function readFlags({ port, variable }: Business) {
  const { values } = parseArgs({ options: FLAGS, strict: true });
  if (values.port !== undefined && !(/^\d{1,5}$/.test(values.port) && Number(values.port) <= 65_535))
    throw new Error(`--port: expected a port from 0 to 65535 (found ${values.port})`);
  if (values.today !== undefined && !isDay(values.today))
    throw new Error(`--today: expected a day such as 2026-11-21 (found ${values.today})`);
  const settings: ServiceSettings = {
    database: values.database ?? ':memory:',
    today: values.today ?? null,
    token: process.env[`${variable}_TOKEN`] || 'demo',
    adminToken: process.env[`${variable}_ADMIN_TOKEN`] || null,
  };
  return { port: Number(values.port ?? port), withParent: values['with-parent'] === true, settings };
}

function endOf(app: FastifyInstance): () => void {
  let ending = false;
  return () => {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(), CLOSE_MS).unref();
    void app.close().finally(() => process.exit());
  };
}
