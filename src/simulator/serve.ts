// `trunkline simulator`: the embedded model as a server of its own, for other clients and other processes.
import { parseArgs } from 'node:util';
import { startSimulator } from './server.ts';

/** Serves until SIGINT or SIGTERM. */
export async function serveSimulator(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { port: { type: 'string', default: '8788' } } });
  const simulator = await startSimulator({ port: Number(values.port) });
  process.stdout.write(
    `Realtime simulator at ${simulator.origin} (set OPENAI_BASE_URL to this; any key is accepted)\n`,
  );
  const stop = (): void => void simulator.close();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}
