// One call on a page: what it was, what was said and heard, which tools ran, and its bill. Pure.
import { callTime, pad, plainText, seconds, table, widthOf, wrap } from '../replay/text-layout.ts';
import type { Bill } from '../store/queries/calls-bill.ts';
import type { KeptCall } from '../store/queries/calls.ts';
import type { KeptTool, KeptTurn } from '../store/queries/calls-words.ts';
import { billNotes, billTable, booksOf, sumsTable } from './bill-table.ts';
import { lengthText } from './calls-table.ts';
import { momentOf } from './days.ts';
import { NONE, perMinute, sumText } from './money.ts';
import { partyText } from './parties.ts';

export function callPage(call: KeptCall, bill: Bill, numbers: boolean, columns: number): string[] {
  const width = columns - INDENT.length;
  const section = (title: string, rows: readonly string[]) =>
    rows.length === 0 ? [] : ['', title, ...rows.map((row) => INDENT + row)];
  const books = booksOf(bill.lines);
  const lines = bill.lines.length === 0 ? ['nothing was charged'] : billTable(bill, width);
  const prices = books.length === 0 ? '' : ` (list prices of ${books.map(plainText).join(', ')})`;
  return [
    `Call ${call.callId}`,
    ...facts(call, numbers, width).map((row) => INDENT + row),
    ...section('Turns', turnRows(call.turns, width)),
    ...section('Tools', call.tools.length === 0 ? [] : toolTable(call.tools, width)),
    ...section(`Bill${prices}`, lines),
    ...(bill.lines.length === 0 ? [] : billNotes(bill, lines)).flatMap((note) =>
      wrap(note, width).map((row) => INDENT + row),
    ),
    ...section('Sums', bill.lines.length === 0 ? [] : sumsTable(bill, width)),
  ];
}

const INDENT = '  ';

function facts(call: KeptCall, numbers: boolean, width: number): string[] {
  const { admittedWallMs, mediaStartedWallMs, endedWallMs, cost } = call;
  const talkMs = mediaStartedWallMs === null || endedWallMs === null ? 0 : endedWallMs - mediaStartedWallMs;
  const each = perMinute(cost, talkMs);
  const setUp =
    mediaStartedWallMs === null ? 'no media came' : `media after ${seconds(mediaStartedWallMs - admittedWallMs)}`;
  const detail = call.detail ? ` (${plainText(call.detail)})` : '';
  const rows: [string, string][] = [
    ['agent', `${plainText(call.agent)} on ${plainText(call.model)}`],
    [
      'from, to',
      `${partyText(call.from, numbers)}, ${partyText(call.to, numbers)}${call.attestation === null ? '' : `, attested ${plainText(call.attestation)}`}`,
    ],
    ['carrier', `${plainText(call.carrier)} ${plainText(call.carrierCallId)}, ${call.direction}`],
    ['let in', `${momentOf(admittedWallMs)} UTC, ${setUp}`],
    ['length', lengthText(call)],
    [
      'ended',
      call.reason === null
        ? 'not yet, or its process died'
        : `${call.reason}, by the ${call.by === 'us' ? 'server' : call.by}: ${call.result}${detail}`,
    ],
    ['quality', call.quality === null ? NONE : `${call.quality} of 100`],
    ['cost', `${sumText(cost)}${each === null ? '' : `, ${sumText(each)} a minute`}`],
  ];
  return rows.flatMap(([name, value]) =>
    wrap(value, width - NAME_COLUMNS).map((row, i) => pad(i === 0 ? name : '', NAME_COLUMNS) + row),
  );
}

const NAME_COLUMNS = 'from, to  '.length;

/** Who said what; of the agent's words those that the caller never heard below. */
function turnRows(turns: readonly KeptTurn[], width: number): string[] {
  return turns.flatMap((turn) => {
    const head = `${callTime(turn.atMs ?? 0)}  ${pad(turn.who, WHO_COLUMNS)}  `;
    const beside = ' '.repeat(widthOf(head));
    const room = width - beside.length;
    return [
      ...wrap(heardWords(turn), room).map((row, i) => (i === 0 ? head : beside) + row),
      ...(turn.unheard ? wrap(`never heard: ${plainText(turn.unheard)}`, room).map((row) => beside + row) : []),
    ];
  });
}

const WHO_COLUMNS = 'caller'.length;

function heardWords({ said, heard, unheard, outcome }: KeptTurn): string {
  if (said === null) return '(no words are kept)';
  // A caller's words have nobody to miss them.
  if (heard === null) return plainText(said);
  if (heard === '') return said.trim() === '' ? '(no words)' : '(not heard)';
  // Words and sound may not match where it was stopped; then it is not known which were missed.
  const cut = unheard ? ' —' : outcome === 'heard' || outcome === null ? '' : ` (${outcome})`;
  return plainText(heard) + cut;
}

const toolTable = (tools: readonly KeptTool[], width: number): string[] =>
  table(
    [
      { title: 'at' },
      { title: 'tool' },
      { title: 'asked and answered', shrinks: true },
      { title: 'status' },
      { title: 'took', align: 'right' },
    ],
    tools.map(({ atMs, name, status, durationMs, arguments: asked, output }) => [
      callTime(atMs),
      plainText(name),
      plainText(output === null ? asked : `${asked} → ${output}`),
      plainText(status),
      durationMs === null ? NONE : `${Math.round(durationMs)} ms`,
    ]),
    width,
  );
