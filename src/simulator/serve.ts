// `trunkline simulator`: the embedded model as a server of its own, for other clients and other processes.
import { parseArgs } from 'node:util';
import { TrunklineError } from '../errors.ts';
import type { SessionOptions } from './options.ts';
import { loadScript } from './script-file.ts';
import { startSimulator } from './server.ts';
import type { Simulator, SimulatorOptions } from './server.ts';
import { SessionLog } from './session-log.ts';

const USAGE = `usage: trunkline simulator [--script FILE.yaml] [--port N] [--pace N|instant]
  --script FILE.yaml  what the model says and how it behaves (docs/simulator.md); default the sample clinic
  --port N            TCP port on 127.0.0.1, 0 for any free one; default 8788
  --pace N            audio produced N times faster than real time, or "instant"; default the script's, else 5`;

/** Serves until SIGINT or SIGTERM. */
export async function serveSimulator(args: string[]): Promise<void> {
  const flags = readFlags(args);
  if (flags.help) return print(USAGE);
  const simulator = await listen({ port: portOf(flags.port), session: await sessionsOf(flags) });
  const log = new SessionLog(simulator, print);
  print(
    `Realtime simulator at ${simulator.origin}, speaking ${flags.script ?? 'the sample clinic'}. Any key is accepted.`,
  );
  print(`  the server:    OPENAI_BASE_URL=${simulator.origin} OPENAI_API_KEY=any npm start`);
  print(`  other clients: ${simulator.origin.replace('http', 'ws')}/realtime?model=gpt-realtime-2.1`);
  print('Ctrl-C ends it.');
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  // A terminal shows ^C where the cursor stands: what follows gets a line of its own.
  if (process.stdout.isTTY) print('');
  await simulator.close();
  print(log.summary);
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Flags {
  script?: string;
  port: string;
  pace?: string;
  help: boolean;
}

function readFlags(args: string[]): Flags {
  const text = { type: 'string' } as const;
  const options = {
    script: text,
    port: { ...text, default: '8788' },
    pace: text,
    help: { type: 'boolean', default: false, short: 'h' },
  } as const;
  try {
    return parseArgs({ args, options }).values;
  } catch (cause) {
    throw new TrunklineError('TRK_CONFIG', `${(cause as Error).message}\n${USAGE}`, { cause });
  }
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw wrongFlag('--port', 'a TCP port from 0 to 65535', text);
  return port;
}

async function sessionsOf({ script, pace }: Flags): Promise<(connection: number) => SessionOptions> {
  const paced = pace === undefined ? {} : { pace: paceOf(pace) };
  const scripted = script === undefined ? () => ({}) : await loadScript(script);
  return (connection) => ({ ...scripted(connection), ...paced });
}

function paceOf(text: string): number {
  const pace = text === 'instant' ? Number.POSITIVE_INFINITY : Number(text);
  if (text.trim() === '' || !(pace >= 0.1)) throw wrongFlag('--pace', 'a number from 0.1, or instant', text);
  return pace;
}

const wrongFlag = (flag: string, expected: string, found: string): TrunklineError =>
  new TrunklineError('TRK_CONFIG', `${flag}: expected ${expected} (found ${JSON.stringify(found)})\n${USAGE}`);

async function listen(options: SimulatorOptions): Promise<Simulator> {
  try {
    return await startSimulator(options);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why =
      code === 'EADDRINUSE'
        ? 'is taken; choose another with --port, or --port 0 for any free one'
        : `cannot be used: ${message}`;
    throw new TrunklineError('TRK_LISTEN', `Port ${options.port} of 127.0.0.1 ${why}.`, { cause });
  }
}
