// The environment, read once at boot into one frozen, typed object, or refused with every fault at once. The only reader
// of the environment: commands call `readConfig(process.env)` and pass its result on.
import { TrunklineError } from './errors.ts';
import { edits } from './spelling.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What the operator set. Durations are milliseconds here, whole seconds in the environment. */
export interface Config {
  /** TCP port to listen on, default 3000; 0 takes any free one. */
  readonly port: number;
  /** Address to listen on, default 0.0.0.0. */
  readonly host: string;
  /** The origin carriers reach (no slash at the end), or null: signatures are checked against it, media URLs built from it. */
  readonly publicUrl: string | null;
  readonly twilioAccountSid: string | null;
  /** Null: nobody but the product's own phone can call. */
  readonly twilioAuthToken: string | null;
  /** Root of the carrier's REST API (no slash at the end), default https://api.twilio.com. */
  readonly twilioApiBaseUrl: string;
  /** Null: the embedded simulator answers. */
  readonly openaiApiKey: string | null;
  /** API root (no slash at the end), default https://api.openai.com/v1. */
  readonly openaiBaseUrl: string;
  /** Reads the organization's usage and costs; null: OpenAI cannot be reconciled. */
  readonly openaiAdminKey: string | null;
  /** Root of the API that has these reports (no slash at the end); null = `openaiBaseUrl`. */
  readonly openaiAdminBaseUrl: string | null;
  /** The project whose usage is ours; null = all of the organization's. */
  readonly openaiProjectId: string | null;
  /** Overrides every agent file's model; null = the file decides. */
  readonly openaiRealtimeModel: string | null;
  /** Folder of agent files, default `agents`. */
  readonly agentsDir: string;
  /** Folder of the operator's own price files, default `prices`. */
  readonly pricesDir: string;
  /** Folder of call records, tapes, recordings and entries, default `data`. */
  readonly dataDir: string;
  /** PostgreSQL, for a cluster or a database of one's own; null = SQLite in the data folder. Holds a password. */
  readonly databaseUrl: string | null;
  /** Calls at once, default 100. */
  readonly maxConcurrentCalls: number;
  /** New calls a second, default 50: each opens a model session. */
  readonly maxCallsPerSecond: number;
  /** p99 of the event loop's delay above which no call is let in, default 250; 0 = whatever it is. */
  readonly maxLoopDelayMs: number;
  /** What all calls together may cost on one day (UTC), in nano-dollars; null = whatever they do. */
  readonly maxNanoUsdPerDay: number | null;
  /** Longest call, default 3,300,000: a model session that nears its end is replaced, so only Twilio's own 4 hours bound it. */
  readonly maxCallMs: number;
  /** The caller may be silent this long before being asked, default 15,000. */
  readonly idleTimeoutMs: number;
  /** How long running calls may take to end after a stop was asked for, default 300,000. */
  readonly drainMs: number;
  /** What opens the operators' page and its API; null = the process makes one for itself. */
  readonly adminToken: string | null;
  /** Default info. */
  readonly logLevel: LogLevel;
  /** What looks wrong but may be meant; main logs each at `warn`. Holds no secrets. */
  readonly warnings: readonly string[];
}

/** One key of the environment. */
interface Key<T> {
  /** What an acceptable value looks like; completes "expected …". */
  expected: string;
  /** The value as it would be written in the environment, '' where there is none. */
  standard: string;
  secret?: true;
  /** Undefined: not acceptable. */
  parse(text: string): T | undefined;
  absent: T;
}

const integer = (standard: number, min: number, max: number, unit: string, scale = 1): Key<number> => ({
  expected: `a whole number of ${unit} from ${min} to ${max}`,
  standard: String(standard),
  absent: standard * scale,
  parse(text) {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value * scale : undefined;
  },
});

const seconds = (standard: number, min: number, max: number) => integer(standard, min, max, 'seconds', 1000);

const matching = (expected: string, pattern: RegExp): Key<string | null> => ({
  expected,
  standard: '',
  absent: null,
  parse: (text) => (pattern.test(text) ? text : undefined),
});

