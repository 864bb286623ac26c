// The servers that replayed calls go to: one of our own for each conversation script, or a running one that was named.
import { readConfig } from '../config.ts';
import { createLogger } from '../log.ts';
import { type Server, startServer } from '../server.ts';
import { type PhoneCall, placeCall } from '../phone/phone.ts';
import type { PhoneOptions } from '../phone/phone-options.ts';
import type { Scripts } from './replay-inputs.ts';
import type { ReplayOptions } from './replay-options.ts';
import { type BothEnds, WatchedCalls } from './watched-calls.ts';

/** What a call may choose; the server says the rest. */
export type CallOptions = Omit<PhoneOptions, 'server' | 'publicUrl' | 'authToken'>;

/** Where calls of one script go. */
export interface Line {
  place(options: CallOptions): { call: PhoneCall; ended: Promise<BothEnds> };
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
export async function ownLines(scripts: Scripts, env: Environment, warn: (line: string) => void): Promise<Lines> {
  const config = readConfig({
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
  });
  const log = createLogger({ level: 'warn', destination: { write: (line) => warn(line.trimEnd()) } });
  const servers: Server[] = [];
  const lines = new Map<string | null, Line>();
  const close = async () => {
    await Promise.all(servers.map((server) => server.drain(1_000).then(() => server.close())));
  };
  try {
    for (const [script, session] of scripts) {
      const calls = new WatchedCalls();
      const simulator = session === undefined ? {} : { simulator: { session } };
      const server = await startServer({ config, log, onlookers: [calls.onlooker], ...simulator });
      servers.push(server);
      lines.set(script, { place: (options) => calls.place(server, options), dataDir: config.dataDir });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { of: (script) => lines.get(script) as Line, close };
}
