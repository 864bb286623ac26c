// One run of the retention: what is kept of calls goes when its days are over. Files first, then the rows, a few calls at a
// time: whoever breaks off in between is followed by a run that finds the same calls again. Two runs at once do no harm.
import type { AgentRetention } from '../agent/agent.ts';
import type { DueCall, KeptPart } from '../store/queries/privacy-kept.ts';
import type { Store } from '../store/store.ts';
import type { CallFiles } from './call-files.ts';
import type { Entries } from './entries.ts';
import { add, emptyReport, failed, type RetentionReport } from './report.ts';
import { LONGEST_CALL_MS, SETTLED_AFTER_MS } from './settled.ts';
import { removeStrangers } from './strangers.ts';

export interface RetentionRun {
  files: CallFiles;
  entries: Entries;
  store: Pick<Store, 'ask'>;
  nowWallMs: number;
  /** What the agents of this server say: files of calls that the database does not know follow the longest. */
  agents: readonly { retention: AgentRetention }[];
  /** Whether those files are looked at in this run: every folder is, so that is not for every hour. */
  strangers: boolean;
  /** A run that is given up ends after the call at hand. */
  signal?: AbortSignal;
}

/** The database answers nobody else meanwhile. */
const BATCH = 50;
const MAX_CALLS_PER_RUN = 20_000;

/** @throws TrunklineError TRK_STORE when the database does not answer; what was done until then stays done */
export async function runRetention(run: RetentionRun): Promise<RetentionReport> {
  const report = emptyReport();
  // The widest first: what goes whole need not go in parts.
  for (const part of ['metadata', 'text', 'audio'] as const) await removeDue(part, run, report);
  if (run.strangers) await removeStrangers(run, report);
  const { calls } = report;
  if (calls.metadata + calls.text + calls.audio > 0 || report.failures.length > 0)
    await run.store.ask('auditPrivacy', {
      atMs: run.nowWallMs,
      actor: 'retention',
      action: 'prune',
      note: `${noteOf(calls)}; ${report.files} files; ${report.failures.length} not removed`,
    });
  return report;
}

const noteOf = (calls: RetentionReport['calls']): string =>
  `metadata of ${calls.metadata} calls, text of ${calls.text}, audio of ${calls.audio}`;

async function removeDue(part: KeptPart, run: RetentionRun, report: RetentionReport): Promise<void> {
  const { store, nowWallMs } = run;
  let after: DueCall | null = null;
  for (let looked = 0; ; looked += BATCH) {
    if (looked >= MAX_CALLS_PER_RUN) report.more = true;
    if (report.more || run.signal?.aborted) return;
    const due: DueCall[] = await store.ask('callsDue', {
      ...{ part, nowMs: nowWallMs, after, limit: BATCH },
      endedBeforeMs: nowWallMs - SETTLED_AFTER_MS,
      admittedBeforeMs: nowWallMs - LONGEST_CALL_MS,
    });
    after = due.at(-1) ?? null;
    if (after === null) return;
    const gone: string[] = [];
    for (const call of due) if (await removeFiles(part, call, run, report)) gone.push(call.callId);
    if (gone.length === 0) continue;
    const { turns, tools } = await store.ask('removeKept', { part, callIds: gone });
    report.calls[part] += gone.length;
    if (part === 'audio') continue;
    report.turns += turns;
    report.tools += tools;
  }
}

/** True when nothing of the part is left. */
async function removeFiles(
  part: KeptPart,
  { callId, carrier, carrierCallId }: DueCall,
  { files, entries, signal }: RetentionRun,
  report: RetentionReport,
): Promise<boolean> {
  if (signal?.aborted) return false;
  try {
    if (part === 'metadata') add(report, await entries.remove(carrier, carrierCallId));
    add(report, await files.remove(part, callId));
    return true;
  } catch (error) {
    failed(report, callId, error);
    return false;
  }
}
