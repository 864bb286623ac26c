// The servers that replayed calls go to: one of our own for each conversation script, or a running one that was named.
import { setTimeout } from 'node:timers/promises';
import { realClock } from '../clock.ts';
import { readConfig } from '../config.ts';
import { createLogger } from '../log.ts';
import { type Server, startServer } from '../server.ts';
import { type PhoneCall, placeCall } from '../phone/phone.ts';
import type { PhoneOptions } from '../phone/phone-options.ts';
import type { Scripts } from './replay-inputs.ts';
import type { ReplayOptions } from './replay-options.ts';
import type { PersonYaml } from './caller-schema.ts';
import { newSid } from '../phone/call-params.ts';
import { type Reached, ReplayPeople } from './replay-people.ts';
import { type BothEnds, WatchedCalls } from './watched-calls.ts';

/** What a call may choose; the server says the rest. */
export type CallOptions = Omit<PhoneOptions, 'server' | 'publicUrl' | 'authToken'>;

/** Both ends of a call, and whom it reached beside its own line, where that can be seen. */
export type LineEnds = BothEnds & { reached?: Reached };

/** Where calls of one script go. */
export interface Line {
  place(options: CallOptions, people?: readonly PersonYaml[]): { call: PhoneCall; ended: Promise<LineEnds> };
  /** Where the server keeps its records, when it is ours. */
  dataDir: string | null;
}

/** All of them; `null` is the line without a script. */
export interface Lines {
  of(script: string | null): Line;
  close(): Promise<void>;
}

type Environment = Record<string, string | undefined>;

/** A running server takes every call, whatever script the caller file names: its model says what it says. */
export function remoteLines(remote: NonNullable<ReplayOptions['remote']>): Lines {
  const line: Line = {
    place(options) {
      const call = placeCall({ ...options, ...remote });
      return { call, ended: call.ended.then((result) => ({ result, record: null, stops: [] })) };
    },
    dataDir: null,
  };
  return { of: () => line, close: () => Promise.resolve() };
}

/** Servers of this process: the environment's agents and limits, but always the simulator and nobody from outside. */
export async function ownLines(
  scripts: Scripts,
  env: Environment,
  warn: (line: string) => void,
  { people = false }: { people?: boolean } = {},
): Promise<Lines> {
  const standard = {
    ...env,
    PORT: '0',
    HOST: '127.0.0.1',
    PUBLIC_URL: '',
    TWILIO_AUTH_TOKEN: '',
    OPENAI_API_KEY: '',
    OPENAI_BASE_URL: '',
    // Testers place as many calls as they like, on machines that are busy with their tests.
    MAX_CALLS_PER_SECOND: '1000',
    MAX_LOOP_DELAY_MS: '0',
  };
  const log = createLogger({ level: 'warn', destination: { write: (line) => warn(line.trimEnd()) } });
  const doubles: ReplayPeople[] = [];
  const servers: Server[] = [];
  const lines = new Map<string | null, Line>();
  const close = async () => {
    await Promise.all(servers.map((server) => server.drain(1_000).then(() => server.close())));
    await Promise.all(doubles.map((double) => double.close()));
  };
  try {
    for (const [script, session] of scripts) {
      const calls = new WatchedCalls();
      const simulator = session === undefined ? {} : { simulator: { session } };
      const double = people ? await startDouble(doubles) : null;
      const config = readConfig({ ...standard, ...(double ? accountOf(double) : {}) });
      const server = await startServer({ config, log, env, onlookers: [calls.onlooker], ...simulator });
      servers.push(server);
      lines.set(script, {
        place: (options, persons = []) =>
          double ? reaching(double, calls, server, options, persons) : calls.place(server, options),
        dataDir: config.dataDir,
      });
    }
  } catch (error) {
    await close();
    throw error;
  }
  await quietLoop();
  return { of: (script) => lines.get(script) as Line, close };
}

/** Rounds of the event loop in a row that were on time, before a call is placed. */
const QUIET_ROUNDS = 10;
const ROUND_MS = 20;
const ON_TIME_MS = 5;
/** A machine that is never quiet is measured all the same. */
const QUIET_WITHIN_MS = 3_000;

/**
 * Servers and phones share this process, and each server that has just started still opens its database beside them: a caller
 * would hear that as a stall that no server of its own has.
 */
async function quietLoop(): Promise<void> {
  const untilMs = realClock.nowMs() + QUIET_WITHIN_MS;
  for (let quiet = 0; quiet < QUIET_ROUNDS && realClock.nowMs() < untilMs; ) {
    const fromMs = realClock.nowMs();
    await setTimeout(ROUND_MS);
    quiet = realClock.nowMs() - fromMs < ROUND_MS + ON_TIME_MS ? quiet + 1 : 0;
  }
}

async function startDouble(doubles: ReplayPeople[]): Promise<ReplayPeople> {
  const double = new ReplayPeople(newSid('AC'), newSid('AC').slice(2));
  await double.listen();
  doubles.push(double);
  return double;
}

/** What the environment says of an account holds for the carrier, and never for a test. */
const accountOf = ({ accountSid, authToken, origin }: ReplayPeople) => ({
  TWILIO_ACCOUNT_SID: accountSid,
  TWILIO_AUTH_TOKEN: authToken,
  TWILIO_API_BASE_URL: origin,
});

function reaching(
  double: ReplayPeople,
  calls: WatchedCalls,
  server: Server,
  options: CallOptions,
  people: readonly PersonYaml[],
): ReturnType<Line['place']> {
  const fromMs = realClock.nowMs();
  const { call, ended } = calls.place(server, { ...options, accountSid: double.accountSid });
  double.add(call, people);
  const all = async (): Promise<LineEnds> => {
    const ends = await ended;
    return { ...ends, reached: await double.reachedBy(call, ends.result, fromMs, realClock.nowMs()) };
  };
  return { call, ended: all() };
}
