// Folders of calls that the database does not know: they are older than it, or from another one. They follow the longest
// retention of any agent, because nobody knows whose they were; where one keeps for ever, so do they.
import type { AgentRetention } from '../agent/agent.ts';
import type { KeptPart } from '../store/queries/privacy-kept.ts';
import { add, failed, type RetentionReport } from './report.ts';
import type { RetentionRun } from './retention.ts';
import { LONGEST_CALL_MS } from './settled.ts';

const DAY_MS = 24 * 3_600_000;

export async function removeStrangers(run: RetentionRun, report: RetentionReport): Promise<void> {
  const longest = longestOf(run.agents);
  if (Object.values(longest).every((days) => days === null)) return;
  for await (const callIds of run.files.callIds()) {
    const known = new Set(await run.store.ask('callsKnown', { callIds }));
    for (const callId of callIds) {
      if (run.signal?.aborted) return;
      if (known.has(callId)) continue;
      await removeStranger(callId, longest, run, report).catch((error: unknown) => failed(report, callId, error));
    }
  }
}

async function removeStranger(
  callId: string,
  longest: Record<KeptPart, number | null>,
  { files, entries, nowWallMs }: RetentionRun,
  report: RetentionReport,
): Promise<void> {
  const facts = await files.facts(callId);
  // Written a moment ago: a call that is live, and on its way into the database.
  if (facts === null || facts.changedMs > nowWallMs - LONGEST_CALL_MS) return;
  const record = await files.record(callId);
  const admittedMs = record?.when?.admittedWallMs ?? facts.changedMs;
  const isOver = (part: KeptPart): boolean => {
    const days = longest[part];
    return days !== null && admittedMs + days * DAY_MS <= nowWallMs;
  };
  const parts: KeptPart[] = isOver('metadata') ? ['metadata'] : (['text', 'audio'] as const).filter(isOver);
  for (const part of parts) {
    if (part === 'metadata' && record) add(report, await entries.remove(record.carrier, record.carrierCallId));
    const amount = await files.remove(part, callId);
    add(report, amount);
    if (amount.bytes > 0) report.calls[part] += 1;
  }
}

/** Null: for ever. Without agents nothing is known, and nothing goes. */
function longestOf(agents: readonly { retention: AgentRetention }[]): Record<KeptPart, number | null> {
  const longest = (daysOf: (retention: AgentRetention) => number | null): number | null => {
    const days = agents.map(({ retention }) => daysOf(retention) ?? Number.POSITIVE_INFINITY);
    const most = Math.max(...days);
    return Number.isFinite(most) ? most : null;
  };
  return {
    audio: longest(({ audioDays }) => audioDays),
    text: longest(({ textDays }) => textDays),
    metadata: longest(({ metadataDays }) => metadataDays),
  };
}
