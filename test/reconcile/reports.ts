// Doubles of the report APIs of OpenAI and Twilio over real HTTP on 127.0.0.1. They compute their answers from a plain list of
// what was sold, and know nothing of the product's code. Faults are asked for by the number of the request.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const ADMIN_KEY = 'sk-admin-test';
export const ACCOUNT = `AC${'0123456789abcdef'.repeat(2)}`;
export const TOKEN = 'twilio-token';

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** One answer or transcription as OpenAI counts it. Tokens: text fresh, cached, out; audio fresh, cached, out; image fresh, cached. */
export interface Sold {
  atMs: number;
  model: string;
  tokens: number[];
  /** Of a transcription; its tokens are in the costs only. */
  seconds: number | null;
}

export interface SoldCall {
  sid: string;
  endMs: number;
  seconds: number;
  /** Null: there is no price yet. */
  usd: number | null;
  status: string;
}

export interface SoldStream {
  /** The day on which Twilio counts it. */
  day: string;
  minutes: number;
}

/** All that both sellers sold, and at what price. */
export interface Market {
  sold: Sold[];
  calls: SoldCall[];
  streams: SoldStream[];
  /** Nano-dollars of a token (in the order of `tokens`), or of an hour. */
  tokenPrice: (model: string, day: string) => number[];
  hourPrice: (model: string, day: string) => number | null;
  /** Tokens of the day that are not charged, by item. */
  freeTokens: (model: string, day: string) => number[];
  /** Further items of the day: taxes. */
  extraItems: (day: string) => { name: string; usd: number }[];
  streamUsd: (day: string) => number;
  freeMinutes: (day: string) => number;
  extraRecords: (day: string) => { category: string; count: number; usage: number; usd: number }[];
}

export type Fault =
  | { status: number; headers?: Record<string, string>; body?: string }
  /** Ends the connection without an answer. */
  | 'cut'
  /** Answers with what was made of the right answer. */
  | ((answer: never) => unknown);

export interface Reports {
  openaiUrl: string;
  twilioUrl: string;
  /** Path and query of every request so far. */
  requests: string[];
  /** Requests that were being answered when another one came: must stay 0. */
  overlapping: number;
  /** What goes wrong, by number of the request, from 0. */
  faults: Map<number, Fault>;
  /** Results or buckets of one page. */
  pageSize: number;
  close(): Promise<void>;
}

const ITEM_NAMES = [
  'text, input',
  'text, cached input',
  'text, output',
  'audio, input',
  'audio, cached input',
  'audio, output',
  'image, input',
  'image, cached input',
];

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const add = (a: number[], b: readonly number[]): void => b.forEach((n, i) => (a[i] = (a[i] ?? 0) + n));

/** The market by hour and by day, summed once. */
class Books {
  readonly hours = new Map<number, Map<string, { requests: number; tokens: number[]; seconds: number | null }>>();
  readonly days = new Map<string, Map<string, { requests: number; tokens: number[]; seconds: number }>>();

  constructor(sold: readonly Sold[]) {
    for (const { atMs, model, tokens, seconds } of sold) {
      const hour = getOr(
        getOr(this.hours, Math.floor(atMs / HOUR), () => new Map()),
        model,
        () => ({
          requests: 0,
          tokens: Array<number>(8).fill(0),
          seconds: seconds === null ? null : 0,
        }),
      );
      const day = getOr(
        getOr(this.days, dayOf(atMs), () => new Map()),
        model,
        () => ({
          requests: 0,
          tokens: Array<number>(8).fill(0),
          seconds: 0,
        }),
      );
      for (const sum of [hour, day]) {
        sum.requests += 1;
        add(sum.tokens, tokens);
        if (sum.seconds !== null) sum.seconds += seconds ?? 0;
      }
    }
  }
}

function getOr<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

