// The list of calls as a table, and how much of the list it is. Pure.
import { type Column, plainText, table } from '../replay/text-layout.ts';
import type { CallSummary } from '../store/queries/calls.ts';
import { momentOf } from './days.ts';
import { sumText } from './money.ts';
import { partyText } from './parties.ts';

const COLUMNS: readonly Column[] = [
  { title: 'let in (UTC)' },
  { title: 'id' },
  { title: 'agent', shrinks: true, dropped: 1 },
  { title: 'caller' },
  { title: 'length', align: 'right', dropped: 2 },
  { title: 'ended' },
  { title: 'cost', align: 'right' },
];

/** Narrower screens get the beginnings of ids, then moments without year and seconds. */
const WHOLE_IDS_FROM = 120;
const WHOLE_MOMENTS_FROM = 95;
const SHORT_ID = 8;

export function callsTable(calls: readonly CallSummary[], numbers: boolean, columns: number): string[] {
  const rows = calls.map((call) => {
    const moment = momentOf(call.admittedWallMs);
    return [
      columns < WHOLE_MOMENTS_FROM ? moment.slice('2026-'.length, -':00'.length) : moment,
      columns < WHOLE_IDS_FROM ? call.callId.slice(0, SHORT_ID) : call.callId,
      plainText(call.agent),
      partyText(call.from, numbers),
      lengthText(call),
      call.reason ?? 'not ended',
      sumText(call.cost),
    ];
  });
  return table(COLUMNS, rows, columns);
}

/** How long the media was up, as `2:03`; from the admission where none came. */
export function lengthText({ admittedWallMs, mediaStartedWallMs, endedWallMs }: CallSummary): string {
  if (endedWallMs === null) return '-';
  const seconds = Math.round((endedWallMs - (mediaStartedWallMs ?? admittedWallMs)) / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
