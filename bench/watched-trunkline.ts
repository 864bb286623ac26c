// Trunkline as `npm start` starts it, while operators look: two follow the live grid, one follows a call and listens in to
// it, one draws the list of calls anew every second. They are a process of their own; what differs from the product is what
// being watched costs, and whether callers hear of it.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/log.ts';
import { startServer } from '../src/server.ts';

const config = readConfig(process.env);
const server = await startServer({ config, log: createLogger({ level: config.logLevel }) });
// The bench's probe is for this process only.
const { NODE_OPTIONS: _probe, ...env } = process.env;
const watcher = spawn(process.execPath, [join(import.meta.dirname, 'watcher.ts')], {
  env: { ...env, WATCHED: server.origin, ADMIN_TOKEN: server.adminToken },
  stdio: ['ignore', 'ignore', 'inherit'],
});
process.once('SIGTERM', () => {
  watcher.kill();
  void server
    .drain(config.drainMs)
    .then(() => server.close())
    .then(() => process.exit());
});