const withDefault = (standard: string, key: Key<string | null>): Key<string> => ({
  expected: key.expected,
  standard,
  absent: standard,
  parse: (text) => key.parse(text) ?? undefined,
});

const secret = (key: Key<string | null>): Key<string | null> => ({ ...key, secret: true });

const KEYS = {
  PORT: { ...integer(3000, 0, 65_535, ''), expected: 'a TCP port from 0 to 65535' },
  HOST: withDefault('0.0.0.0', matching('a host name or an IP address without scheme or port', /^[\w.:%[\]-]+$/)),
  PUBLIC_URL: {
    expected: 'an https origin such as https://calls.example.com, without path or query (http only for localhost)',
    standard: '',
    absent: null,
    parse(text) {
      const url = httpUrl(text);
      if (!url || url.pathname !== '/' || (url.protocol === 'http:' && !isLoopback(url.hostname))) return undefined;
      return url.origin;
    },
  } satisfies Key<string | null> as Key<string | null>,
  TWILIO_ACCOUNT_SID: matching('AC followed by 32 hexadecimal digits', /^AC[0-9a-f]{32}$/i),
  TWILIO_AUTH_TOKEN: secret(matching('the auth token from the Twilio console, without spaces', /^\S+$/)),
  TWILIO_API_BASE_URL: {
    expected: 'an https URL without query such as https://api.dublin.ie1.twilio.com (http only for localhost)',
    standard: 'https://api.twilio.com',
    absent: 'https://api.twilio.com',
    parse(text) {
      const url = httpUrl(text);
      // The auth token goes there.
      if (!url || (url.protocol === 'http:' && !isLoopback(url.hostname))) return undefined;
      return (url.origin + url.pathname).replace(/\/+$/, '');
    },
  } satisfies Key<string> as Key<string>,
  OPENAI_API_KEY: secret(matching('an API key, without spaces', /^[\x21-\x7e]+$/)),
  OPENAI_BASE_URL: {
    expected: 'an http or https URL without query such as https://api.openai.com/v1',
    standard: 'https://api.openai.com/v1',
    absent: 'https://api.openai.com/v1',
    parse(text) {
      const url = httpUrl(text);
      return url ? (url.origin + url.pathname).replace(/\/+$/, '') : undefined;
    },
  } satisfies Key<string> as Key<string>,
  OPENAI_ADMIN_KEY: secret(matching('an admin key of the organization, without spaces', /^[\x21-\x7e]+$/)),
  OPENAI_ADMIN_BASE_URL: {
    expected: 'an https URL without query such as https://api.openai.com/v1 (http only for localhost)',
    standard: '',
    absent: null,
    parse(text) {
      const url = httpUrl(text);
      // The admin key goes there.
      if (!url || (url.protocol === 'http:' && !isLoopback(url.hostname))) return undefined;
      return (url.origin + url.pathname).replace(/\/+$/, '');
    },
  } satisfies Key<string | null> as Key<string | null>,
  OPENAI_PROJECT_ID: matching('a project id such as proj_abc123', /^proj_\w+$/),
  OPENAI_REALTIME_MODEL: matching('a model name such as gpt-realtime-2.1', /^[\w.:/-]+$/),
  AGENTS_DIR: withDefault('agents', matching('a folder', /^[^\0]+$/)),
  PRICES_DIR: withDefault('prices', matching('a folder', /^[^\0]+$/)),
  DATA_DIR: withDefault('data', matching('a folder', /^[^\0]+$/)),
  DATABASE_URL: secret({
    expected: 'the URL of a PostgreSQL database such as postgres://user:password@host/trunkline',
    standard: '',
    absent: null,
    parse(text) {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      return url && /^postgres(ql)?:$/.test(url.protocol) && url.pathname.length > 1 ? text : undefined;
    },
  }),
  MAX_CONCURRENT_CALLS: integer(100, 1, 10_000, 'calls'),
  MAX_CALLS_PER_SECOND: integer(50, 1, 1000, 'calls'),
  MAX_LOOP_DELAY_MS: integer(250, 0, 10_000, 'milliseconds'),
  MAX_USD_PER_DAY: {
    expected: 'an amount of dollars from 0.01 to 1000000, such as 50 or 12.50',
    standard: '',
    absent: null,
    parse(text) {
      const usd = /^\d{1,7}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
      return usd >= 0.01 && usd <= 1_000_000 ? Math.round(usd * 1e9) : undefined;
    },
  } satisfies Key<number | null> as Key<number | null>,
  MAX_CALL_SECONDS: seconds(3300, 1, 14_400),
  IDLE_TIMEOUT_SECONDS: seconds(15, 1, 600),
  DRAIN_SECONDS: seconds(300, 0, 3600),
  // Whoever has it reads every number and every word: it must not be guessed.
  ADMIN_TOKEN: secret(matching('at least 16 characters without spaces', /^[\x21-\x7e]{16,}$/)),
  LOG_LEVEL: {
    expected: `one of ${LOG_LEVELS.join(', ')}`,
    standard: 'info',
    absent: 'info',
    parse: (text) => LOG_LEVELS.find((level) => level === text),
  } satisfies Key<LogLevel> as Key<LogLevel>,
};

