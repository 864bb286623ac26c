// Draws a stretch of a call on a canvas: a ruler, the caller's levels above, the agent's below, bands behind them, tools and
// keys under them. One picture whatever the number of turns: no element of the document for any of them.
import { duration } from '../format.ts';
import { type Band, bandsWithin } from './bands.ts';
import { ticks, type ViewRange } from './view-range.ts';

export interface Strength {
  /** Where the first bucket begins. */
  fromMs: number;
  bucketMs: number;
  caller: ArrayLike<number>;
  agent: ArrayLike<number>;
}

export interface Colours {
  text: string;
  soft: string;
  line: string;
  back: string;
  caller: string;
  agent: string;
  bad: string;
  tool: string;
  warn: string;
}

export interface Picture {
  range: ViewRange;
  strength: Strength | null;
  bands: readonly Band[];
  longestBandMs: number;
  durationMs: number;
  colours: Colours;
}

const RULER = 20;
const LANE = 70;
const GAP = 6;
const STRIP = 22;
const CALLER_Y = RULER;
const AGENT_Y = RULER + LANE + GAP;
const STRIP_Y = AGENT_Y + LANE + GAP;
/** Pixels of the document. */
export const HEIGHT = STRIP_Y + STRIP;
const LABEL_EVERY = 90;
const FONT = '11px system-ui, sans-serif';

export function drawTimeline(canvas: HTMLCanvasElement, width: number, picture: Picture): void {
  const dots = Math.max(1, devicePixelRatio || 1);
  const [w, h] = [Math.round(width * dots), Math.round(HEIGHT * dots)];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  const draw = canvas.getContext('2d');
  if (draw === null || width <= 0) return;
  draw.setTransform(dots, 0, 0, dots, 0, 0);
  draw.clearRect(0, 0, width, HEIGHT);
  draw.font = FONT;
  draw.textBaseline = 'middle';
  const { range } = picture;
  const scale = width / (range.toMs - range.fromMs);
  const x = (ms: number): number => (ms - range.fromMs) * scale;
  const near = bandsWithin(picture.bands, picture.longestBandMs, range.fromMs, range.toMs);
  ruler(draw, width, picture, x);
  for (const band of near) behind(draw, band, x, picture.colours);
  if (picture.strength !== null) {
    levels(draw, width, CALLER_Y, picture.strength, 'caller', picture, scale);
    levels(draw, width, AGENT_Y, picture.strength, 'agent', picture, scale);
  }
  for (const band of near) before(draw, band, x, picture.colours);
  laneName(draw, 'Caller', CALLER_Y, picture.colours.caller, picture.colours.back);
  laneName(draw, 'Agent', AGENT_Y, picture.colours.agent, picture.colours.back);
}

type X = (ms: number) => number;

function ruler(draw: CanvasRenderingContext2D, width: number, { range, colours, durationMs }: Picture, x: X): void {
  draw.fillStyle = colours.line;
  draw.fillRect(0, CALLER_Y + LANE / 2, width, 1);
  draw.fillRect(0, AGENT_Y + LANE / 2, width, 1);
  for (const ms of ticks(range, LABEL_EVERY / width)) {
    const at = Math.round(x(ms));
    draw.fillStyle = colours.line;
    draw.fillRect(at, RULER - 6, 1, HEIGHT - RULER + 6);
    draw.fillStyle = colours.soft;
    const text = range.toMs - range.fromMs < 5_000 ? `${duration(ms)}.${(ms / 100) % 10}` : duration(ms);
    if (at + draw.measureText(text).width + 3 <= width || ms < durationMs) draw.fillText(text, at + 3, 8);
  }
}

/** What lies behind the levels. */
function behind(draw: CanvasRenderingContext2D, { kind, fromMs, toMs, label }: Band, x: X, colours: Colours): void {
  const [at, wide] = [x(fromMs), Math.max(1, x(toMs) - x(fromMs))];
  if (kind === 'caller' || kind === 'agent') {
    draw.globalAlpha = 0.16;
    draw.fillStyle = colours[kind];
    draw.fillRect(at, kind === 'caller' ? CALLER_Y : AGENT_Y, wide, LANE);
  } else if (kind === 'unheard') {
    draw.globalAlpha = 0.7;
    draw.strokeStyle = colours.bad;
    draw.setLineDash([3, 3]);
    draw.strokeRect(at + 0.5, AGENT_Y + 0.5, wide, LANE - 1);
    draw.setLineDash([]);
  } else if (kind === 'silence') {
    draw.globalAlpha = 0.13;
    draw.fillStyle = colours.warn;
    draw.fillRect(at, CALLER_Y, wide, AGENT_Y + LANE - CALLER_Y);
    draw.globalAlpha = 1;
    const text = draw.measureText(label).width;
    if (wide > text + 8) {
      draw.fillStyle = colours.soft;
      draw.fillText(label, at + (wide - text) / 2, CALLER_Y + LANE + GAP / 2);
    }
  }
  draw.globalAlpha = 1;
}

/** What lies over the levels, and under the lanes. */
function before(draw: CanvasRenderingContext2D, { kind, fromMs, toMs, label }: Band, x: X, colours: Colours): void {
  const at = x(fromMs);
  if (kind === 'barge_in') {
    draw.fillStyle = colours.bad;
    draw.fillRect(Math.round(at), CALLER_Y, 1.5, AGENT_Y + LANE - CALLER_Y);
    draw.beginPath();
    draw.moveTo(at - 4, CALLER_Y);
    draw.lineTo(at + 5, CALLER_Y);
    draw.lineTo(at + 0.5, CALLER_Y + 7);
    draw.fill();
  } else if (kind === 'tool') {
    const wide = Math.max(4, x(toMs) - at);
    draw.fillStyle = colours.tool;
    draw.fillRect(at, STRIP_Y + 2, wide, STRIP - 6);
    const text = draw.measureText(label).width;
    if (wide <= text + 8) return;
    draw.fillStyle = colours.back;
    draw.fillText(label, at + 4, STRIP_Y + STRIP / 2 - 1);
  } else if (kind === 'key') {
    draw.fillStyle = colours.warn;
    draw.fillRect(at - 3, STRIP_Y + STRIP / 2 - 4, 7, 7);
  }
}

function levels(
  draw: CanvasRenderingContext2D,
  width: number,
  top: number,
  strength: Strength,
  who: 'caller' | 'agent',
  { range, colours }: Picture,
  scale: number,
): void {
  const values = strength[who];
  const [middle, most] = [top + LANE / 2, LANE / 2 - 2];
  draw.fillStyle = colours[who];
  const bucketOf = (px: number): number => (range.fromMs + px / scale - strength.fromMs) / strength.bucketMs;
  for (let px = 0; px < width; px++) {
    const first = Math.floor(bucketOf(px));
    const last = Math.max(first, Math.ceil(bucketOf(px + 1)) - 1);
    let peak = 0;
    for (let i = Math.max(0, first); i <= last && i < values.length; i++) peak = Math.max(peak, values[i] as number);
    // Quiet speech is seen too: a telephone's levels are mostly small.
    const high = Math.min(1, peak) ** 0.7 * most;
    if (high >= 0.5) draw.fillRect(px, middle - high, 1, high * 2);
  }
}

function laneName(draw: CanvasRenderingContext2D, name: string, top: number, colour: string, back: string): void {
  draw.globalAlpha = 0.85;
  draw.fillStyle = back;
  draw.fillRect(4, top + 3, draw.measureText(name).width + 8, 15);
  draw.globalAlpha = 1;
  draw.fillStyle = colour;
  draw.fillText(name, 8, top + 11);
}
