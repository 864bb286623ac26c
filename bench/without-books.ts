// Trunkline with everything on but its books, for the bench: no record, no ledger, no journal, no database. What differs from
// the product as it is started is what these cost.
import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/log.ts';
import { startServer } from '../src/server.ts';
import { noStore } from './no-store.ts';

const config = readConfig(process.env);
const server = await startServer({
  config,
  log: createLogger({ level: config.logLevel }),
  standingOnlookers: 'all_but_books',
  openStore: noStore,
});
process.once('SIGTERM', () => {
  void server
    .drain(config.drainMs)
    .then(() => server.close())
    .then(() => process.exit());
});
