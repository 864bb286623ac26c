// Trunkline's bridge alone, for the bench: the whole server with nobody looking on and no log. What is left is what a call
// needs to be a call: signatures, admission, the call core, the Realtime dialogue, the play buffer.
import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/log.ts';
import { startServer } from '../src/server.ts';
import { noStore } from './no-store.ts';

const config = readConfig(process.env);
const server = await startServer({
  config,
  log: createLogger({ level: 'silent' }),
  standingOnlookers: 'none',
  openStore: noStore,
});
process.once('SIGTERM', () => {
  void server
    .drain(config.drainMs)
    .then(() => server.close())
    .then(() => process.exit());
});
