// The thread that has the database. Everything that is read from it or written to it goes through here.
import { parentPort, workerData } from 'node:worker_threads';
import { Keeper } from './keeper.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './worker-messages.ts';

if (parentPort === null) throw new Error('this file is for a worker thread');
const port = parentPort;

const keeper = new Keeper(workerData as WorkerSetup, (message: FromWorker) => port.postMessage(message));
port.on('message', (order: ToWorker) => keeper.order(order));
await keeper.run();
// Nothing holds the thread any more.
port.close();
