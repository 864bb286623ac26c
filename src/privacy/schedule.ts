// Runs the retention in a server: some minutes after the start, then every hour, never two at once. It may fail as it likes:
// the calls go on, and the next hour tries again.
import type { AgentRetention } from '../agent/agent.ts';
import type { Cancel, Clock } from '../clock.ts';
import type { Store } from '../store/store.ts';
import { CallFiles } from './call-files.ts';
import { Entries } from './entries.ts';
import type { RetentionReport } from './report.ts';
import { runRetention } from './retention.ts';

/** The part of a logger that this folder uses. */
export interface PrivacyLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface RetentionOptions {
  dataDir: string;
  store: Pick<Store, 'ask'>;
  agents: readonly { retention: AgentRetention }[];
  clock: Clock;
  log: PrivacyLog;
  /** From 0 to 1, so that servers that were started together do not run together; default by chance. */
  random?: () => number;
}

/** How to stop the runs; resolves when none is under way. */
export type StopRetention = () => Promise<void>;

const FIRST_AFTER_MS = 3 * 60_000;
const EVERY_MS = 3_600_000;
const JITTER_MS = 5 * 60_000;
/** Every folder is looked at once a day. */
const STRANGERS_EVERY_MS = 24 * 3_600_000;

export function startRetention(options: RetentionOptions): StopRetention {
  const { dataDir, store, agents, clock, log, random = Math.random } = options;
  const stopped = new AbortController();
  const files = new CallFiles(dataDir);
  const entries = new Entries(dataDir);
  let strangersDueMs = clock.wallMs();
  let running: Promise<void> = Promise.resolve();
  let cancel: Cancel = () => {};

  async function once(): Promise<void> {
    const nowWallMs = clock.wallMs();
    const strangers = nowWallMs >= strangersDueMs;
    try {
      tell(await runRetention({ files, entries, store, nowWallMs, agents, strangers, signal: stopped.signal }), log);
      if (strangers) strangersDueMs = nowWallMs + STRANGERS_EVERY_MS;
    } catch (err) {
      log.warn({ err }, 'what is to be removed by its age was not removed; tried again in an hour');
    }
    again(EVERY_MS);
  }

  function again(inMs: number): void {
    if (stopped.signal.aborted) return;
    cancel = clock.at(clock.nowMs() + inMs + Math.floor(random() * JITTER_MS), () => {
      running = once();
    });
  }

  again(FIRST_AFTER_MS);
  return () => {
    stopped.abort();
    cancel();
    return running;
  };
}

function tell({ calls, files, bytes, failures, more }: RetentionReport, log: PrivacyLog): void {
  if (calls.metadata + calls.text + calls.audio > 0)
    // Not under the names of the parts: what stands under `text` and `audio` is censored.
    log.info(
      { allOf: calls.metadata, textOf: calls.text, audioOf: calls.audio, files, bytes, more },
      'removed what was kept long enough',
    );
  for (const { callId, why } of failures) log.warn({ callId, why }, 'kept too long, but cannot be removed');
}
