// Very many calls at once, on paper: from what one call was measured to cost to machines, bandwidth, writes and money, and
// which bound comes first. Pure: equal figures give equal tables.
import { brief, whole } from './growth-report.ts';
import type { BenchResults } from './results.ts';
import type { Table } from './report.ts';
import { median } from './slope.ts';

/** What was measured of one call, of one process and of what is stored. */
export interface Measured {
  /** Everything on, TLS to the model, 100 calls. */
  cpuMsPerCallSecond: number;
  kibPerCall: number;
  /** A process without a call, resident. */
  idleMib: number;
  /** Calls of one process with p99 within 10 ms and nothing lost. */
  ratedCalls: number;
  tapeBytesPerMinute: number;
  wavBytesPerMinute: number;
  recordBytesPerTurn: number;
  /** Of a call of five minutes. */
  factsPerCall: number;
  rowsPerCall: number;
  journalBytesPerCall: number;
  databaseBytesPerCall: number;
  /** Of all threads of the process, SQLite included. */
  insertCpuMs: number;
}

/** US dollars per million tokens. */
export interface TokenPrices {
  text: { fresh: number; cached: number; out: number };
  audio: { fresh: number; cached: number; out: number };
}

/** From the shipped price list. */
export interface Prices {
  model: string;
  tokens: TokenPrices;
  usdPerCarrierMinute: number;
}

/** What nobody measured here. */
export const ASSUMED = {
  utilisation: 0.6,
  coresPerNode: 8,
  callMinutes: 5,
  turnsPerMinute: 3,
  agentSpeaks: 0.45,
  callerSpeaks: 0.35,
  /** The day's volume is that of so many hours at the full number. */
  fullHoursPerDay: 10,
  daysPerMonth: 30,
  daysKept: 30,
  usdPerCoreHour: 0.04,
  usdPerGbOut: 0.02,
  usdPerGbMonth: 0.08,
  promptTokens: 1_500,
  wordTokensPerTurn: 40,
  /** Of what an answer reads again; the last turn is always new. */
  cachedShare: 0.8,
} as const;

export type Assumed = { readonly [Name in keyof typeof ASSUMED]: number };

/** Tokens of a minute of speech (OpenAI: one per 100 ms of a caller's, one per 50 ms of the model's own). */
const CALLER_TOKENS_PER_MINUTE = 600;
const AGENT_TOKENS_PER_MINUTE = 1_200;

const FRAMES_PER_SECOND = 50;
const DELTAS_PER_SECOND = 5;
const AUDIO_BYTES_PER_SECOND = 8_000;
const base64Bytes = (bytes: number): number => 4 * Math.ceil(bytes / 3);
/** Around each message: the frame of the WebSocket, the record of TLS 1.3, the headers of TCP and IPv4. */
const WEBSOCKET = { toServer: 8, toClient: 4 };
const TLS = 22;
const PACKET = 52;
const SEGMENT = 1_448;
/** An acknowledgement for every second packet that nothing goes against. */
const ACKS_PER_SECOND = 25;

const id = (prefix: string, letters: number): string => `${prefix}${'x'.repeat(letters)}`;
const frame = 'x'.repeat(base64Bytes(160));
const delta = 'x'.repeat(base64Bytes(AUDIO_BYTES_PER_SECOND / DELTAS_PER_SECOND));

/** The messages as they go over the wire, without what is around them. */
const MESSAGES = {
  fromCarrier: JSON.stringify({
    ...{ event: 'media', sequenceNumber: '15000' },
    media: { track: 'inbound', chunk: '15000', timestamp: '300000', payload: frame },
    streamSid: id('MZ', 32),
  }),
  toCarrier: JSON.stringify({ event: 'media', streamSid: id('MZ', 32), media: { payload: delta } }),
  toModel: JSON.stringify({ type: 'input_audio_buffer.append', audio: frame }),
  fromModel: JSON.stringify({
    ...{ type: 'response.output_audio.delta', event_id: id('event_', 21), response_id: id('resp_', 21) },
    ...{ item_id: id('item_', 21), output_index: 0, content_index: 0, delta },
  }),
};

