// What the demo says after the call: what was heard, how quick the answers were, what it would have cost, what was kept,
// and what to try next. Pure.
import { basename, join } from 'node:path';
import type { CallRecord } from '../record/call-record.ts';
import type { CheckedStop } from '../replay/buffer-check.ts';
import type { FoldResult } from '../replay/fold.ts';
import { bargeInLines, costTable, foldText, turnTable } from '../replay/report.ts';
import { fit, pad, widthOf, wrap } from '../replay/text-layout.ts';
import { paint, type Surface, usableColumns } from './caption-text.ts';

export interface Summary {
  record: CallRecord;
  /** Each stop, as the server and the phone counted it. */
  stops: readonly CheckedStop[];
  /** The call's folder as the reader would type it, and what lies in it. */
  folder: string;
  files: readonly string[];
  /** The tape folded again; or why it could not be. */
  fold: { result: FoldResult; tookMs: number } | string;
  /** Faults that the phone found. */
  warnings: readonly string[];
}

const ABOUT_FILES: Record<string, string> = {
  'record.json': 'who said and heard what, latencies, tools, the bill',
  'audio.wav': 'both sides in stereo, caller left, agent right, as heard',
  'tape.jsonl': 'everything that came in and every decision',
};

/** Everything after the call, line by line. */
export function summaryLines(summary: Summary, surface: Surface): string[] {
  const { record, stops, folder, files, fold, warnings } = summary;
  const width = usableColumns(surface) - INDENT.length;
  const title = (text: string) => ['', paint(surface, 'bold', text)];
  const note = (text: string) => wrap(text, width).map((row) => INDENT + paint(surface, 'dim', row));
  const rows = (lines: readonly string[]) =>
    lines.map((line, i) => INDENT + (i === 0 ? paint(surface, 'dim', line) : line));
  const texts = (lines: readonly string[]) => lines.flatMap((line) => wrap(line, width).map((row) => INDENT + row));

  const same = typeof fold !== 'string' && fold.result.identical;
  const folded = typeof fold === 'string' ? fold : foldText(fold.result, fold.tookMs);
  return [
    ...title('Turns'),
    ...rows(turnTable(record, width)),
    ...note(LATENCY_NOTE),
    ...(stops.length > 0 ? [...title('Barge-in'), ...texts(bargeInLines(record, stops))] : []),
    ...title(`What it would cost (prices of ${record.cost.priceBook})`),
    ...rows(costTable(record, width)),
    ...note(COST_NOTE),
    ...title(`Kept in ${folder}`),
    ...files.map(
      (file) =>
        `${INDENT}${pad(file, FILE_COLUMNS)}${paint(surface, 'dim', fit(ABOUT_FILES[file] ?? '', width - FILE_COLUMNS))}`,
    ),
    ...title('Replayed from its tape'),
    ...folded
      .split('\n')
      .flatMap((line) => (same ? wrap(line, width) : [line]))
      .map((line) => INDENT + paint(surface, same ? 'green' : 'red', line)),
    ...(warnings.length > 0 ? [...title('The phone complains'), ...texts(warnings)] : []),
  ];
}

const LATENCY_NOTE =
  'In ms. wait: silence until the turn counts as over (set in the agent file). model: until its first sound, here the ' +
  "simulator's fixed 100 ms; a real model takes longer. us: through Trunkline. voice to voice: as the caller hears it.";

const COST_NOTE =
  "Nothing was billed. The usage is the simulator's, counted the way the real API counts it. metered: the seller counted; " +
  'estimated: Trunkline did.';

const INDENT = '  ';

const FILE_COLUMNS = 'record.json  '.length;

/** What a newcomer may try now. */
/** @param link an address that lets one person in to the page, once */
export function nextLines(
  { origin, folder, link }: { origin: string; folder: string | null; link: string },
  surface: Surface,
): string[] {
  const suggestions: [string, string][] = [
    ...(folder === null
      ? []
      : ([
          [`npx trunkline replay ${join(folder, 'tape.jsonl')}`, 'decide this call again'],
          // The first characters of an id are enough.
          [`npx trunkline calls show ${basename(folder).slice(0, 8)}`, 'its words, tools and bill, from the database'],
        ] as [string, string][])),
    ['npx trunkline replay YOUR.wav', 'call with audio of your own (8 kHz mu-law)'],
    ['agents/clinic/', 'the agent and its clinic; edit greeting, voice, instructions, tools'],
    ['npm start', 'the same server; with OPENAI_API_KEY in .env a real model answers,'],
    ['', 'with TWILIO_AUTH_TOKEN and PUBLIC_URL real callers reach it'],
  ];
  const width = usableColumns(surface) - INDENT.length;
  return [
    '',
    paint(surface, 'bold', 'Try next'),
    ...suggestions.flatMap(([command, about]) => {
      const left = pad(command, COMMAND_COLUMNS);
      if (widthOf(left) + 2 + widthOf(about) <= width)
        return [`${INDENT}${paint(surface, 'cyan', left)}  ${paint(surface, 'dim', about)}`];
      const below = wrap(about, width - INDENT.length).map((row) => INDENT + INDENT + paint(surface, 'dim', row));
      return [...(command === '' ? [] : [INDENT + paint(surface, 'cyan', command)]), ...below];
    }),
    '',
    `The server is up at ${paint(surface, 'bold', origin)}, with /readyz, /metrics and /api. Ctrl-C stops it.`,
    '',
    paint(surface, 'bold', 'See this call in your browser, then talk to the agent yourself (Phone)'),
    // On a line of its own and unbroken, so that a terminal makes it a link.
    `  ${paint(surface, 'cyan', link)}`,
    paint(surface, 'dim', '  This link lets one person in, once, within the half hour.'),
  ];
}

const COMMAND_COLUMNS = 'npx trunkline replay YOUR.wav'.length;
