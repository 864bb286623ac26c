// Price files from disk to the price book, once at boot: those that are shipped, and an operator's own, whose entries win.
// Every fault of every file is told at once. Read synchronously: a few small files, before anything else runs.
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TrunklineError } from '../errors.ts';
import { checkYaml } from '../yaml/check.ts';
import { YamlSource } from '../yaml/source.ts';
import { type CarrierEntry, type ModelEntry, type PriceFileData, priceFileSchema } from './price-schema.ts';
import type { Dated, ModelPrice, PriceBook, PriceFile, PriceLayer } from './prices.ts';

const SHIPPED_DIR = fileURLToPath(new URL('../../prices', import.meta.url));
/** The folder that may be missing: nobody has asked for it. */
const STANDARD_DIR = 'prices';

/**
 * The shipped prices, and before them those of an operator's folder.
 * @param dir of the operator; may be the shipped one, and the standard one may be missing
 * @throws TrunklineError TRK_CONFIG with one line per fault: `file:line:column: path: what was expected (found …)`
 */
export function loadPrices(dir: string = STANDARD_DIR): PriceBook {
  const faults: string[] = [];
  const own = isShipped(dir) ? null : readLayer(dir, 'own', faults);
  const listed = readLayer(SHIPPED_DIR, 'shipped', faults);
  if (faults.length > 0)
    throw new TrunklineError(
      'TRK_CONFIG',
      `The price files have ${faults.length} fault${faults.length === 1 ? '' : 's'}:\n${faults.map((f) => `  ${f}`).join('\n')}`,
    );
  const read = [own, listed].filter((layer) => layer !== null);
  const files = read.flatMap((layer) => layer.files);
  return {
    version: files.map(({ version }) => version).join(', '),
    files,
    layers: read.map(({ models, lines }) => ({ models, lines })),
    // What an operator's file says comes last, so that it stands.
    shutdowns: new Map(read.toReversed().flatMap((layer) => [...layer.shutdowns])),
  };
}

let shipped: PriceBook | null = null;

/** The shipped book alone: for what has no configuration. */
export function shippedPrices(): PriceBook {
  shipped ??= loadPrices(SHIPPED_DIR);
  return shipped;
}

interface ReadLayer extends PriceLayer {
  files: PriceFile[];
  models: Map<string, Dated<ModelPrice>[]>;
  lines: Map<string, Dated<number>[]>;
  shutdowns: Map<string, string>;
}

function isShipped(dir: string): boolean {
  try {
    return realpathSync(dir) === realpathSync(SHIPPED_DIR);
  } catch {
    return false;
  }
}

/** One folder; null where it may be missing and is. */
function readLayer(dir: string, whose: 'own' | 'shipped', faults: string[]): ReadLayer | null {
  let names: string[];
  try {
    names = readdirSync(dir)
      .filter((name) => /^[^.].*\.ya?ml$/i.test(name))
      .sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' || dir !== STANDARD_DIR) faults.push(`${dir}: expected a folder of price files (${code})`);
    return null;
  }
  const layer: ReadLayer = { files: [], models: new Map(), lines: new Map(), shutdowns: new Map() };
  const periods = new Map<string, Period[]>();
  const sources: YamlSource[] = [];
  for (const name of names) {
    const shown = join(whose === 'shipped' ? STANDARD_DIR : dir, name);
    let text: string;
    try {
      text = readFileSync(join(dir, name), 'utf8');
    } catch (error) {
      faults.push(`${shown}:1:1: cannot be read (${(error as NodeJS.ErrnoException).code})`);
      continue;
    }
    const source = new YamlSource(name, shown, text);
    sources.push(source);
    const data = source.faults.length > 0 ? undefined : checkYaml(source, priceFileSchema);
    if (data)
      addFile(layer, data, whose === 'own' ? `${name} ${data.version} (own)` : `${name} ${data.version}`, {
        source,
        periods,
      });
  }
  faults.push(...sources.flatMap((source) => source.faults));
  for (const entries of [...layer.models.values(), ...layer.lines.values()])
    entries.sort((a, b) => a.fromMs - b.fromMs);
  return layer;
}

