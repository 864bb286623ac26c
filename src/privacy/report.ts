// What a run of the retention did, and what it could not do.
import type { KeptPart } from '../store/queries/privacy-kept.ts';
import { type Amount, sum } from './files.ts';

/** What a run did. */
export interface RetentionReport extends Amount {
  /** Calls of which this part went. */
  calls: Record<KeptPart, number>;
  turns: number;
  tools: number;
  failures: RetentionFailure[];
  /** The run reached its bound; the next one goes on. */
  more: boolean;
}

/** Something that stays although its time is over; the next run tries again. */
export interface RetentionFailure {
  callId: string;
  why: string;
}

/** Beyond it nobody reads them. */
const MAX_FAILURES = 100;

export const emptyReport = (): RetentionReport => ({
  calls: { metadata: 0, text: 0, audio: 0 },
  ...{ files: 0, bytes: 0, turns: 0, tools: 0 },
  failures: [],
  more: false,
});

export const add = (report: RetentionReport, amount: Amount): void => void Object.assign(report, sum(report, amount));

/** Of the faults of a disk only the code is told: their texts hold paths. */
export function failed(report: RetentionReport, callId: string, error: unknown): void {
  const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  // Each of its parts may have failed.
  const isTold = report.failures.some((failure) => failure.callId === callId);
  if (!isTold && report.failures.length < MAX_FAILURES) report.failures.push({ callId, why });
}
