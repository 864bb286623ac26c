// A data folder as the product leaves it, made with the product's own writers: call folders, entries, journal, database. Calls
// are told in a few words; every one has a recording, a tape, a record, an entry, turns, tools and lines of a bill.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeWav } from '../../src/audio/wav.ts';
import type { Party } from '../../src/carrier/carrier.ts';
import type { LedgerLine } from '../../src/ledger/line.ts';
import { CallFiles } from '../../src/privacy/call-files.ts';
import { Entries } from '../../src/privacy/entries.ts';
import type { CallRecord, ToolRecord, Turn } from '../../src/record/call-record.ts';
import { FileCallStore } from '../../src/record/file-store.ts';
import { writePrivateFile } from '../../src/record/private-file.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import type { Retention, StoreEvent } from '../../src/store/events.ts';
import { QUERIES } from '../../src/store/queries.ts';
import type { Store } from '../../src/store/store.ts';
import { CallFile } from '../../src/tape/call-file.ts';

export const DAY_MS = 24 * 3_600_000;
/** When the calls are let in that do not say it: 2026-01-01. */
export const ADMITTED_MS = Date.UTC(2026, 0, 1);
export const FOR_EVER: Retention = { audioDays: null, textDays: null, metadataDays: null };
/** The operator's own number, which everybody calls. */
export const DESK: Party = { kind: 'pstn', value: '+15550009999' };

export interface ToldCall {
  callId: string;
  /** A number, or any party. */
  from: string | Party;
  to?: string | Party;
  direction?: 'inbound' | 'outbound';
  admittedMs?: number;
  /** Null: it is live, or its process died. */
  endedMs?: number | null;
  retention?: Retention;
  /** What the caller says. */
  words?: string;
  voicemail?: boolean;
  /** False: the call is older than the database, or has no files any more. */
  inDatabase?: boolean;
  inFiles?: boolean;
}

const party = (of: string | Party): Party => (typeof of === 'string' ? { kind: 'pstn', value: of } : of);

export const carrierId = (callId: string): string => `CA${createHash('md5').update(callId).digest('hex')}`;

/** What the test calls cost: 2,500,000 nano-dollars each. */
const LINE: LedgerLine = {
  source: 'resp_1',
  what: 'answer',
  seller: 'openai',
  product: 'gpt-realtime-2.1',
  atWallMs: ADMITTED_MS,
  quantities: { unit: 'seconds', seconds: 10 },
  unitPrice: { per: 'hour', nanoUsd: 900_000_000 },
  costNanoUsd: 2_500_000,
  state: 'metered',
  priceBook: 'test 2026-01-01',
  doubt: null,
};

export class KeptFolder {
  readonly dataDir: string;
  readonly db: Database;
  readonly files: CallFiles;
  readonly entries: Entries;
  /** Asked directly what the worker thread would be asked. */
  readonly store: Pick<Store, 'ask' | 'settled' | 'close'>;
  closed = false;
  readonly #calls: FileCallStore;

  private constructor(dataDir: string, db: Database) {
    this.dataDir = dataDir;
    this.db = db;
    this.files = new CallFiles(dataDir);
    this.entries = new Entries(dataDir);
    this.#calls = new FileCallStore({ dataDir, log: { warn: () => {} } });
    this.store = {
      ask: (async (name: keyof typeof QUERIES, question: never) =>
        QUERIES[name](db, question)) as unknown as Store['ask'],
      settled: async () => {},
      close: async () => {
        this.closed = true;
      },
    };
  }

  static async make(place?: Parameters<typeof openDatabase>[0]): Promise<KeptFolder> {
    const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-privacy-'));
    return new KeptFolder(
      dataDir,
      await openDatabase(place ?? { engine: 'sqlite', path: join(dataDir, 'trunkline.sqlite') }),
    );
  }