/** When an entry is in force, and where it stands. */
interface Period {
  fromMs: number;
  untilMs: number | null;
  where: string;
}

interface Place {
  source: YamlSource;
  /** Of every thing of this folder so far. */
  periods: Map<string, Period[]>;
}

function addFile(layer: ReadLayer, data: PriceFileData, version: string, { source, periods }: Place): void {
  layer.files.push({ name: source.file, version, asOfMs: midnight(data.as_of) });
  const add = <Price>(
    to: Map<string, Dated<Price>[]>,
    product: string,
    path: PropertyKey[],
    entry: { effective_from: string; effective_until?: string | undefined },
    price: Price,
  ): void => {
    const fromMs = midnight(entry.effective_from);
    const untilMs = entry.effective_until === undefined ? null : midnight(entry.effective_until);
    const period = { fromMs, untilMs, where: source.where([...path, 'effective_from']) };
    const others = periods.get(product) ?? [];
    checkPeriod(source, path, period, others);
    periods.set(product, [...others, period]);
    to.set(product, [...(to.get(product) ?? []), { price, fromMs, untilMs, version }]);
  };
  for (const [model, entries] of Object.entries(data.models ?? {}))
    for (const [i, entry] of entries.entries()) {
      if (entry.shutdown !== undefined) layer.shutdowns.set(model, entry.shutdown);
      const price = modelPriceOf(entry);
      if (price) add(layer.models, model, ['models', model, i], entry, price);
    }
  for (const [carrier, lines] of Object.entries(data.carriers ?? {}))
    for (const [line, entries] of Object.entries(lines as Record<string, CarrierEntry[] | undefined>))
      for (const [i, entry] of (entries ?? []).entries()) {
        const usd = entry.per_minute ?? entry.per_piece ?? 0;
        add(layer.lines, `${carrier}/${line}`, ['carriers', carrier, line, i], entry, nano(usd));
      }
}

/** Two prices of one thing at one time: nobody could say which is meant. */
function checkPeriod(source: YamlSource, path: PropertyKey[], period: Period, others: readonly Period[]): void {
  const { fromMs, untilMs } = period;
  if (untilMs !== null && untilMs <= fromMs)
    return source.fault([...path, 'effective_until'], 'expected a day after effective_from');
  // Without an end, an entry lasts until the next one begins.
  const overlaps = (a: Period, b: Period): boolean =>
    a.fromMs === b.fromMs || (a.fromMs < b.fromMs && a.untilMs !== null && b.fromMs < a.untilMs);
  const other = others.find((one) => overlaps(one, period) || overlaps(period, one));
  if (other)
    source.fault(
      [...path, 'effective_from'],
      `expected a time of its own; at that time the price at ${other.where} is in force`,
    );
}

function modelPriceOf({ text, audio, image, per_hour: perHour }: ModelEntry): ModelPrice | null {
  const byTokens = [text, audio, image].some((kind) => kind !== undefined);
  if (!byTokens && perHour === undefined) return null;
  return {
    tokens: byTokens ? { text: tokenPrice(text), audio: tokenPrice(audio), image: tokenPrice(image) } : null,
    nanoUsdPerHour: perHour === undefined ? null : nano(perHour),
  };
}

const tokenPrice = (usd: ModelEntry['text']) =>
  usd === undefined ? null : { fresh: perToken(usd.fresh), cached: perToken(usd.cached), out: perToken(usd.out) };

const nano = (usd: number): number => Math.round(usd * 1e9);
/** From dollars per million. */
const perToken = (usd: number): number => Math.round(usd * 1_000);
const midnight = (day: string): number => Date.parse(`${day}T00:00:00Z`);
