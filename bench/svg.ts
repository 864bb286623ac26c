// Charts as SVG text: bars and lines, with axes, legend and marked limits. On a white card with a thin edge, so that they
// read the same on a light and on a dark page. Pure.

/** A horizontal or vertical line at a value, such as an aim. */
export interface Limit {
  value: number;
  label: string;
}

export interface Bar {
  label: string;
  value: number;
  /** Smallest and largest of the rounds, drawn as a whisker. */
  least: number;
  most: number;
  color: string;
}

export interface BarChart {
  title: string;
  /** Lines under the title: what is shown, and where it was measured. */
  subtitles: readonly string[];
  /** Printed after each value. */
  unit: string;
  bars: readonly Bar[];
  limits: readonly Limit[];
}

export interface Series {
  label: string;
  color: string;
  points: readonly { x: number; y: number }[];
}

export interface LineChart {
  title: string;
  subtitles: readonly string[];
  x: { label: string; log: boolean };
  y: { label: string; log: boolean };
  series: readonly Series[];
  limits: readonly Limit[];
}

const WIDTH = 760;
const INK = '#1f2933';
const FAINT = '#6b7785';
const GRID = '#e3e8ee';
const LIMIT = '#b42318';
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

export const escapeXml = (text: string): string =>
  text.replace(
    /[&<>"']/g,
    (found) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' })[found] as string,
  );

/** Horizontal bars, one under the other, longest scale shared. */
export function barChart({ title, subtitles, unit, bars, limits }: BarChart): string {
  const left = 40 + 7.2 * Math.max(...bars.map(({ label }) => label.length));
  const right = WIDTH - 90;
  const rowHeight = 38;
  const top = headHeight(subtitles) + (limits.length > 0 ? 32 : 16);
  const bottom = top + bars.length * rowHeight;
  const most = Math.max(...bars.map((bar) => bar.most), ...limits.map(({ value }) => value)) * 1.05;
  const x = (value: number): number => left + (value / most) * (right - left);
  const rows = bars.flatMap(({ label, value, least, most: longest, color }, i) => {
    const middle = top + i * rowHeight + rowHeight / 2;
    return [
      text(left - 10, middle + 4, label, { anchor: 'end' }),
      `<rect x="${n(left)}" y="${n(middle - 11)}" width="${n(x(value) - left)}" height="22" rx="2" fill="${color}"/>`,
      line(x(least), middle, x(longest), middle, INK, 1.5),
      ...[least, longest].map((end) => line(x(end), middle - 5, x(end), middle + 5, INK, 1.5)),
      text(x(longest) + 8, middle + 4, `${value.toFixed(2)} ${unit}`, { weight: 600 }),
    ];
  });
  const aims = limits.flatMap(({ value, label }, i) => [
    line(x(value), top - 6, x(value), bottom, LIMIT, 1.2, '5 4'),
    // Two limits near each other are told on different sides.
    text(x(value) + (i % 2 === 0 && limits.length > 1 ? -4 : 4), top - 12, label, {
      fill: LIMIT,
      size: 11.5,
      anchor: i % 2 === 0 && limits.length > 1 ? 'end' : 'start',
    }),
  ]);
  return card(bottom + 26, title, subtitles, [line(left, top - 4, left, bottom, FAINT, 1), ...rows, ...aims]);
}

export function lineChart({ title, subtitles, x, y, series, limits }: LineChart): string {
  const head = headHeight(subtitles);
  const [left, right, top, bottom] = [74, WIDTH - 30, head + 60, head + 342];
  const points = series.flatMap((one) => one.points);
  const xs = scale(
    points.map((point) => point.x),
    x.log,
    left,
    right,
  );
  const ys = scale([...points.map((point) => point.y), ...limits.map(({ value }) => value)], y.log, bottom, top);
  // Sizes that were measured are the ticks of a logarithmic x axis: round numbers of calls.
  const xTicks = x.log ? [...new Set(points.map((point) => point.x))].sort((a, b) => a - b) : xs.ticks;
  return card(bottom + 58, title, subtitles, [
    ...ys.ticks.flatMap((value) => [
      line(left, ys.at(value), right, ys.at(value), GRID, 1),
      text(left - 8, ys.at(value) + 4, shortNumber(value), { anchor: 'end', fill: FAINT, size: 12 }),
    ]),
    ...xTicks.flatMap((value) => [
      line(xs.at(value), bottom, xs.at(value), bottom + 5, FAINT, 1),
      text(xs.at(value), bottom + 20, shortNumber(value), { anchor: 'middle', fill: FAINT, size: 12 }),
    ]),
    line(left, bottom, right, bottom, FAINT, 1),
    text((left + right) / 2, bottom + 42, x.label, { anchor: 'middle', fill: FAINT, size: 12 }),
    text(left - 50, top - 14, y.label, { fill: FAINT, size: 12 }),
    ...limits.flatMap(({ value, label }) => [
      line(left, ys.at(value), right, ys.at(value), LIMIT, 1.2, '5 4'),
      text(left + 6, ys.at(value) - 5, label, { fill: LIMIT, size: 11.5 }),
    ]),
    ...series.flatMap(({ color, points: own }) => [
      `<polyline fill="none" stroke="${color}" stroke-width="2.2" stroke-linejoin="round" points="${own.map((p) => `${n(xs.at(p.x))},${n(ys.at(p.y))}`).join(' ')}"/>`,
      // Few points were each measured; many are a curve.
      ...(own.length > 12
        ? []
        : own.map((p) => `<circle cx="${n(xs.at(p.x))}" cy="${n(ys.at(p.y))}" r="3.5" fill="${color}"/>`)),
    ]),
    ...legend(series, head + 20),
  ]);
}

/** From values to pixels, with the round values to be marked. */
export function scale(
  values: readonly number[],
  log: boolean,
  fromPx: number,
  toPx: number,
): { at: (value: number) => number; ticks: number[] } {
  const known = values.filter((value) => Number.isFinite(value) && (!log || value > 0));
  const most = Math.max(...known);
  const least = Math.min(...known, log ? most : 0);
  const ticks = log ? powers(least, most) : steps(least, most);
  const [low, high] = [Math.min(least, ticks[0] as number), Math.max(most, ticks.at(-1) as number)];
  const part = (value: number): number => {
    if (!log) return (value - low) / (high - low || 1);
    const clipped = Math.max(value, low);
    return Math.log(clipped / low) / (Math.log(high / low) || 1);
  };
  return { ticks, at: (value) => fromPx + part(value) * (toPx - fromPx) };
}

/** Round values that enclose the range: 1, 2 or 5 times a power of ten apart. */
function steps(least: number, most: number): number[] {
  const raw = (most - least || 1) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= raw) as number) * power;
  const first = Math.floor(least / step);
  const last = Math.ceil(most / step);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** 1, 2 and 5 times the powers of ten that enclose the range. */
