// The environment as it is read, refused and documented in .env.example.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ENVIRONMENT, readConfig } from '../../src/config.ts';
import { TrunklineError } from '../../src/errors.ts';

const SID = `AC${'0123456789abcdef'.repeat(2)}`;

function refusal(env: Record<string, string>): string {
  try {
    readConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(TrunklineError);
    expect((error as TrunklineError).code).toBe('TRK_CONFIG');
    return (error as TrunklineError).message;
  }
  throw new Error('the configuration was accepted');
}

test('an empty environment gives the documented defaults', () => {
  expect(readConfig({})).toEqual({
    port: 3000,
    host: '0.0.0.0',
    publicUrl: null,
    twilioAccountSid: null,
    twilioAuthToken: null,
    twilioApiBaseUrl: 'https://api.twilio.com',
    openaiApiKey: null,
    openaiBaseUrl: 'https://api.openai.com/v1',
    openaiAdminKey: null,
    openaiAdminBaseUrl: null,
    openaiProjectId: null,
    openaiRealtimeModel: null,
    agentsDir: 'agents',
    pricesDir: 'prices',
    dataDir: 'data',
    databaseUrl: null,
    maxConcurrentCalls: 100,
    maxCallsPerSecond: 50,
    maxLoopDelayMs: 250,
    maxNanoUsdPerDay: null,
    maxCallMs: 3_300_000,
    idleTimeoutMs: 15_000,
    drainMs: 300_000,
    adminToken: null,
    logLevel: 'info',
    warnings: [],
  });
});

test('reads every key, and seconds become milliseconds', () => {
  const config = readConfig({
    PORT: '0',
    HOST: '::1',
    PUBLIC_URL: 'https://Calls.Example.com/',
    TWILIO_ACCOUNT_SID: SID,
    TWILIO_AUTH_TOKEN: 'secret-token',
    TWILIO_API_BASE_URL: 'http://127.0.0.1:9/twilio/',
    OPENAI_API_KEY: 'sk-test',
    OPENAI_BASE_URL: 'http://127.0.0.1:9/v1/',
    OPENAI_ADMIN_KEY: 'sk-admin-test',
    OPENAI_ADMIN_BASE_URL: 'https://reports.example.com/v1/',
    OPENAI_PROJECT_ID: 'proj_abc123',
    OPENAI_REALTIME_MODEL: 'gpt-realtime-2.1-mini',
    AGENTS_DIR: '/etc/trunkline/agents',
    PRICES_DIR: '/etc/trunkline/prices',
    DATA_DIR: '/var/lib/trunkline',
    DATABASE_URL: 'postgres://trunkline:pw@db.example.com/calls',
    MAX_CONCURRENT_CALLS: '7',
    MAX_CALLS_PER_SECOND: '3',
    MAX_LOOP_DELAY_MS: '0',
    MAX_USD_PER_DAY: '12.50',
    MAX_CALL_SECONDS: '14400',
    IDLE_TIMEOUT_SECONDS: ' 5 ',
    DRAIN_SECONDS: '0',
    ADMIN_TOKEN: 'sixteen-or-more!',
    LOG_LEVEL: 'debug',
  });
  expect(config).toEqual({
    port: 0,
    host: '::1',
    publicUrl: 'https://calls.example.com',
    twilioAccountSid: SID,
    twilioAuthToken: 'secret-token',
    twilioApiBaseUrl: 'http://127.0.0.1:9/twilio',
    openaiApiKey: 'sk-test',
    openaiBaseUrl: 'http://127.0.0.1:9/v1',
    openaiAdminKey: 'sk-admin-test',
    openaiAdminBaseUrl: 'https://reports.example.com/v1',
    openaiProjectId: 'proj_abc123',
    openaiRealtimeModel: 'gpt-realtime-2.1-mini',
    agentsDir: '/etc/trunkline/agents',
    pricesDir: '/etc/trunkline/prices',
    dataDir: '/var/lib/trunkline',
    databaseUrl: 'postgres://trunkline:pw@db.example.com/calls',
    maxConcurrentCalls: 7,
    maxCallsPerSecond: 3,
    maxLoopDelayMs: 0,
    maxNanoUsdPerDay: 12_500_000_000,
    maxCallMs: 14_400_000,
    idleTimeoutMs: 5000,
    drainMs: 0,
    adminToken: 'sixteen-or-more!',
    logLevel: 'debug',
    warnings: [],
  });
});

