// Captions as rows of text: who speaks when in a gutter at the left, words wrapped beside it. Pure; colours are marks on
// rows that are already cut, so that they cannot disturb the widths.
import { styleText } from 'node:util';
import { callTime, fit, fitEnd, pad, plainText, seconds, widthOf, wrap } from '../replay/text-layout.ts';
import type { Caption } from './captions.ts';

/** What the terminal can do. */
export interface Surface {
  columns: number;
  colour: boolean;
  /** The last row may be written again and again; otherwise every row is written once. */
  rewrites: boolean;
}

type Style = Parameters<typeof styleText>[0];

/** The text in a colour or weight, or as it is. */
export const paint = (surface: Pick<Surface, 'colour'>, style: Style, text: string): string =>
  surface.colour && text !== '' ? styleText(style, text, { validateStream: false }) : text;

/** Wider rows are hard to read. */
const MAX_COLUMNS = 100;
/** Narrower terminals get a smaller gutter. */
const ROOMY_COLUMNS = 60;
const MIN_TEXT_COLUMNS = 16;
const TIME_COLUMNS = callTime(0).length;
const WHO_COLUMNS = 'barge-in'.length;

/** Columns that rows may take; one is left free, or a terminal would break the line. */
export const usableColumns = ({ columns }: Pick<Surface, 'columns'>): number => Math.min(MAX_COLUMNS, columns - 1);

interface Speaker {
  name: string;
  style: Style;
}

const SPEAKERS: Record<Caption['kind'], Speaker> = {
  answered: { name: 'call', style: 'dim' },
  agent: { name: 'agent', style: 'cyan' },
  caller: { name: 'caller', style: 'green' },
  interrupted: { name: 'barge-in', style: 'yellow' },
  tool: { name: 'tool', style: 'magenta' },
  ended: { name: 'end', style: 'dim' },
};

/** A caption's rows. Of one that grows, only the last row ever changes. */
export function captionRows(caption: Caption, surface: Surface): string[] {
  const { name, style } = speakerOf(caption);
  const margin = surface.columns < ROOMY_COLUMNS ? '' : '  ';
  const gap = margin || ' ';
  const gutter = margin.length + TIME_COLUMNS + gap.length + WHO_COLUMNS + gap.length;
  const width = Math.max(MIN_TEXT_COLUMNS, usableColumns(surface) - gutter);
  const head = `${margin}${paint(surface, 'dim', callTime(caption.atMs))}${gap}${paint(surface, style, pad(name, WHO_COLUMNS))}${gap}`;
  return lines(caption, width, surface).map((row, i) => `${i === 0 ? head : ' '.repeat(gutter)}${row}`.trimEnd());
}

function speakerOf(caption: Caption): Speaker {
  const speaker = SPEAKERS[caption.kind];
  return caption.kind === 'interrupted' && !caption.byCaller ? { ...speaker, name: 'stopped' } : speaker;
}

function lines(caption: Caption, width: number, surface: Surface): string[] {
  switch (caption.kind) {
    case 'answered':
      return painted(
        'dim',
        wrap(`answered; the media stream is up ${Math.round(caption.setupMs)} ms after the webhook`, width),
        surface,
      );
    case 'agent':
      return wrap(plainText(caption.words), Math.max(MIN_TEXT_COLUMNS, width - meterRoom(surface)));
    case 'caller':
      if (caption.words === null) return painted('dim', ['(speaks; no transcript came)'], surface);
      return painted('green', wrap(plainText(caption.words), width), surface);
    case 'interrupted':
      return interruption(caption, width, surface);
    case 'tool':
      return toolLines(caption, width, surface);
    case 'ended':
      return wrap(endText(caption.termination), width);
    default:
      return caption satisfies never;
  }
}

