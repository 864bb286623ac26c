// A cold start in a process of its own, timed from inside: the agent files of a folder alone, or a whole server on them until
// it listens. What Node itself needs to start and to read the code is not in it.
//   node bench/growth-boot.ts load|server AGENTS_DIR DATA_DIR
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadAgents } from '../src/agent/load.ts';
import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/log.ts';
import { startServer } from '../src/server.ts';

export interface BootFigures {
  ms: number;
  /** Of the agents, after a collection; 0 where a server was started. */
  heldKib: number;
}

if (import.meta.main) {
  const [what, agentsDir = '', dataDir = ''] = process.argv.slice(2);
  const env = { PORT: '0', HOST: '127.0.0.1', DATA_DIR: dataDir, AGENTS_DIR: agentsDir };
  const figures = what === 'server' ? await server() : await load();
  process.stdout.write(JSON.stringify(figures), () => process.exit(0));

  async function load(): Promise<BootFigures> {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const held = (): number => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return (heapUsed + external) / 1_024;
    };
    const config = readConfig(env);
    const before = held();
    const startMs = performance.now();
    const agents = await loadAgents(agentsDir, config);
    const ms = performance.now() - startMs;
    const heldKib = held() - before;
    // Asked after the look, so that they are still there at it.
    if (agents.length === 0) throw new Error('no agents');
    return { ms, heldKib };
  }

  async function server(): Promise<BootFigures> {
    const startMs = performance.now();
    const running = await startServer({ config: readConfig(env), log: createLogger({ level: 'silent' }) });
    const ms = performance.now() - startMs;
    await running.close();
    return { ms, heldKib: 0 };
  }
}