test('the configuration cannot be changed', () => {
  const config = readConfig({});
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.warnings)).toBe(true);
});

test('an empty value counts as absent', () => {
  const empty = Object.fromEntries(ENVIRONMENT.map(({ name }) => [name, '  ']));
  expect(readConfig(empty)).toEqual(readConfig({}));
});

test('every fault is told at once, with its name, its value and what was expected', () => {
  const text = refusal({
    PORT: '70000',
    PUBLIC_URL: 'calls.example.com',
    LOG_LEVEL: 'loud',
    MAX_CALL_SECONDS: '14401',
  });
  expect(text.split('\n')).toEqual([
    'The environment has 4 faults:',
    '  PORT: expected a TCP port from 0 to 65535 (found "70000")',
    '  PUBLIC_URL: expected an https origin such as https://calls.example.com, without path or query (http only for localhost) (found "calls.example.com")',
    '  MAX_CALL_SECONDS: expected a whole number of seconds from 1 to 14400 (found "14401")',
    '  LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent (found "loud")',
  ]);
});

test.each([
  ['PORT', '3e3'],
  ['PORT', '-1'],
  ['PORT', '0x50'],
  ['PORT', '1.5'],
  ['HOST', 'http://localhost'],
  ['PUBLIC_URL', 'http://calls.example.com'],
  ['PUBLIC_URL', 'https://calls.example.com/voice'],
  ['PUBLIC_URL', 'https://calls.example.com/?a=b'],
  ['PUBLIC_URL', 'https://calls.example.com/#a'],
  ['PUBLIC_URL', 'https://user@calls.example.com'],
  ['PUBLIC_URL', 'wss://calls.example.com'],
  ['PUBLIC_URL', 'http://localhost.example.com'],
  ['TWILIO_ACCOUNT_SID', 'SK123'],
  ['TWILIO_API_BASE_URL', 'http://api.twilio.com'],
  ['TWILIO_API_BASE_URL', 'https://me@api.twilio.com'],
  ['OPENAI_BASE_URL', 'api.openai.com/v1'],
  ['OPENAI_BASE_URL', 'https://api.openai.com/v1?api-version=1'],
  ['OPENAI_ADMIN_BASE_URL', 'http://api.openai.com/v1'],
  ['OPENAI_PROJECT_ID', 'my project'],
  ['OPENAI_REALTIME_MODEL', 'a model'],
  ['MAX_CONCURRENT_CALLS', '0'],
  ['MAX_CALLS_PER_SECOND', '0'],
  ['MAX_LOOP_DELAY_MS', '0.5'],
  ['MAX_USD_PER_DAY', '0'],
  ['MAX_USD_PER_DAY', '$5'],
  ['DATABASE_URL', 'mysql://host/calls'],
  ['DATABASE_URL', 'postgres://host'],
  ['IDLE_TIMEOUT_SECONDS', '601'],
  ['DRAIN_SECONDS', 'soon'],
  ['ADMIN_TOKEN', 'fifteen-or-less'],
  ['ADMIN_TOKEN', 'sixteen and spaces'],
])('%s=%s is refused', (name, value) => {
  expect(refusal({ [name]: value })).toContain(`  ${name}: expected `);
});

test.each(['http://localhost:3000', 'http://127.0.0.1:3000', 'http://[::1]:3000'])('%s may be a public URL', (url) => {
  expect(readConfig({ PUBLIC_URL: url }).publicUrl).toBe(url);
});

test('secrets are never shown', () => {
  const text = refusal({
    TWILIO_AUTH_TOKEN: 'blue whale',
    OPENAI_API_KEY: 'sk-green tea',
    PORT: 'sk-abcdef',
    ADMIN_TOKEN: 'red fox',
    OPENAI_ADMIN_KEY: 'sk-grey owl',
  });
  expect(text).toContain('TWILIO_AUTH_TOKEN: expected the auth token');
  expect(text).toContain('OPENAI_API_KEY: expected an API key');
  expect(text).not.toMatch(/blue|whale|green|tea|abcdef|red|fox|grey|owl/);
  expect(refusal({ PUBLIC_URL: 'https://me:pass@calls.example.com' })).not.toContain('pass@');
});

