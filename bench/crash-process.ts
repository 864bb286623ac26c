// The process that `crash-rounds.ts` kills: a store that takes usage so fast that its database is always at work. It says on its
// standard output how much it has taken that is on the disk, and nothing else.
import { writeSync } from 'node:fs';
import { realClock } from '../src/clock.ts';
import type { LedgerLine } from '../src/ledger/line.ts';
import { startStore } from '../src/store/start.ts';

const [dataDir = '', nodeId = '', databaseUrl = ''] = process.argv.slice(2);
const APPEND_EVERY_MS = 4;
const APPENDED_AT_ONCE = 30;
/** Small, so that segments are closed and deleted all the time. */
const SEGMENT_BYTES = 16 * 1024;
const NO_TOKENS = { fresh: 0, cached: 0, out: 0 };

const say = (text: string): void => void writeSync(1, `${text}\n`);
const log = { info() {}, warn() {}, error: (_fields: object, message: string) => say(`error ${message}`) };
const bounds = { segmentBytes: SEGMENT_BYTES };
const store = await startStore({
  ...{ dataDir, nodeId, clock: realClock, log, bounds },
  databaseUrl: databaseUrl === '' ? null : databaseUrl,
});
say('ready');

const line = (source: string): LedgerLine => ({
  ...{ source, what: 'answer', seller: 'openai', product: 'gpt-realtime-2.1', atWallMs: Date.now() },
  quantities: { unit: 'tokens', text: NO_TOKENS, audio: { ...NO_TOKENS, out: 1 }, image: NO_TOKENS },
  ...{ unitPrice: null, costNanoUsd: 64_000, state: 'metered', priceBook: 'bench', doubt: null },
});

let taken = 0;
let said = 0;
setInterval(() => {
  for (let i = 0; i < APPENDED_AT_ONCE; i++) {
    const source = `${nodeId}-${taken++}`;
    store.append({ type: 'line.charged', callId: nodeId, line: line(source) });
    // A fact that would be there twice if it were applied twice: a line has a key.
    store.append({ type: 'audited', atWallMs: Date.now(), actor: 'bench', action: 'crash', subject: source, note: '' });
  }
  // Two facts each, on the disk in the order they came.
  const flushed = Math.floor((2 * taken - store.health.unflushed) / 2);
  if (flushed > said) say(`flushed ${flushed}`);
  said = flushed;
}, APPEND_EVERY_MS);