/** Bytes of a message on the network, by IP packets. */
function onWire(text: string, webSocket: number): number {
  const bytes = text.length + webSocket + TLS;
  return bytes + PACKET * Math.ceil(bytes / SEGMENT);
}

/** Bytes per second of one call, each way and side. */
export function bandwidthOf({ agentSpeaks }: Pick<Assumed, 'agentSpeaks'> = ASSUMED) {
  const acks = ACKS_PER_SECOND * PACKET;
  return {
    fromCarrier: FRAMES_PER_SECOND * onWire(MESSAGES.fromCarrier, WEBSOCKET.toServer),
    toCarrier: agentSpeaks * DELTAS_PER_SECOND * onWire(MESSAGES.toCarrier, WEBSOCKET.toClient) + acks,
    toModel: FRAMES_PER_SECOND * onWire(MESSAGES.toModel, WEBSOCKET.toServer),
    fromModel: agentSpeaks * DELTAS_PER_SECOND * onWire(MESSAGES.fromModel, WEBSOCKET.toClient) + acks,
  };
}

/** What one call of the assumed length reads and says at the model, and what that costs. */
export function modelUse(tokens: TokenPrices, assumed: Assumed = ASSUMED): { tokens: number; usd: number } {
  const { callMinutes, turnsPerMinute, promptTokens, wordTokensPerTurn, cachedShare } = assumed;
  const heard = (assumed.callerSpeaks * CALLER_TOKENS_PER_MINUTE) / turnsPerMinute;
  const said = (assumed.agentSpeaks * AGENT_TOKENS_PER_MINUTE) / turnsPerMinute;
  let [all, micro] = [0, 0];
  for (let before = 0; before < callMinutes * turnsPerMinute; before++) {
    const text = promptTokens + before * wordTokensPerTurn;
    const audio = before * (heard + said);
    const again = (kind: { fresh: number; cached: number }): number =>
      cachedShare * kind.cached + (1 - cachedShare) * kind.fresh;
    all += text + audio + heard + said + wordTokensPerTurn;
    micro += text * again(tokens.text) + audio * again(tokens.audio) + heard * tokens.audio.fresh;
    micro += said * tokens.audio.out + wordTokensPerTurn * tokens.text.out;
  }
  return { tokens: all, usd: micro / 1e6 };
}

/** The journal is flushed so often; each flush with facts in it is a transaction. */
const FLUSHES_PER_SECOND = 1_000 / 150;
const ENTRY_DAYS = 183;
/** Pool of a process (src/store/database.ts). */
const CONNECTIONS = 4;

export interface Fleet {
  calls: number;
  callsPerProcess: number;
  processes: number;
  nodes: number;
  cores: number;
  busyCores: number;
  memoryGib: number;
  gbitIn: number;
  gbitOut: number;
  newCallsPerSecond: number;
  rowWritesPerSecond: number;
  transactionsPerSecond: number;
  insertCores: number;
  databaseGbPerDay: number;
  connections: number;
  /** Without recordings, and with. */
  tbPerDay: number;
  recordedTbPerDay: number;
  entriesPerNode: number;
  modelTokensPerMinute: number;
  callsPerDay: number;
  usdPerMonth: { cores: number; out: number; disk: number; model: number; carrier: number };
}