/** Every key with its default as it would be written ('' = none) and what is accepted: what `.env.example` must show. */
export const ENVIRONMENT: readonly { name: string; standard: string; expected: string }[] = Object.entries(KEYS).map(
  ([name, { standard, expected }]) => ({ name, standard, expected }),
);

/**
 * Reads the configuration. An empty value counts as absent; blanks around a value are dropped.
 * @throws TrunklineError TRK_CONFIG listing every fault; secret values are never shown
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const faults: string[] = [];
  const warnings: string[] = [];

  function read<T>(name: keyof typeof KEYS, key: Key<T>): T {
    const text = env[name]?.trim();
    if (!text) return key.absent;
    const value = key.parse(text);
    if (value !== undefined) return value;
    faults.push(`${name}: expected ${key.expected} (found ${key.secret ? 'another value, not shown' : shown(text)})`);
    return key.absent;
  }

  const config = {
    port: read('PORT', KEYS.PORT),
    host: read('HOST', KEYS.HOST),
    publicUrl: read('PUBLIC_URL', KEYS.PUBLIC_URL),
    twilioAccountSid: read('TWILIO_ACCOUNT_SID', KEYS.TWILIO_ACCOUNT_SID),
    twilioAuthToken: read('TWILIO_AUTH_TOKEN', KEYS.TWILIO_AUTH_TOKEN),
    twilioApiBaseUrl: read('TWILIO_API_BASE_URL', KEYS.TWILIO_API_BASE_URL),
    openaiApiKey: read('OPENAI_API_KEY', KEYS.OPENAI_API_KEY),
    openaiBaseUrl: read('OPENAI_BASE_URL', KEYS.OPENAI_BASE_URL),
    openaiAdminKey: read('OPENAI_ADMIN_KEY', KEYS.OPENAI_ADMIN_KEY),
    openaiAdminBaseUrl: read('OPENAI_ADMIN_BASE_URL', KEYS.OPENAI_ADMIN_BASE_URL),
    openaiProjectId: read('OPENAI_PROJECT_ID', KEYS.OPENAI_PROJECT_ID),
    openaiRealtimeModel: read('OPENAI_REALTIME_MODEL', KEYS.OPENAI_REALTIME_MODEL),
    agentsDir: read('AGENTS_DIR', KEYS.AGENTS_DIR),
    pricesDir: read('PRICES_DIR', KEYS.PRICES_DIR),
    dataDir: read('DATA_DIR', KEYS.DATA_DIR),
    databaseUrl: read('DATABASE_URL', KEYS.DATABASE_URL),
    maxConcurrentCalls: read('MAX_CONCURRENT_CALLS', KEYS.MAX_CONCURRENT_CALLS),
    maxCallsPerSecond: read('MAX_CALLS_PER_SECOND', KEYS.MAX_CALLS_PER_SECOND),
    maxLoopDelayMs: read('MAX_LOOP_DELAY_MS', KEYS.MAX_LOOP_DELAY_MS),
    maxNanoUsdPerDay: read('MAX_USD_PER_DAY', KEYS.MAX_USD_PER_DAY),
    maxCallMs: read('MAX_CALL_SECONDS', KEYS.MAX_CALL_SECONDS),
    idleTimeoutMs: read('IDLE_TIMEOUT_SECONDS', KEYS.IDLE_TIMEOUT_SECONDS),
    drainMs: read('DRAIN_SECONDS', KEYS.DRAIN_SECONDS),
    adminToken: read('ADMIN_TOKEN', KEYS.ADMIN_TOKEN),
    logLevel: read('LOG_LEVEL', KEYS.LOG_LEVEL),
  };

  for (const { name, meant } of misspelt(env)) {
    const text = `${name}: no such key; did you mean ${meant}?`;
    // `host` and `port` may be anybody's.
    if (env[meant]?.trim() || (meant.toLowerCase() === name && !name.includes('_'))) warnings.push(text);
    else faults.push(text);
  }
  for (const name of Object.keys(env))
    if (env[name] && foreign(name) && !(name.slice(PREFIX.length) in KEYS))
      warnings.push(`${name}: no such key; keys of Trunkline have no prefix`);
  const base = new URL(config.openaiBaseUrl);
  if (config.openaiApiKey && base.protocol === 'http:' && !isLoopback(base.hostname))
    warnings.push('OPENAI_BASE_URL: http sends OPENAI_API_KEY and all audio unencrypted; use https');
  if (config.twilioAuthToken && !config.publicUrl)
    warnings.push('PUBLIC_URL: absent although TWILIO_AUTH_TOKEN is set; no signature of Twilio can match without it');
  if (config.twilioAuthToken && !config.twilioAccountSid)
    warnings.push(
      'TWILIO_ACCOUNT_SID: absent although TWILIO_AUTH_TOKEN is set; calls whose media is lost cannot be brought back by REST',
    );

  if (faults.length > 0)
    throw new TrunklineError(
      'TRK_CONFIG',
      `The environment has ${faults.length} fault${faults.length === 1 ? '' : 's'}:\n${faults.map((f) => `  ${f}`).join('\n')}`,
    );
  return Object.freeze({ ...config, warnings: Object.freeze(warnings) });
}

const PREFIX = 'TRUNKLINE_';

// Kubernetes gives every pod TRUNKLINE_SERVICE_HOST, TRUNKLINE_PORT=tcp://… and more when a service is called "trunkline".
const foreign = (name: string) => name.startsWith(PREFIX) && !/^TRUNKLINE_(SERVICE_|PORT(_|$))/.test(name);

/**
 * Names in the environment that can only have meant one of ours, `drain_seconds` and `DRAIN_SECS` too. Short names are not
 * guessed: HOME is two edits from HOST.
 */
function misspelt(env: Record<string, string | undefined>): { name: string; meant: string }[] {
  const found: { name: string; meant: string }[] = [];
  for (const name of Object.keys(env)) {
    if (!env[name]?.trim() || name in KEYS) continue;
    const bare = (foreign(name) ? name.slice(PREFIX.length) : name).toUpperCase().replace(/_SECS?$/, '_SECONDS');
    const meant = Object.keys(KEYS).find((key) => bare === key || (key.length >= 8 && edits(bare, key) <= 2));
    if (meant) found.push({ name, meant });
  }
  return found;
}

function httpUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username || url.password)
    return undefined;
  return url;
}

const isLoopback = (hostname: string) => /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);

/** A value fit for an error text: short, and without what may be a credential in the wrong place. */
function shown(text: string): string {
  const masked = text.replace(/\/\/[^/@]*@/g, '//…@').replace(/\b(sk-|AC(?=[0-9a-f]{32}))\S*/gi, '$1…');
  return JSON.stringify(masked.length > 80 ? `${masked.slice(0, 80)}…` : masked);
}
