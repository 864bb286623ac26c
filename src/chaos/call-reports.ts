// What the server told of each call while it ran and when it was over: its log, how many ends, its records.
import { setTimeout as sleep } from 'node:timers/promises';
import { realClock } from '../clock.ts';
import type { CallRecord } from '../record/call-record.ts';

export interface CallReport {
  records: CallRecord[];
  /** How many ends the log told of. */
  ends: number;
  /** The first lines about the call. */
  log: string[];
}

/** Log lines of one call that are kept. */
const MAX_LINES = 100;
/** From the phone's last word to the record. */
const RECORDED_WITHIN_MS = 8_000;
const LOOK_EVERY_MS = 100;

export class CallReports {
  readonly #byCall = new Map<string, CallReport>();

  /** One line of the server's log. */
  line(line: string): void {
    const { callId, msg } = JSON.parse(line) as { callId?: string; msg?: string };
    if (callId === undefined) return;
    const report = this.#of(callId);
    if (msg === 'call ended') report.ends += 1;
    if (report.log.length < MAX_LINES) report.log.push(line.trimEnd());
  }

  record(record: CallRecord): void {
    this.#of(record.callId).records.push(record);
  }

  /** Waits until a call that is over has its record; what was told of it until then, or in time. */
  async whenRecorded(callId: string): Promise<CallReport> {
    const report = this.#of(callId);
    const untilMs = realClock.nowMs() + RECORDED_WITHIN_MS;
    while (report.records.length === 0 && realClock.nowMs() < untilMs) await sleep(LOOK_EVERY_MS);
    // A second record or end of the same call would come now.
    await sleep(LOOK_EVERY_MS);
    return report;
  }

  #of(callId: string): CallReport {
    const known = this.#byCall.get(callId) ?? { records: [], ends: 0, log: [] };
    this.#byCall.set(callId, known);
    return known;
  }
}