/** So many calls at once. */
export function fleetOf(calls: number, m: Measured, prices: Prices, assumed: Assumed = ASSUMED): Fleet {
  const { utilisation, callMinutes, coresPerNode, turnsPerMinute, daysPerMonth, daysKept } = assumed;
  const perCpu = Math.floor((utilisation * 1_000) / m.cpuMsPerCallSecond);
  const callsPerProcess = Math.max(1, Math.min(perCpu, Math.floor(utilisation * m.ratedCalls)));
  const processes = Math.ceil(calls / callsPerProcess);
  const nodes = Math.ceil(processes / coresPerNode);
  const wire = bandwidthOf(assumed);
  const gbit = (bytesPerSecond: number): number => (calls * bytesPerSecond * 8) / 1e9;
  const newCallsPerSecond = calls / (callMinutes * 60);
  const callsPerDay = newCallsPerSecond * 3_600 * assumed.fullHoursPerDay;
  const use = modelUse(prices.tokens, assumed);
  const keptPerMinute = m.tapeBytesPerMinute + turnsPerMinute * m.recordBytesPerTurn;
  const tbOf = (perMinute: number): number => (callsPerDay * (callMinutes * perMinute + m.databaseBytesPerCall)) / 1e12;
  const recordedTbPerDay = tbOf(keptPerMinute + m.wavBytesPerMinute);
  const minutesPerMonth = callsPerDay * callMinutes * daysPerMonth;
  const outBytesPerMonth = (wire.toCarrier + wire.toModel) * 60 * minutesPerMonth;
  return {
    ...{ calls, callsPerProcess, processes, nodes, cores: nodes * coresPerNode },
    busyCores: (calls * m.cpuMsPerCallSecond) / 1_000,
    memoryGib: (calls * m.kibPerCall) / 2 ** 20 + (processes * m.idleMib) / 1_024,
    gbitIn: gbit(wire.fromCarrier + wire.fromModel),
    gbitOut: gbit(wire.toCarrier + wire.toModel),
    newCallsPerSecond,
    rowWritesPerSecond: newCallsPerSecond * m.factsPerCall,
    transactionsPerSecond: Math.min(newCallsPerSecond * m.factsPerCall, processes * FLUSHES_PER_SECOND),
    insertCores: (newCallsPerSecond * m.insertCpuMs) / 1_000,
    databaseGbPerDay: (callsPerDay * m.databaseBytesPerCall) / 1e9,
    connections: processes * CONNECTIONS,
    ...{ tbPerDay: tbOf(keptPerMinute), recordedTbPerDay },
    entriesPerNode: (callsPerDay * ENTRY_DAYS) / nodes,
    modelTokensPerMinute: (calls * use.tokens) / callMinutes,
    callsPerDay,
    usdPerMonth: {
      cores: nodes * coresPerNode * assumed.usdPerCoreHour * 24 * daysPerMonth,
      out: (outBytesPerMonth / 1e9) * assumed.usdPerGbOut,
      disk: recordedTbPerDay * 1_000 * daysKept * assumed.usdPerGbMonth,
      model: callsPerDay * daysPerMonth * use.usd,
      carrier: minutesPerMonth * prices.usdPerCarrierMinute,
    },
  };
}

/** A bound of others or of our own, and at how many calls at once it is reached. */
export interface Bound {
  what: string;
  value: string;
  calls: number;
}

/** The first comes first. */
export function boundsOf(m: Measured, prices: Prices, assumed: Assumed = ASSUMED): Bound[] {
  const { callMinutes } = assumed;
  const one = fleetOf(100_000, m, prices, assumed);
  const each = (perSecondOfAll: number): number => perSecondOfAll / one.calls;
  const seconds = callMinutes * 60;
  const bounds = [
    { what: 'Twilio: calls placed by REST, as an account begins', value: '1 a second', calls: seconds },
    { what: 'Twilio: calls placed by REST, with a business profile', value: '30 a second', calls: 30 * seconds },
    {
      what: 'OpenAI: tokens a minute of gpt-realtime, lowest published tier',
      value: '0.2 M',
      calls: 0.2e6 / each(one.modelTokensPerMinute),
    },
    {
      what: 'OpenAI: tokens a minute of gpt-realtime, highest published tier',
      value: '15 M',
      calls: 15e6 / each(one.modelTokensPerMinute),
    },
    {
      what: 'PostgreSQL as it is installed, every process with its whole pool',
      value: '100 connections',
      calls: Math.floor(100 / CONNECTIONS) * one.callsPerProcess,
    },
    { what: 'one writer, at the CPU that SQLite was measured with', value: '1 core', calls: 1 / each(one.insertCores) },
    {
      what: 'one proxy with a link in front of all nodes',
      value: '10 Gbit/s',
      calls: 10 / each(Math.max(one.gbitIn, one.gbitOut)),
    },
    { what: 'one NAT address, to one address of the model', value: '64,512 ports', calls: 64_512 },
    {
      what: 'one node, one process per core',
      value: `${assumed.coresPerNode} × ${one.callsPerProcess}`,
      calls: assumed.coresPerNode * one.callsPerProcess,
    },
  ];
  return bounds.toSorted((a, b) => a.calls - b.calls);
}

