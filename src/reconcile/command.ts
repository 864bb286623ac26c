// `trunkline costs reconcile`: one day's lines against the reports of those who sold them.
import { setTimeout as pause } from 'node:timers/promises';
import { type Config, readConfig } from '../config.ts';
import { TrunklineError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { SellerOutcome } from './outcome.ts';
import { exitCodeOf, outcomeText } from './outcome-text.ts';
import { ReportReader, type ReaderOptions } from './reader.ts';
import { readOptions, type SellerName, USAGE } from './reconcile-options.ts';
import { reconcileOpenAi, reconcileTwilio } from './run.ts';

export interface ReconcileDesk {
  /** Opens the store; what is asked of it is all that is used. */
  open: (config: Config) => Promise<Pick<Store, 'ask' | 'close'>>;
  env: Record<string, string | undefined>;
  out: (text: string) => void;
  err: (text: string) => void;
  wallMs: () => number;
  /** Must keep the process. */
  wait: (ms: number) => Promise<void>;
  /** Columns a row may take. */
  columns: number;
}

/** The process's own. */
export const processDesk = (open: ReconcileDesk['open']): ReconcileDesk => ({
  open,
  env: process.env,
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  wallMs: () => Date.now(),
  wait: (ms) => pause(ms),
  columns: process.stdout.isTTY ? process.stdout.columns : 120,
});

/** Nobody needs to be told of what is over at once. */
const QUIET_MS = 2_000;

/**
 * The command.
 * @returns its exit code: 0, or 2 where too much is not explained
 * @throws TrunklineError TRK_CONFIG saying how it is used, TRK_REPORT where a report cannot be had
 */
export async function reconcileWith(args: string[], desk: ReconcileDesk): Promise<0 | 2> {
  if (args.includes('--help') || args.includes('-h')) {
    desk.out(USAGE);
    return 0;
  }
  const { day, sellers, json } = readOptions(args, desk.wallMs());
  const config = readConfig(desk.env);
  const beginMs = desk.wallMs();
  const progress = (text: string): void => {
    if (desk.wallMs() - beginMs >= QUIET_MS) desk.err(text);
  };
  const readers = sellers.map((seller) => ({ seller, reader: readerOf(seller, config, desk, progress) }));
  for (const { seller, reader } of readers) if (reader === null) desk.err(`${seller}: left out: ${KEYS[seller]}`);
  if (readers.every(({ reader }) => reader === null))
    throw new TrunklineError('TRK_CONFIG', 'There is no seller whose reports could be read.');

  const archive = await desk.open(config);
  const outcomes: SellerOutcome[] = [];
  try {
    const run = { archive, day, wallMs: desk.wallMs };
    for (const { seller, reader } of readers) {
      if (reader === null) continue;
      outcomes.push(
        seller === 'openai'
          ? await reconcileOpenAi(run, reader, config.openaiProjectId)
          : await reconcileTwilio(run, reader, config.twilioAccountSid ?? ''),
      );
    }
  } finally {
    await archive.close();
  }
  desk.out(
    json
      ? JSON.stringify({ day, sellers: outcomes.map(forReading) }, null, 2)
      : outcomeText(day, outcomes, desk.columns),
  );
  return exitCodeOf(outcomes);
}

/** As the command line runs it; the exit code becomes the process's. */
export async function reconcile(args: string[], open: ReconcileDesk['open']): Promise<void> {
  process.exitCode = await reconcileWith(args, processDesk(open));
}

/** Without the lines, which are in the database. */
const forReading = ({ billed, ...outcome }: SellerOutcome) => ({ ...outcome, linesBilled: billed.length });

const KEYS: Record<SellerName, string> = {
  openai: 'OPENAI_ADMIN_KEY is not set (an admin key of the organization)',
  twilio: 'TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are not both set',
};

/** Null: there is no key to read its reports with. */
function readerOf(
  seller: SellerName,
  config: Config,
  { wait, wallMs }: ReconcileDesk,
  progress: ReaderOptions['progress'],
): ReportReader | null {
  const shared = { wait, wallMs, progress };
  if (seller === 'openai') {
    const { openaiAdminKey: key, openaiAdminBaseUrl, openaiBaseUrl } = config;
    if (key === null) return null;
    const baseUrl = openaiAdminBaseUrl ?? openaiBaseUrl;
    if (openaiAdminBaseUrl === null && !/^https:|^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/.test(`${baseUrl}/`))
      throw new TrunklineError(
        'TRK_CONFIG',
        'OPENAI_BASE_URL: http would show the admin key to the network; set OPENAI_ADMIN_BASE_URL',
      );
    const refused = 'OPENAI_ADMIN_KEY must be an admin key of the organization (sk-admin-…) that may read usage';
    return new ReportReader({ seller: 'OpenAI', baseUrl, authorization: `Bearer ${key}`, refused, ...shared });
  }
  const { twilioAccountSid: sid, twilioAuthToken: token, twilioApiBaseUrl: baseUrl } = config;
  if (sid === null || token === null) return null;
  const authorization = `Basic ${Buffer.from(`${sid}:${token}`).toString('base64')}`;
  const refused = 'TWILIO_AUTH_TOKEN must be the auth token of TWILIO_ACCOUNT_SID, which may read calls and usage';
  return new ReportReader({ seller: 'Twilio', baseUrl, authorization, refused, ...shared });
}
