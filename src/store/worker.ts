// The thread that has the database. Everything that is read from it or written to it goes through here. It loads what it needs
// at once, and touches nothing before it is told to begin.
import { parentPort } from 'node:worker_threads';
import { Keeper } from './keeper.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';

if (parentPort === null) throw new Error('this file is for a worker thread');
const port = parentPort;

let keeper: Keeper | null = null;
port.on('message', (order: ToWorker) => {
  if (order.do !== 'begin') return keeper?.order(order);
  keeper = new Keeper(order.setup, (message: FromWorker) => port.postMessage(message));
  // Nothing holds the thread any more.
  void keeper.run().then(() => port.close());
});
