// Keeps the record of every call: follows the feed, and writes `DATA_DIR/calls/<callId>/record.json` when the call is over.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallFacts, Onlooker, OnlookerFactory } from '../call/feed.ts';
import type { Clock } from '../clock.ts';
import type { LedgerLine } from '../ledger/line.ts';
import type { PriceBook } from '../ledger/prices.ts';
import type { CallRecord } from './call-record.ts';
import type { Warnings } from './file-store.ts';
import type { FactKeeper } from './kept-facts.ts';
import { writePrivateFile } from './private-file.ts';
import { RecordBuilder } from './record-builder.ts';

export interface RecorderOptions {
  dataDir: string;
  clock: Clock;
  log: Warnings;
  /** Default: the book in force. */
  prices?: PriceBook;
  /** Gets the facts of every call while it is under way. */
  facts?: FactKeeper;
  /** For counters: a record that could not be written. */
  incomplete?: () => void;
}

export interface Recorder {
  onlooker: OnlookerFactory;
  /** Told of each record after it was written (or could not be); returns how to stop that. */
  onRecord(told: (record: CallRecord) => void): () => void;
}

export function createRecorder({ dataDir, clock, log, prices, facts: keeper, incomplete }: RecorderOptions): Recorder {
  const listeners = new Set<(record: CallRecord) => void>();
  const warned = new Set<string>();

  /** Once per product: what is unknown in one call is unknown in all. */
  function charged({ product, what, costNanoUsd }: LedgerLine): void {
    if (costNanoUsd !== null || warned.has(product)) return;
    warned.add(product);
    log.warn({ product, what }, 'no price is known for this: costs are incomplete');
  }

  async function keep(record: CallRecord): Promise<void> {
    try {
      await writePrivateFile(recordPath(dataDir, record.callId), `${JSON.stringify(record)}\n`);
    } catch (err) {
      log.warn({ callId: record.callId, err }, 'call record could not be written');
      incomplete?.();
    }
    for (const told of listeners) {
      try {
        told(record);
      } catch (err) {
        log.warn({ callId: record.callId, err }, 'a listener to call records failed');
      }
    }
  }

  function onlooker(facts: CallFacts): Onlooker {
    const builder = new RecordBuilder(facts, { charged, ...(prices ? { prices } : {}) }, keeper);
    return {
      frame: (frame) => builder.frame(frame),
      stepped: (event, effects) => builder.stepped(event, effects),
      played: (startsAtMs) => builder.played(startsAtMs, clock.nowMs()),
      closed: (atMs) => keep(builder.build(atMs)),
    };
  }

  return {
    onlooker,
    onRecord(told) {
      listeners.add(told);
      return () => listeners.delete(told);
    },
  };
}

/** Call ids are ours, but whoever reads a record may have got its id from outside. */
const CALL_ID = /^[A-Za-z0-9_-]{1,128}$/;

/** Where a call's private files lie. */
const recordPath = (dataDir: string, callId: string): string => join(dataDir, 'calls', callId, 'record.json');

/** The record of a call that is over; null when there is none. */
export async function readRecord(dataDir: string, callId: string): Promise<CallRecord | null> {
  if (!CALL_ID.test(callId)) return null;
  try {
    return JSON.parse(await readFile(recordPath(dataDir, callId), 'utf8')) as CallRecord;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return null;
    throw error;
  }
}