/** From bench.json and the figures of the growth run; null where one of them is missing. */
export function measuredOf(bench: BenchResults, figures: Readonly<Record<string, number>>): Measured | null {
  const name = 'trunkline';
  const summary = bench.tls?.summaries.find(({ subject }) => subject === name);
  const rating = bench.sweep?.ratings.find(({ subject }) => subject === name);
  const idle = bench.tls?.runs.filter(({ subject }) => subject === name).map(({ memory }) => memory.idleKib / 1_024);
  if (!summary || !rating || !idle) return null;
  const of = (figure: string): number => figures[figure] ?? Number.NaN;
  const measured = {
    cpuMsPerCallSecond: summary.cpuMsPerCallSecond,
    kibPerCall: summary.kibPerCall,
    idleMib: median(idle),
    ratedCalls: rating.calls,
    tapeBytesPerMinute: of('length_tape_bytes_per_minute'),
    wavBytesPerMinute: of('length_wav_bytes_per_minute'),
    recordBytesPerTurn: of('length_record_file_bytes_per_turn'),
    factsPerCall: of('call_facts'),
    rowsPerCall: of('call_rows'),
    journalBytesPerCall: of('call_journal_bytes'),
    databaseBytesPerCall: of('call_database_bytes'),
    insertCpuMs: of('call_insert_cpu_ms'),
  };
  return Object.values(measured).some(Number.isNaN) ? null : measured;
}

