// The command line of `trunkline replay`: its usage, its flags and their bounds.
import { parseArgs } from 'node:util';
import { TrunklineError } from '../errors.ts';
import { BURST_EVERY_SECONDS, type NetworkYaml, networkSchema, partySchema } from './caller-schema.ts';

/** What was asked for; every value is inside its bounds. */
export interface ReplayOptions {
  files: string[];
  outDir: string | null;
  expectFiles: string[];
  junitFile: string | null;
  /** Null: as the caller file says, else five minutes. */
  maxMs: number | null;
  /** How often each file is called with. */
  callers: number;
  /** Calls up at the same time. */
  parallel: number;
  /** Between the starts of two calls. */
  staggerMs: number;
  /** The numbers of both ends, where the caller file does not say. */
  from: string | null;
  to: string | null;
  /** Where a flag says something, it goes before what a caller file says. */
  network: NetworkYaml;
  /** Null: the simulator's own conversation, unless a caller file names a script. */
  script: string | null;
  /** Null: a server of our own. */
  remote: { server: string; publicUrl: string; authToken: string } | null;
}

/** Fits a terminal of 80 columns. */
export const USAGE = `usage: trunkline replay FILE…
  FILE.wav            8 kHz mu-law; a caller who says it
  FILE.yaml           a caller: clips, keys, interruptions (docs/replay.md)
  TAPE.jsonl          a recorded call, decided again: the same decisions?
judging
  --expect FILE       what every call must have been like; may be repeated
  --junit FILE        the result as JUnit XML
  --out DIR           stereo.wav, result.json, events.jsonl; one folder per call
calling
  --callers N         each file calls so often, 1 to 500 (default 1)
  --parallel N        so many calls at once (default 8, or as --callers if more)
  --stagger MS        between the starts of two calls (default 100)
  --max-seconds N     the caller hangs up after so long at the latest (300)
  --from NUMBER       who calls
  --to NUMBER         who is called: decides which agent answers
network
  --delay MS          one way, in both directions
  --jitter MS         every message is late by up to so much
  --burst MS[/S]      now and then nothing comes through for MS, then all of it;
                      every S seconds on average (default 5)
  --lose-socket-at S  the media socket is lost so many seconds into the call
  --seed N            another row of chances (default 1)
the other end
  --script FILE       what the simulated model says
  --server URL        a running server instead of our own with the simulator
  --auth-token T      what that server signs with (default TWILIO_AUTH_TOKEN)
  --public-url U      its PUBLIC_URL, when it is not the URL it is called at`;

/** Every flag there is. */
export const FLAGS = {
  ...textFlags('out', 'junit', 'max-seconds', 'callers', 'parallel', 'stagger', 'from', 'to'),
  ...textFlags('delay', 'jitter', 'burst', 'lose-socket-at', 'seed', 'script', 'server', 'auth-token', 'public-url'),
  expect: { type: 'string', multiple: true },
} as const;

function textFlags<const Name extends string>(...names: Name[]): Record<Name, { type: 'string' }> {
  return Object.fromEntries(names.map((name) => [name, { type: 'string' }])) as Record<Name, { type: 'string' }>;
}

/** Calls at once unless something else is asked for. */
const PARALLEL = 8;
const MOST_CALLS = 500;
const STAGGER_MS = 100;

/** @throws TrunklineError saying how it is used */
export function readOptions(args: string[], env: Record<string, string | undefined>): ReplayOptions {
  const { values, positionals } = parsed(args);
  if (positionals.length === 0) throw fault('There is no file to replay.');
  const number = (name: keyof typeof FLAGS, min: number, max: number): number | null => {
    const text = values[name];
    if (typeof text !== 'string') return null;
    return numberIn(`--${name}`, text, min, max);
  };
  const callers = number('callers', 1, MOST_CALLS) ?? 1;
  const maxSeconds = number('max-seconds', 1, 3600);
  return {
    files: positionals,
    outDir: values.out ?? null,
    expectFiles: values.expect ?? [],
    junitFile: values.junit ?? null,
    maxMs: maxSeconds === null ? null : maxSeconds * 1000,
    callers: whole('--callers', callers),
    parallel: whole('--parallel', number('parallel', 1, MOST_CALLS) ?? Math.max(PARALLEL, callers)),
    staggerMs: number('stagger', 0, 60_000) ?? STAGGER_MS,
    from: partyOf('--from', values.from),
    to: partyOf('--to', values.to),
    network: {
      delay_ms: number('delay', 0, 5000) ?? undefined,
      jitter_ms: number('jitter', 0, 5000) ?? undefined,
      burst: values.burst === undefined ? undefined : burstOf(values.burst),
      lose_socket_at: number('lose-socket-at', 0, 3600) ?? undefined,
      seed: values.seed === undefined ? undefined : seedOf(values.seed),
    },
    script: values.script ?? null,
    remote: remoteOf(values, env),
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({ args, allowPositionals: true, options: FLAGS });
  } catch (cause) {
    throw new TrunklineError('TRK_CONFIG', `${(cause as Error).message}\n${USAGE}`, { cause });
  }
}

const fault = (text: string) => new TrunklineError('TRK_CONFIG', `${text}\n${USAGE}`);

function numberIn(name: string, text: string, min: number, max: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= min && value <= max)) throw fault(`${name}: expected a number from ${min} to ${max} (found ${text})`);
  return value;
}

function whole(name: string, value: number): number {
  if (!Number.isInteger(value)) throw fault(`${name}: expected a whole number (found ${value})`);
  return value;
}

function partyOf(name: string, text: string | undefined): string | null {
  if (text === undefined) return null;
  const { data, error } = partySchema.safeParse(text);
  if (error) throw fault(`${name}: expected ${error.issues[0]?.message} (found ${text})`);
  return data;
}

function seedOf(text: string): number | undefined {
  const { data, error } = networkSchema.shape.seed.safeParse(text.trim() === '' ? Number.NaN : Number(text));
  if (error) throw fault(`--seed: expected ${error.issues[0]?.message} (found ${text})`);
  return data;
}

function burstOf(text: string): { ms: number; every_seconds: number } {
  const [ms = '', every = String(BURST_EVERY_SECONDS), more] = text.split('/');
  if (more !== undefined) throw fault(`--burst: expected milliseconds, or MS/SECONDS such as 400/10 (found ${text})`);
  return { ms: numberIn('--burst', ms, 20, 30_000), every_seconds: numberIn('--burst', every, 0.1, 600) };
}

function remoteOf(
  values: { server?: string; script?: string; 'auth-token'?: string; 'public-url'?: string },
  env: Record<string, string | undefined>,
): ReplayOptions['remote'] {
  if (values.server === undefined) {
    if (values['auth-token'] !== undefined || values['public-url'] !== undefined)
      throw fault('--auth-token and --public-url belong to --server');
    return null;
  }
  if (values.script !== undefined) throw fault('--script is for the simulator, which --server does not use');
  const server = originOf(values.server);
  const publicUrl = values['public-url'] === undefined ? server : originOf(values['public-url']);
  if (server === null || publicUrl === null) throw fault('--server, --public-url: expected an http or https URL');
  const authToken = values['auth-token'] || env['TWILIO_AUTH_TOKEN'];
  if (!authToken)
    throw fault('--server needs --auth-token or TWILIO_AUTH_TOKEN: what that server checks signatures with');
  return { server, publicUrl, authToken };
}

function originOf(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && /^https?:$/.test(url.protocol) ? url.origin : null;
}