/** Serves both APIs until it is closed. */
export async function serveReports(market: Market): Promise<Reports> {
  let busy = 0;
  const books = new Books(market.sold);
  const calls = Map.groupBy(market.calls, ({ endMs }) => dayOf(endMs));
  const streams = Map.groupBy(market.streams, ({ day }) => day);
  const bySid = new Map(market.calls.map((call) => [call.sid, call]));
  const server: Server = createServer((request, response) => {
    const number = reports.requests.push(request.url ?? '') - 1;
    if (busy > 0) reports.overlapping += 1;
    busy += 1;
    response.on('close', () => (busy -= 1));
    const fault = reports.faults.get(number);
    if (fault === 'cut') return void request.socket.destroy();
    if (typeof fault === 'object') return void response.writeHead(fault.status, fault.headers).end(fault.body ?? '');
    const answer = answerTo(request, new URL(request.url ?? '', 'http://double'));
    const given = fault === undefined || answer.status !== 200 ? answer.body : fault(answer.body as never);
    send(response, answer.status, given);
  });
  const reports: Reports = {
    openaiUrl: '',
    twilioUrl: '',
    requests: [],
    overlapping: 0,
    faults: new Map(),
    pageSize: 1000,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function answerTo({ headers }: IncomingMessage, url: URL): { status: number; body: unknown } {
    const basic = `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}`;
    if (url.pathname.startsWith('/v1/')) {
      if (headers.authorization !== `Bearer ${ADMIN_KEY}`) return { status: 401, body: { error: { message: 'no' } } };
      return openai(url);
    }
    if (headers.authorization !== basic) return { status: 401, body: { code: 20003, message: 'Authenticate' } };
    return twilio(url);
  }

  function openai(url: URL): { status: number; body: unknown } {
    const from = Number(url.searchParams.get('start_time')) * 1000;
    const to = Number(url.searchParams.get('end_time')) * 1000;
    const first = Number((url.searchParams.get('page') ?? 'page_0').slice('page_'.length));
    const costs = url.pathname === '/v1/organization/costs';
    const expected = costs ? ['1d', 'line_item'] : ['1h', 'model'];
    if (url.searchParams.get('bucket_width') !== expected[0] || url.searchParams.get('group_by[]') !== expected[1])
      return { status: 400, body: { error: { message: 'unsupported query' } } };
    const step = costs ? DAY : HOUR;
    const limit = Math.min(Number(url.searchParams.get('limit')), costs ? 180 : 168, reports.pageSize);
    const starts: number[] = [];
    for (let at = from; at < to; at += step) starts.push(at);
    const data = starts.slice(first, first + limit).map((at) => ({
      object: 'bucket',
      start_time: at / 1000,
      end_time: (at + step) / 1000,
      results: costs ? costResults(dayOf(at)) : usageResults(at / HOUR, url.pathname.endsWith('/completions')),
    }));
    const more = first + limit < starts.length;
    return {
      status: 200,
      body: { object: 'page', data, has_more: more, next_page: more ? `page_${first + limit}` : null },
    };
  }

  function usageResults(hour: number, answers: boolean): object[] {
    const results: object[] = [];
    for (const [model, { requests, tokens, seconds }] of books.hours.get(hour) ?? []) {
      if ((seconds === null) !== answers) continue;
      const [
        text = 0,
        textCached = 0,
        textOut = 0,
        audio = 0,
        audioCached = 0,
        audioOut = 0,
        image = 0,
        imageCached = 0,
      ] = tokens;
      const grouped = { model, num_model_requests: requests, project_id: null, user_id: null, api_key_id: null };
      if (seconds !== null) {
        results.push({ object: 'organization.usage.audio_transcriptions.result', seconds, ...grouped });
        continue;
      }
      results.push({
        object: 'organization.usage.completions.result',
        input_tokens: text + textCached + audio + audioCached + image + imageCached,
        output_tokens: textOut + audioOut,
        input_cached_tokens: textCached + audioCached + imageCached,
        input_text_tokens: text,
        input_audio_tokens: audio,
        input_image_tokens: image,
        input_cached_text_tokens: textCached,
        input_cached_audio_tokens: audioCached,
        input_cached_image_tokens: imageCached,
        output_text_tokens: textOut,
        output_audio_tokens: audioOut,
        batch: null,
        ...grouped,
      });
    }
    return results;
  }

  function costResults(day: string): object[] {
    const results: object[] = [];
    const item = (name: string, usd: number, quantity: number | null, unit: string | null): void => {
      results.push({
        object: 'organization.costs.result',
        amount: { value: usd, currency: 'usd' },
        line_item: name,
        project_id: null,
        quantity,
        quantity_unit: unit,
      });
    };
    for (const [model, { tokens, seconds }] of books.days.get(day) ?? []) {
      const perHour = market.hourPrice(model, day);
      if (perHour !== null) {
        item(model, (seconds * perHour) / 3_600 / 1e9, seconds, 'duration_seconds');
        continue;
      }
      const prices = market.tokenPrice(model, day);
      const free = market.freeTokens(model, day);
      tokens.forEach((quantity, i) => {
        if (quantity === 0) return;
        const nano = (quantity - (free[i] ?? 0)) * (prices[i] ?? 0);
        item(`${model} ${ITEM_NAMES[i]}`, nano / 1e9, quantity, 'tokens');
      });
    }
    for (const { name, usd } of market.extraItems(day)) item(name, usd, null, null);
    return results;
  }

  function twilio(url: URL): { status: number; body: unknown } {
    const root = `/2010-04-01/Accounts/${ACCOUNT}`;
    const size = Math.min(Number(url.searchParams.get('PageSize') ?? 50), reports.pageSize);
    const page = Number(url.searchParams.get('Page') ?? 0);
    const paged = (all: readonly object[], name: string): { status: number; body: unknown } => {
      const more = (page + 1) * size < all.length;
      url.searchParams.set('Page', String(page + 1));
      const next = more ? url.pathname + url.search : null;
      return {
        status: 200,
        body: { page, page_size: size, [name]: all.slice(page * size, (page + 1) * size), next_page_uri: next },
      };
    };
    if (url.pathname === `${root}/Calls.json`) {
      const from = url.searchParams.get('EndTime>') ?? '';
      const to = url.searchParams.get('EndTime<') ?? '';
      const days = [from, to].filter((day, i, all) => all.indexOf(day) === i);
      return paged(
        days.flatMap((day) => (calls.get(day) ?? []).map(callBody)),
        'calls',
      );
    }
    if (url.pathname === `${root}/Usage/Records.json`) {
      const day = url.searchParams.get('StartDate') ?? '';
      if (url.searchParams.get('EndDate') !== day) return { status: 400, body: { code: 20001, message: 'one day' } };
      return paged(records(day), 'usage_records');
    }
    const sid = new RegExp(`^${root}/Calls/(CA[0-9a-f]{32})\\.json$`).exec(url.pathname)?.[1];
    const call = sid === undefined ? undefined : bySid.get(sid);
    if (call !== undefined) return { status: 200, body: callBody(call) };
    return { status: 404, body: { code: 20404, message: 'not found', status: 404 } };
  }

  const callBody = ({ sid, endMs, seconds, usd, status }: SoldCall): object => ({
    sid,
    account_sid: ACCOUNT,
    status,
    start_time: new Date(endMs - seconds * 1000).toUTCString(),
    end_time: new Date(endMs).toUTCString(),
    duration: String(seconds),
    price: usd === null ? null : (-usd).toFixed(5),
    price_unit: 'USD',
    direction: 'inbound',
  });

  function records(day: string): object[] {
    const all = streams.get(day) ?? [];
    const minutes = all.reduce((sum, stream) => sum + stream.minutes, 0);
    const usd = (minutes - market.freeMinutes(day)) * market.streamUsd(day);
    const record = (category: string, count: number, usage: number, price: number): object => ({
      account_sid: ACCOUNT,
      category,
      start_date: day,
      end_date: day,
      count: String(count),
      usage: String(usage),
      usage_unit: 'minutes',
      price: Number(price.toFixed(6)),
      price_unit: 'usd',
    });
    return [
      record('calls-media-stream-minutes', all.length, minutes, all.length === 0 ? 0 : usd),
      record('calls-inbound', calls.get(day)?.length ?? 0, 0, 0),
      record('totalprice', 0, 0, usd),
      ...market
        .extraRecords(day)
        .map(({ category, count, usage, usd: price }) => record(category, count, usage, price)),
    ];
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  reports.openaiUrl = `http://127.0.0.1:${port}/v1`;
  reports.twilioUrl = `http://127.0.0.1:${port}`;
  return reports;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (typeof body === 'string') return void response.writeHead(status, { 'content-type': 'text/html' }).end(body);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
