// What `trunkline forget` gets from whoever starts it: the data folder and its database, a place to print, and the time.
import { randomBytes } from 'node:crypto';
import { realClock } from '../clock.ts';
import { readConfig } from '../config.ts';
import { startStore } from '../store/start.ts';
import type { Store } from '../store/store.ts';

export interface ForgetDesk {
  /** One that takes in what dead processes left: their journals hold numbers too. */
  open: () => Promise<Pick<Store, 'ask' | 'settled' | 'close'>>;
  readonly dataDir: string;
  out(text: string): void;
  wallMs(): number;
}

/** The folder and the database that the environment names, which may be a running server's. */
export const standardForgetDesk = (env: NodeJS.ProcessEnv): ForgetDesk => ({
  open() {
    const { dataDir, databaseUrl } = readConfig(env);
    const nodeId = randomBytes(6).toString('hex');
    return startStore({ dataDir, databaseUrl, nodeId, clock: realClock, log: SILENT });
  },
  get dataDir() {
    return readConfig(env).dataDir;
  },
  out: (text) => void process.stdout.write(`${text}\n`),
  wallMs: () => realClock.wallMs(),
});

/** What is wrong with the database is said by the question that it does not answer. */
const SILENT = { info: () => {}, warn: () => {}, error: () => {} };