  async remove(): Promise<void> {
    await this.db.destroy();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async keep(...calls: readonly ToldCall[]): Promise<void> {
    for (const told of calls) if (told.inFiles ?? true) await this.#keepFiles(told);
    const facts = calls.filter(({ inDatabase = true }) => inDatabase).flatMap(factsOf);
    // As the product does it: one commit for many facts.
    await this.db.transaction().execute((tx) => QUERIES.applyEvents(tx, facts));
  }

  path(...parts: string[]): string {
    return join(this.dataDir, ...parts);
  }

  entryPath(callId: string): string {
    return this.path('entries', `twilio-${carrierId(callId)}.json`);
  }

  /** Every file below the data folder but the database's, and what is in it. */
  snapshot(below = ''): Map<string, string> {
    const paths = readdirSync(join(this.dataDir, below), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('trunkline.sqlite'))
      .map((entry) => join(entry.parentPath, entry.name));
    return new Map(paths.sort().map((path) => [path, readFileSync(path, 'latin1')]));
  }

  /** Every file, the database's too, in which these bytes stand: a search that shares nothing with the product's. */
  filesWith(text: string): string[] {
    return readdirSync(this.dataDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => readFileSync(path).includes(text))
      .map((path) => path.slice(this.dataDir.length + 1));
  }

  /** All rows of a table as one text. */
  async rows(table: 'calls' | 'turns' | 'tools' | 'lines' | 'audit', callId?: string): Promise<string> {
    const all = this.db.selectFrom(table as 'calls').selectAll();
    return JSON.stringify(await (callId === undefined ? all : all.where('call_id', '=', callId)).execute());
  }

  async #keepFiles(told: ToldCall): Promise<void> {
    const { callId } = told;
    const record = recordOf(told);
    const words = told.words ?? 'where is my order';
    await mkdir(this.path('calls', callId), { recursive: true });
    await this.#file(callId, 'tape.jsonl', Buffer.from(`${JSON.stringify({ t: 1, session: { words } })}\n`));
    await this.#file(callId, 'audio.wav', writeWav([new Uint8Array(800), new Uint8Array(800)]));
    if (told.endedMs !== null)
      await writePrivateFile(this.path('calls', callId, 'record.json'), `${JSON.stringify(record)}\n`);
    await this.#calls.put({
      callId,
      ...{ carrier: 'twilio', carrierCallId: carrierId(callId), node: 'a'.repeat(12) },
      admittedWallMs: told.admittedMs ?? ADMITTED_MS,
      next: { do: 'hang_up' },
      termination: null,
      statuses: [],
      voicemail: told.voicemail ? { url: 'https://api.example.com/recording', seconds: 4 } : null,
    });
  }

  async #file(callId: string, name: string, bytes: Buffer): Promise<void> {
    const file = new CallFile({
      ...{ dataDir: this.dataDir, callId, name, maxPendingBytes: 1_000_000 },
      failed: (error) => {
        throw error;
      },
    });
    file.write(bytes, 0);
    await file.close();
  }

  /** A file where the product keeps none of that name. */
  async put(path: string, content: string | Buffer): Promise<void> {
    await mkdir(join(this.path(path), '..'), { recursive: true });
    await writeFile(this.path(path), content);
  }
}

function turnsOf({ words = 'where is my order' }: ToldCall): Turn[] {
  return [
    {
      who: 'caller',
      turn: 'item_1',
      speechStartAtMs: 1_000,
      speechStopAtMs: 2_000,
      committedAtMs: 2_010,
      transcript: words,
      latency: null,
    },
    {
      who: 'agent',
      utterance: 'u1',
      answer: 'resp_1',
      startAtMs: 2_500,
      soundAtMs: 2_600,
      outcome: 'interrupted',
      heardMs: 500,
      sentMs: 1_000,
      receivedMs: 1_000,
      text: 'It left on Monday.',
      heardText: 'It left',
      unheardText: 'on Monday.',
      whole: true,
    },
  ];
}

const TOOL: ToolRecord = {
  toolCall: 'call_1',
  name: 'find_order',
  atMs: 2_100,
  status: 'ok',
  durationMs: 20,
  arguments: '{"order":"4711"}',
  output: '{"left":"Monday"}',
};

/** Of the record what is read of it; its other fields stay as they are. */
function recordOf(told: ToldCall): Partial<CallRecord> {
  return {
    v: 1,
    callId: told.callId,
    ...{ carrier: 'twilio', carrierCallId: carrierId(told.callId), direction: told.direction ?? 'inbound' },
    from: party(told.from),
    to: party(told.to ?? DESK),
    sipHeaders: { 'X-Account': 'secret-account' },
    when: {
      admittedWallMs: told.admittedMs ?? ADMITTED_MS,
      mediaStartedWallMs: null,
      endedWallMs: null,
      closedWallMs: ADMITTED_MS,
    },
    turns: turnsOf(told),
    tools: [TOOL],
    keysPressed: 2,
  };
}

/** The facts of a call, as its server journals them. */
export function factsOf(told: ToldCall): StoreEvent[] {
  const { callId, admittedMs = ADMITTED_MS, endedMs = admittedMs + 60_000 } = told;
  return [
    {
      type: 'call.started',
      ...{ callId, atWallMs: admittedMs, carrier: 'twilio', carrierCallId: carrierId(callId) },
      ...{ direction: told.direction ?? 'inbound', from: party(told.from), to: party(told.to ?? DESK) },
      ...{ attestation: 'TN-Validation-Passed-A', agent: 'clinic', agentHash: 'h', model: 'gpt-realtime-2.1' },
      ...{ node: 'a'.repeat(12), retention: told.retention ?? FOR_EVER },
    },
    { type: 'line.charged', callId, line: { ...LINE, atWallMs: admittedMs } },
    ...turnsOf(told).map((said, turn): StoreEvent => ({ type: 'turn.kept', callId, turn, said })),
    { type: 'tool.kept', callId, tool: 0, run: TOOL },
    ...(endedMs === null
      ? []
      : [
          {
            ...({ type: 'call.ended', callId, mediaStartedWallMs: admittedMs + 500, endedWallMs: endedMs } as const),
            ...({ reason: 'caller_hung_up', by: 'caller', result: 'completed', detail: 'stop', quality: 97 } as const),
          },
        ]),
  ];
}