function powers(least: number, most: number): number[] {
  const all: number[] = [];
  for (let exponent = Math.floor(Math.log10(least)); 10 ** exponent <= most * 10; exponent++)
    all.push(...[1, 2, 5].map((factor) => Number((factor * 10 ** exponent).toPrecision(6))));
  const first = all.findLastIndex((value) => value <= least);
  const last = all.findIndex((value) => value >= most);
  return all.slice(Math.max(0, first), last + 1);
}

function legend(series: readonly Series[], atY: number): string[] {
  let at = 28;
  return series.flatMap(({ label, color }) => {
    const drawn = [
      `<rect x="${n(at)}" y="${n(atY - 7)}" width="16" height="5" rx="2.5" fill="${color}"/>`,
      text(at + 22, atY, label, { size: 12.5 }),
    ];
    at += 46 + label.length * 7;
    return drawn;
  });
}

/** Where the title and its lines end. */
const headHeight = (subtitles: readonly string[]): number => 42 + subtitles.length * 18;

function card(height: number, title: string, subtitles: readonly string[], inside: readonly string[]): string {
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${n(height)}" viewBox="0 0 ${WIDTH} ${n(height)}" role="img" aria-label="${escapeXml([title, ...subtitles].join('. '))}" font-family="${FONT}">`,
    `<rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${n(height - 1)}" rx="8" fill="#ffffff" stroke="#c9d1da"/>`,
    text(28, 34, title, { size: 17, weight: 600 }),
    ...subtitles.map((subtitle, i) => text(28, 55 + i * 18, subtitle, { fill: FAINT, size: 12.5 })),
    ...inside,
    '</svg>',
  ].join('\n')}\n`;
}

interface TextStyle {
  anchor?: 'start' | 'middle' | 'end';
  fill?: string;
  size?: number;
  weight?: number;
}

const text = (x: number, y: number, words: string, style: TextStyle = {}): string => {
  const { anchor = 'start', fill = INK, size = 13, weight = 400 } = style;
  return `<text x="${n(x)}" y="${n(y)}" font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}" stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke">${escapeXml(words)}</text>`;
};

const line = (x1: number, y1: number, x2: number, y2: number, color: string, width: number, dashes = ''): string =>
  `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" stroke="${color}" stroke-width="${width}"${dashes === '' ? '' : ` stroke-dasharray="${dashes}"`}/>`;

/** A coordinate, to a tenth of a pixel. */
const n = (value: number): string => `${Math.round(value * 10) / 10}`;

const shortNumber = (value: number): string => `${Number(value.toPrecision(4))}`;