test('a misspelt key stops the boot, because what it was to set is not set', () => {
  expect(refusal({ OPENAI_API_KY: 'sk-secret', MAX_CALLS_SECONDS: '60', AGENT_DIR: 'x' }).split('\n')).toEqual([
    'The environment has 3 faults:',
    '  OPENAI_API_KY: no such key; did you mean OPENAI_API_KEY?',
    '  MAX_CALLS_SECONDS: no such key; did you mean MAX_CALL_SECONDS?',
    '  AGENT_DIR: no such key; did you mean AGENTS_DIR?',
  ]);
  expect(refusal({ OPENAI_API_KYE: 'x' })).toContain('did you mean OPENAI_API_KEY?');
  expect(refusal({ TRUNKLINE_PUBLIC_URL: 'https://x.example' })).toContain('did you mean PUBLIC_URL?');
});

test.each([
  ['drain_seconds', 'DRAIN_SECONDS'],
  ['Openai_Api_Key', 'OPENAI_API_KEY'],
  ['twilio_auth_tokn', 'TWILIO_AUTH_TOKEN'],
  ['log_level', 'LOG_LEVEL'],
  ['DRAIN_SECS', 'DRAIN_SECONDS'],
  ['MAX_CALL_SEC', 'MAX_CALL_SECONDS'],
  ['idle_timeout_secs', 'IDLE_TIMEOUT_SECONDS'],
])('%s can only have meant %s', (name, meant) => {
  expect(refusal({ [name]: 'x' })).toContain(`  ${name}: no such key; did you mean ${meant}?`);
});

test('small `port` and `host` may be of another program: a warning', () => {
  expect(readConfig({ port: '1', host: 'a' }).warnings).toEqual([
    'port: no such key; did you mean PORT?',
    'host: no such key; did you mean HOST?',
  ]);
});

test('a near miss beside the key itself is only a warning', () => {
  expect(readConfig({ OPENAI_API_KEY: 'sk-1', OPENAI_API_KEY_2: 'sk-2' }).warnings).toEqual([
    'OPENAI_API_KEY_2: no such key; did you mean OPENAI_API_KEY?',
  ]);
  expect(readConfig({ TRUNKLINE_MODE: 'x' }).warnings).toEqual([
    'TRUNKLINE_MODE: no such key; keys of Trunkline have no prefix',
  ]);
});

test('what shells, Kubernetes and other programs set is not mistaken for a key', () => {
  const env = {
    HOME: '/root',
    PATH: '/bin',
    HOSTNAME: 'pod',
    http_proxy: 'http://proxy:3128',
    npm_config_loglevel: 'warn',
    TRUNKLINE_SERVICE_HOST: '10.0.0.1',
    TRUNKLINE_PORT: 'tcp://10.0.0.1:3000',
    TRUNKLINE_PORT_3000_TCP_ADDR: '10.0.0.1',
    DATABASE_URL: 'postgres://x/y',
    REDIS_URL: 'redis://x',
    TWILIO_API_BASE_URL: 'https://x',
    OPENAI_ORG_ID: 'x',
  };
  expect(readConfig(env).warnings).toEqual([]);
});

test('warns of a key sent in the clear and of signatures that cannot match', () => {
  const { warnings } = readConfig({
    OPENAI_API_KEY: 'sk-1',
    OPENAI_BASE_URL: 'http://models.internal/v1',
    TWILIO_AUTH_TOKEN: 't',
  });
  expect(warnings).toHaveLength(3);
  expect(warnings[0]).toMatch(/^OPENAI_BASE_URL: http sends/);
  expect(warnings[1]).toMatch(/^PUBLIC_URL: absent/);
  expect(warnings[2]).toMatch(/^TWILIO_ACCOUNT_SID: absent/);
});

test('.env.example has every key with its default, and a comment with its default and unit', () => {
  const lines = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8').split('\n');
  const shown = lines.flatMap((line, i) => {
    const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
    if (name === undefined) return [];
    let start = i;
    while (lines[start - 1]?.startsWith('#')) start--;
    return [{ name, standard: value, comment: lines.slice(start, i).join(' ').replaceAll(' # ', ' ') }];
  });
  expect(shown.map(({ name, standard }) => ({ name, standard }))).toEqual(
    ENVIRONMENT.map(({ name, standard }) => ({ name, standard })),
  );
  for (const { name, standard, comment } of shown) {
    expect(comment, name).toContain(`Default${standard ? ` ${standard}` : ': none'}`);
    if (name?.endsWith('_SECONDS')) expect(comment, name).toMatch(/seconds/i);
  }
});

test('.env.example itself is a valid configuration', () => {
  const text = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
  const env = Object.fromEntries([...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
  expect(readConfig(env)).toEqual(readConfig({}));
});
