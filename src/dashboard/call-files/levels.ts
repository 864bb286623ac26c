// The levels that a call's waveform is drawn of: measured on its recording, else drawn by its tape, else by its turns.
import type { Logger } from '../../log.ts';
import type { Store } from '../../store/store.ts';
import type { Levels } from '../schemas/timeline.ts';
import { audioFile } from './audio-file.ts';
import { BoundedCache } from './cache.ts';
import { audioLevels } from './levels-audio.ts';
import { openCallFile, type CallFileName, type OpenCallFile } from './open-file.ts';
import { spanLevels } from './spans.ts';
import { tapeSpans } from './tape-spans.ts';
import { turnSpans } from './turn-spans.ts';

const CACHE_BYTES = 8 * 1024 * 1024;
const BYTES_PER_BUCKET = 16;
/** Two are read at a time: reading takes a thread of the few that all files share. */
const AT_ONCE = 2;

export interface LevelsOptions {
  store: Pick<Store, 'ask'>;
  dataDir: string;
  log: Pick<Logger, 'warn'>;
}

export class LevelsReader {
  readonly #options: LevelsOptions;
  readonly #cache = new BoundedCache<Levels>(CACHE_BYTES);
  /** Those that are being computed: whoever asks for the same waits for the same. */
  readonly #underWay = new Map<string, Promise<Levels | null>>();
  #free = AT_ONCE;
  readonly #waiting: (() => void)[] = [];

  constructor(options: LevelsOptions) {
    this.#options = options;
  }

  /** Null: there is no such call. @throws TrunklineError TRK_STORE */
  async read(callId: string, buckets: number): Promise<Levels | null> {
    for (const name of ['audio.wav', 'tape.jsonl'] as const) {
      const levels = await this.#ofFile(callId, name, buckets).catch((err: NodeJS.ErrnoException) => {
        // A disk with a fault must not keep the rest of the call's page from being drawn.
        this.#options.log.warn({ callId, file: name, code: err.code }, 'a file of a call cannot be read');
        return null;
      });
      if (levels !== null) return levels;
    }
    return this.#ofTurns(callId, buckets);
  }

  async #ofTurns(callId: string, buckets: number): Promise<Levels | null> {
    const call = await this.#options.store.ask('readCall', { callId });
    return call === null ? null : spanLevels('turns', turnSpans(call), buckets);
  }

  async #ofFile(callId: string, name: CallFileName, buckets: number): Promise<Levels | null> {
    const file = await openCallFile(this.#options.dataDir, callId, name);
    if (file === null) return null;
    const key = `${callId}/${name}/${file.size}/${file.changedMs}/${buckets}`;
    const known = this.#cache.get(key) ?? this.#underWay.get(key);
    if (known !== undefined) {
      await file.handle.close();
      return known;
    }
    const computed = this.#inTurn(() => measured(file, name, buckets)).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, computed);
    const levels = await computed;
    if (levels !== null) this.#cache.keep(key, levels, levels.caller.length * BYTES_PER_BUCKET);
    return levels;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    // As many wait as there are requests, which the server bounds.
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** Null: nothing can be read from this file. Closes it. */
async function measured(file: OpenCallFile, name: CallFileName, buckets: number): Promise<Levels | null> {
  try {
    if (name === 'audio.wav') {
      const audio = await audioFile(file);
      return audio === null ? null : await audioLevels(file.handle, audio.size, buckets);
    }
    const spans = await tapeSpans(file.handle, file.size);
    return spans === null ? null : spanLevels('tape', spans, buckets);
  } finally {
    await file.handle.close();
  }
}