function interruption(caption: Extract<Caption, { kind: 'interrupted' }>, width: number, surface: Surface): string[] {
  const { byCaller, heard, neverHeard, heardMs, wholeMs } = caption;
  const who = byCaller ? 'The caller interrupts' : 'The agent is stopped';
  const first = wrap(
    `${who} after ${seconds(heardMs)} of ${seconds(wholeMs)}; the agent stops and knows where.`,
    width,
  );
  // Narrow terminals have the words below their label.
  const beside = width - LABEL_COLUMNS >= MIN_TEXT_COLUMNS;
  const indent = beside ? LABEL_COLUMNS : 0;
  const labelled = (label: string, rows: readonly string[], style: Style): string[] => {
    const left = paint(surface, 'yellow', pad(label, indent));
    const painted = rows.map((row, i) => (i === 0 && beside ? left : ' '.repeat(indent)) + paint(surface, style, row));
    return beside ? painted : [left, ...painted];
  };
  const heardRow = heard === '' ? '(nothing)' : fitEnd(plainText(heard), width - indent);
  return [
    ...painted(['yellow', 'bold'], first, surface),
    ...labelled('heard:', [heardRow], []),
    ...labelled('never heard:', wrap(plainText(neverHeard), width - indent), 'dim'),
  ];
}

const LABEL_COLUMNS = 'never heard: '.length;

function toolLines(caption: Extract<Caption, { kind: 'tool' }>, width: number, surface: Surface): string[] {
  const { name, status, output, durationMs } = caption;
  const asked = `${plainText(name)}(${jsonText(caption.arguments)})`;
  if (status === 'built_in') {
    const about = name === 'end_call' ? 'hangs up once the goodbye has been heard' : plainText(output ?? 'by the call');
    return painted('magenta', wrap(fit(`${asked}: ${about}`, MAX_TOOL_COLUMNS), width), surface);
  }
  const took = `${Math.max(1, Math.round(durationMs))} ms`;
  const answer = status === 'ok' && output !== null ? jsonText(output) : plainText(status || 'no answer');
  return painted('magenta', wrap(fit(`${asked} took ${took} → ${answer}`, MAX_TOOL_COLUMNS), width), surface);
}

const MAX_TOOL_COLUMNS = 300;

/** A flat JSON object as `key: value, …`; anything else as it is. */
function jsonText(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const parts = Object.entries(value).map(([key, v]) => `${key}: ${valueText(v)}`);
      return plainText(parts.join(', '));
    }
  } catch {
    // Models write what they like.
  }
  return plainText(text);
}

/** A list of objects as their number and the keys of the first: their text would fill the screen. */
function valueText(value: unknown): string {
  if (typeof value === 'string') return value;
  const first: unknown = Array.isArray(value) ? value[0] : null;
  if (typeof first !== 'object' || first === null) return JSON.stringify(value);
  return `${(value as unknown[]).length} of { ${Object.keys(first).join(', ')} }`;
}

function endText({ reason, by }: Extract<Caption, { kind: 'ended' }>['termination']): string {
  if (reason === 'agent_goodbye') return 'The caller has heard the goodbye; the agent hangs up (agent_goodbye).';
  return `The call is over: ${reason}, by the ${by === 'us' ? 'server' : by}.`;
}

const painted = (style: Style, rows: readonly string[], surface: Surface): string[] =>
  rows.map((row) => paint(surface, style, row));

/** Narrower terminals have no room for the meter. */
const METER_FROM_COLUMNS = 72;
const BAR_COLUMNS = 10;

/** Columns kept free beside words that are being said, for the meter and a gap. */
const meterRoom = ({ rewrites, columns }: Surface): number =>
  rewrites && columns >= METER_FROM_COLUMNS ? BAR_COLUMNS + ' 0:00  '.length : 0;

/** How far the call is, e.g. `━━━───────  0:12`; empty where there is no room. */
export function meter(elapsedMs: number, expectedMs: number, surface: Surface): string {
  if (meterRoom(surface) === 0) return '';
  const full = Math.min(BAR_COLUMNS, Math.floor((BAR_COLUMNS * elapsedMs) / expectedMs));
  const bar = paint(surface, 'cyan', '━'.repeat(full)) + paint(surface, 'dim', '─'.repeat(BAR_COLUMNS - full));
  const secondsSince = Math.floor(elapsedMs / 1000);
  const clock = `${Math.floor(secondsSince / 60)}:${String(secondsSince % 60).padStart(2, '0')}`;
  return `${bar} ${paint(surface, 'dim', clock)}`;
}

/** Columns of a row without its colours. */
export const shownWidth = (row: string): number => widthOf(row.replace(SGR, ''));

// oxlint-disable-next-line no-control-regex -- colours begin with ESC
const SGR = /\u001b\[[\d;]*m/g;