/** What is known of one call, what it comes to for many, what that costs, and what comes first. */
export function paperTables(m: Measured, prices: Prices, sizes: readonly number[]): Record<string, Table> {
  const fleets = sizes.map((calls) => fleetOf(calls, m, prices));
  const wire = bandwidthOf();
  const kbit = (bytes: number): string => brief((bytes * 8) / 1_000);
  const use = modelUse(prices.tokens);
  const row = (what: string, of: (fleet: Fleet) => string): string[] => [what, ...fleets.map(of)];
  const usd = (what: string, of: (each: Fleet['usdPerMonth']) => number): string[] =>
    row(what, ({ usdPerMonth }) => whole(of(usdPerMonth)));
  return {
    one: {
      title: 'One call',
      columns: ['what', 'figure', 'from'],
      rows: [
        ['CPU', `${brief(m.cpuMsPerCallSecond)} ms a second`, 'bench.json: trunkline, TLS, 100 calls'],
        ['memory', `${whole(m.kibPerCall)} KiB; a process without calls ${whole(m.idleMib)} MiB`, 'the same'],
        ['calls of a process', `${whole(m.ratedCalls)} held`, 'bench.json: p99 ≤ 10 ms, nothing lost'],
        [
          'from and to the carrier',
          `${kbit(wire.fromCarrier)} and ${kbit(wire.toCarrier)} kbit/s`,
          'sizes of messages, WebSocket, TLS, TCP/IP',
        ],
        ['to and from the model', `${kbit(wire.toModel)} and ${kbit(wire.fromModel)} kbit/s`, 'the same'],
        [
          'database',
          `${whole(m.factsPerCall)} facts, ${whole(m.rowsPerCall)} rows, ${brief(m.databaseBytesPerCall / 1_024)} KiB, ${brief(m.insertCpuMs)} ms of CPU`,
          `5 minutes, 15 turns, measured above`,
        ],
        ['journal', `${brief(m.journalBytesPerCall / 1_024)} KiB, deleted within a minute`, 'the same'],
        [
          'disk, an hour of call',
          `tape ${brief((m.tapeBytesPerMinute * 60) / 1e6)} MB, recording ${brief((m.wavBytesPerMinute * 60) / 1e6)} MB`,
          'measured above',
        ],
        [
          'model',
          `${whole(use.tokens)} tokens, ${use.usd.toFixed(2)} USD`,
          `5 minutes of ${prices.model}, price list and assumptions below`,
        ],
      ],
    },
    assumed: {
      title: 'Assumed',
      columns: ['what', 'value'],
      rows: [
        [
          'load of a process',
          `${ASSUMED.utilisation * 100} % of what it holds; ${ASSUMED.coresPerNode} cores a node, one process per core`,
        ],
        [
          'a call',
          `${ASSUMED.callMinutes} minutes, ${ASSUMED.turnsPerMinute} turns a minute; the agent speaks ${ASSUMED.agentSpeaks * 100} %, the caller ${ASSUMED.callerSpeaks * 100} % of the time`,
        ],
        [
          'a day',
          `${ASSUMED.fullHoursPerDay} hours with all these calls; ${ASSUMED.daysPerMonth} days a month; files kept ${ASSUMED.daysKept} days`,
        ],
        ['machines', `${ASSUMED.usdPerCoreHour} USD per core-hour with its memory, all day`],
        ['network', `${ASSUMED.usdPerGbOut} USD per GB out, nothing in and within the region`],
        ['disk', `${ASSUMED.usdPerGbMonth} USD per GB and month`],
        [
          'model',
          `prompt of ${whole(ASSUMED.promptTokens)} tokens, ${ASSUMED.cachedShare * 100} % of what is read again is cached, list price`,
        ],
        ['carrier', `${prices.usdPerCarrierMinute} USD a minute: inbound local and media stream, list price`],
      ],
    },
    fleet: {
      title: 'What they need',
      columns: ['calls at once', ...sizes.map(whole)],
      rows: [
        row('processes, of so many calls each', (f) => `${whole(f.processes)} of ${f.callsPerProcess}`),
        row('nodes, cores', (f) => `${whole(f.nodes)}, ${whole(f.cores)}`),
        row('cores that are busy', (f) => brief(f.busyCores)),
        row('memory, GiB', (f) => brief(f.memoryGib)),
        row('Gbit/s in, out', (f) => `${brief(f.gbitIn)}, ${brief(f.gbitOut)}`),
        row('new calls a second', (f) => brief(f.newCallsPerSecond)),
        row('rows written to the database a second', (f) => whole(f.rowWritesPerSecond)),
        row('transactions a second, at most', (f) => whole(f.transactionsPerSecond)),
        row('cores to take them in, as SQLite needs', (f) => brief(f.insertCores)),
        row('connections to the database, at most', (f) => whole(f.connections)),
        row('database, GB a day', (f) => brief(f.databaseGbPerDay)),
        row('disk, TB a day, without and with recordings', (f) => `${brief(f.tbPerDay)}, ${brief(f.recordedTbPerDay)}`),
        row('calls a day', (f) => whole(f.callsPerDay)),
        row('entries in one folder after half a year', (f) => whole(f.entriesPerNode)),
        row('tokens a minute at the model, M', (f) => brief(f.modelTokensPerMinute / 1e6)),
      ],
    },
    money: {
      title: 'What they cost, USD a month',
      columns: ['calls at once', ...sizes.map(whole)],
      rows: [
        usd('cores', ({ cores }) => cores),
        usd('network', ({ out }) => out),
        usd('disk, everything recorded', ({ disk }) => disk),
        usd('all of ours', ({ cores, out, disk }) => cores + out + disk),
        usd('carrier (Twilio)', ({ carrier }) => carrier),
        usd('model (OpenAI)', ({ model }) => model),
        row(
          'ours, of every dollar',
          ({ usdPerMonth: { cores, out, disk, model, carrier } }) =>
            `${(((cores + out + disk) / (cores + out + disk + model + carrier)) * 100).toFixed(2)} cents`,
        ),
      ],
    },
    bounds: {
      title: 'Which bound comes first',
      columns: ['bound', 'value', 'reached at so many calls at once'],
      rows: boundsOf(m, prices).map(({ what, value, calls }) => [what, value, whole(calls)]),
    },
  };
}
