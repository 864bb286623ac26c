// Calls that died with their process. Nobody was left to say when they ended, nor what the carrier carried: both are reckoned
// from what was heard of them last, and the lines say so.
import { BROWSER, type Party } from '../carrier/carrier.ts';
import { carrierLine, legLine } from '../ledger/cost.ts';
import type { LedgerLine } from '../ledger/line.ts';
import type { PriceBook } from '../ledger/prices.ts';
import type { Database } from './database.ts';
import type { StoreEvent } from './events.ts';
import { applyEvents } from './queries/apply.ts';
import { medianLatency } from './turn-facts.ts';

/** Nobody was left to say more. */
const DIED = { reason: 'internal_error', by: 'us', result: 'failure', detail: 'the process died' } as const;

/** A leg that was let in is a begun minute. */
const BEGUN_SECONDS = 1;
/** Legs and streams of a call are numbered from it: should its process live after all, its own lines take the place of these. */
const FIRST = 1;

/**
 * Ends the calls of a process that is gone when they were last heard of: at their admission, a turn, a tool run or a line.
 * @param prices null: lines without a cost
 * @returns how many calls
 */
export async function endCalls(db: Database, node: string, prices: PriceBook | null): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const calls = await openCalls(tx, node);
    const events: StoreEvent[] = [];
    for (const call of calls) {
      const { call_id: callId, ...heard } = call;
      const lines = await tx.selectFrom('lines').select(['what', 'at_ms']).where('call_id', '=', callId).execute();
      const endedWallMs = Math.max(
        heard.admitted_ms,
        ...lines.map(({ at_ms: atMs }) => atMs),
        // Since the media started, which is not known, or the admission: it was no earlier.
        heard.admitted_ms + Math.max(heard.turn_ms ?? 0, heard.tool_ms ?? 0),
      );
      for (const line of carried(call, lines, endedWallMs, prices ?? NO_PRICES))
        events.push({ type: 'line.charged', callId, line });
      const turns = await tx.selectFrom('turns').select('facts').where('call_id', '=', callId).execute();
      events.push({
        ...{ type: 'call.ended', callId, mediaStartedWallMs: null, endedWallMs, ...DIED, quality: null },
        latencyMs: medianLatency(turns.map(({ facts }) => facts)),
        turnCount: turns.length,
      });
    }
    await applyEvents(tx, events);
    return calls.length;
  });
}

const openCalls = (db: Database, node: string) =>
  db
    .selectFrom('calls')
    .select(['call_id', 'carrier', 'direction', 'admitted_ms', 'from_kind', 'from_value', 'to_kind', 'to_value'])
    .select((eb) => [
      eb
        .selectFrom('turns')
        .whereRef('turns.call_id', '=', 'calls.call_id')
        .select(({ fn }) => fn.max('turns.at_ms').as('at'))
        .as('turn_ms'),
      eb
        .selectFrom('tools')
        .whereRef('tools.call_id', '=', 'calls.call_id')
        .select(({ fn }) => fn.max('tools.at_ms').as('at'))
        .as('tool_ms'),
    ])
    .where('node', '=', node)
    .where('ended_ms', 'is', null)
    .execute();

type OpenCall = Awaited<ReturnType<typeof openCalls>>[number];

/** The leg, and the media stream where something was said in it: both from the admission, which is their beginning at the earliest. */
function carried(
  call: OpenCall,
  lines: readonly { what: string; at_ms: number }[],
  atWallMs: number,
  prices: PriceBook,
): LedgerLine[] {
  if (call.carrier === BROWSER) return [];
  // Its process had charged the leg, and with it all streams, and died before it said that the call was over.
  if (lines.some(({ what }) => what === 'leg')) return [];
  const streams = lines.filter(({ what }) => what === 'media_stream').map(({ at_ms: endedMs }) => endedMs);
  const facts = { carrier: call.carrier, atWallMs, doubt: 'process_died' } as const;
  const since = (ms: number): number => Math.max(BEGUN_SECONDS, (atWallMs - ms) / 1_000);
  const leg = carrierLine(
    {
      ...{ ...facts, what: 'leg', source: `l${FIRST}`, seconds: since(call.admitted_ms) },
      line: legLine(
        call.direction === 'outbound' ? 'outbound' : 'inbound',
        party(call.from_kind, call.from_value),
        party(call.to_kind, call.to_value),
      ),
    },
    prices,
  );
  const wasHeard = call.turn_ms !== null || call.tool_ms !== null || lines.length > 0;
  if (!wasHeard) return [leg];
  const stream = carrierLine(
    {
      ...{ ...facts, what: 'media_stream', source: `l${FIRST + streams.length}`, line: 'media_stream' },
      // Of a caller who came back the earlier streams have their lines.
      seconds: since(Math.max(call.admitted_ms, ...streams)),
    },
    prices,
  );
  return [leg, stream];
}

/** A number that is forgotten is none. */
const party = (kind: string, value: string | null): Party => ({ kind: kind as Party['kind'], value: value ?? '' });

const NO_PRICES: PriceBook = { version: '', files: [], layers: [], shutdowns: new Map() };
