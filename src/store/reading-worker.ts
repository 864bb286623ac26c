// A thread that only reads: answers one question after the other, so that none that takes long holds up what is written.
import { parentPort, workerData } from 'node:worker_threads';
import { type Database, openForReading } from './database.ts';
import { QUERIES } from './queries.ts';
import { toldOf } from './told.ts';
import type { Place } from './place.ts';
import type { Answered, Question } from './reading-thread.ts';

if (parentPort === null) throw new Error('this file is for a worker thread');
const port = parentPort;
const place = workerData as Extract<Place, { engine: 'sqlite' }>;
let db: Database | null = null;

port.on('message', (question: Question) => void answer(question));

async function answer({ name, question }: Question): Promise<void> {
  try {
    db ??= openForReading(place.path);
    const query = QUERIES[name as keyof typeof QUERIES] as (db: Database, question: unknown) => Promise<unknown>;
    port.postMessage({ answer: await query(db, question) } satisfies Answered);
  } catch (error) {
    port.postMessage({ error: toldOf(error, name, place) } satisfies Answered);
  }
}
