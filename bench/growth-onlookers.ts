// Everything that looks on at a call in a running server, for calls in virtual time: tape, recording, record with its bill,
// facts on their way to the store, metrics.
import type { OnlookerFactory } from '../src/call/feed.ts';
import type { Clock } from '../src/clock.ts';
import { createLogger } from '../src/log.ts';
import { createMetrics } from '../src/metrics/metrics.ts';
import { createRecorder } from '../src/record/record.ts';
import type { StoreEvent } from '../src/store/events.ts';
import { tapeRecorder } from '../src/tape/recorder.ts';
import { recordingOnlooker } from '../src/tape/recording.ts';
import { troubleLog } from '../src/record/trouble-log.ts';

export interface LookingOn {
  dataDir: string;
  /** Of the call. */
  clock: Clock;
  keep: (fact: StoreEvent) => void;
  /** A file of the call was not written whole. */
  incomplete: (what: string) => void;
  /** Without: what a call costs that keeps no turns. Default: with it. */
  record?: boolean;
}

export function standingOnlookers({ dataDir, clock, keep, incomplete, record = true }: LookingOn): OnlookerFactory[] {
  const log = createLogger({ level: 'error' });
  const metrics = createMetrics({ clock, version: 'growth' });
  const recorder = createRecorder({
    ...{ dataDir, clock, log },
    facts: { node: 'growth', keep },
    incomplete: () => incomplete('record'),
  });
  recorder.onRecord(({ quality, cost }) => {
    metrics.judged(quality);
    for (const line of cost.lines) metrics.charged(line);
    metrics.close();
  });
  return [
    troubleLog({ log }),
    tapeRecorder({ dataDir, log, clock, incomplete: () => incomplete('tape') }),
    recordingOnlooker({ dataDir, log, incomplete: () => incomplete('recording') }),
    ...(record ? [recorder.onlooker] : []),
    metrics.onlooker,
  ];
}
