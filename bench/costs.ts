// What a call costs, minute by minute, by the price book and the ledger that bill real calls: the table and the chart of
// docs/costs.md. Nothing is measured; the talk is the worked example (6 s of caller and 6 s of agent, turn by turn, a prompt of
// 1,500 tokens, 25 text tokens an answer). `--write` writes docs/measurements/costs.svg.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { carrierLine, usageLine } from '../src/ledger/cost.ts';
import { shippedPrices } from '../src/ledger/load-prices.ts';
import { Context, type ContextPiece } from '../src/simulator/context.ts';
import { callerTokens, producedTokens } from '../src/simulator/usage.ts';
import { lineChart, type Series } from './svg.ts';

const TURN_MS = 12_000;
const SPEECH_MS = 6_000;
const PROMPT_TOKENS = 1_500;
const TEXT_TOKENS = 25;
const MINUTES = 20;
const SHOWN = [1, 2, 5, 10, 20];

/** How much of the conversation is sent, and how much of it the model finds in its cache. */
interface Way {
  label: string;
  model: string | null;
  color: string;
  cached: boolean;
  /** Tokens behind the prompt that are kept at most, and the share that is kept when there are more; null = all. */
  kept: { limit: number; ratio: number } | null;
}

const STANDARD = { limit: 8_000, ratio: 0.8 };
const WAYS: readonly Way[] = [
  { label: 'nothing cached', model: 'gpt-realtime-2.1', color: '#b42318', cached: false, kept: null },
  {
    label: 'nothing cached, cut',
    model: 'gpt-realtime-2.1',
    color: '#e07a1f',
    cached: false,
    kept: STANDARD,
  },
  { label: 'cached', model: 'gpt-realtime-2.1', color: '#1d6fb8', cached: true, kept: null },
  {
    label: 'cached, cut',
    model: 'gpt-realtime-2.1',
    color: '#2a9d8f',
    cached: true,
    kept: STANDARD,
  },
  {
    label: 'mini, cached',
    model: 'gpt-realtime-2.1-mini',
    color: '#8a5cd1',
    cached: true,
    kept: STANDARD,
  },
  { label: 'carrier', model: null, color: '#64748b', cached: false, kept: null },
];

const book = shippedPrices();
const atWallMs = Date.parse('2026-11-21T12:00:00Z');

/** Dollars after each minute. */
function dollars({ model, cached: isCached, kept }: Way): number[] {
  const context = new Context();
  const pieces: ContextPiece[] = [{ id: 'prompt', key: 'prompt', text: PROMPT_TOKENS, audio: 0 }];
  const perMinute: number[] = [];
  let nano = 0;
  for (let turn = 1; turn <= (MINUTES * 60_000) / TURN_MS; turn++) {
    if (model !== null) {
      pieces.push({ id: `caller_${turn}`, key: `caller_${turn}`, text: 0, audio: callerTokens(SPEECH_MS) });
      const { all, cached } = context.read(pieces, kept ?? { limit: Number.POSITIVE_INFINITY, ratio: 1 });
      const out = { text: TEXT_TOKENS, audio: producedTokens(SPEECH_MS) };
      const { costNanoUsd } = usageLine(
        {
          ...{ source: `r${turn}`, what: 'answer', model, unit: 'tokens', imageIn: 0, cachedImageIn: 0 },
          ...{ textIn: all.text, audioIn: all.audio, textOut: out.text, audioOut: out.audio },
          cachedTextIn: isCached ? cached.text : 0,
          cachedAudioIn: isCached ? cached.audio : 0,
        },
        { seller: 'openai', atWallMs },
        book,
      );
      nano += costNanoUsd as number;
      pieces.push({ id: `agent_${turn}`, key: `agent_${turn}`, ...out });
    }
    const seconds = (turn * TURN_MS) / 1_000;
    if (seconds % 60 === 0) perMinute.push((nano + carried(seconds)) / 1e9);
  }
  return perMinute;
}

/** What the carrier charges by then: it is part of every call. */
function carried(seconds: number): number {
  const use = { source: '', carrier: 'twilio', atWallMs, seconds } as const;
  return (
    (carrierLine({ ...use, what: 'leg', line: 'inbound_local' }, book).costNanoUsd as number) +
    (carrierLine({ ...use, what: 'media_stream', line: 'media_stream' }, book).costNanoUsd as number)
  );
}

const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
const costs = WAYS.map((way) => ({ ...way, usd: dollars(way) }));
console.log(`| way | ${SHOWN.map((minute) => `${minute} min`).join(' | ')} | $/min at 10 |`);
console.log(`| --- | ${SHOWN.map(() => '---').join(' | ')} | --- |`);
for (const { label, usd } of costs) {
  const of = (minute: number): number => usd[minute - 1] as number;
  console.log(
    `| ${label} | ${SHOWN.map((minute) => of(minute).toFixed(3)).join(' | ')} | ${(of(10) / 10).toFixed(3)} |`,
  );
}
if (values.write) {
  const file = join(import.meta.dirname, '..', 'docs', 'measurements', 'costs.svg');
  writeFileSync(
    file,
    lineChart({
      title: 'What a call costs',
      subtitles: [
        'gpt-realtime-2.1 and its mini, carrier included; 6 s of speech each, in turn',
        'cut: at 8,000 tokens, to 6,400; the mini is cut too',
        `prices of ${book.version}`,
      ],
      x: { label: 'minutes of the call', log: false },
      y: { label: 'dollars', log: true },
      series: costs.map(
        ({ label, color, usd }): Series => ({
          ...{ label, color },
          points: usd.map((y, i) => ({ x: i + 1, y })),
        }),
      ),
      limits: [],
    }),
  );
  console.log(`written: ${file}`);
}
