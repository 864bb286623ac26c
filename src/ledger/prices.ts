// The price book: list prices as data, each with its source and date. A later price is a new book, not an edit of this
// one: records name the book they were priced with. List prices are an upper estimate of a real bill.
//
// Money is whole nano-dollars (1 USD = 1,000,000,000). A price of N dollars per million tokens is N * 1000 nano-dollars a
// token, so every token price here is a whole number.

/** Where a price was read, and when it was true. */
export interface Priced {
  source: string;
  /** When it was true (ISO): the day, or the year where the source says no more. */
  asOf: string;
}

/** Nano-dollars per token of one modality; null = not sold. */
export interface ModalityPrice {
  fresh: number;
  cached: number;
  out: number;
}

/** What a model costs: by tokens, by time, or both where its usage comes in either form. */
export interface ModelPrice extends Priced {
  tokens: { text: ModalityPrice; audio: ModalityPrice; image: ModalityPrice } | null;
  /** Nano-dollars per hour of audio or of session. */
  nanoUsdPerHour: number | null;
  /** The day the vendor takes the model away (ISO); null = none announced. */
  shutdownOn: string | null;
}

/** What a carrier charges for a minute, begun minutes counting whole. */
export interface MinutePrice extends Priced {
  nanoUsdPerMinute: number;
}

/** What a carrier sells by the minute. */
export type CarrierLine = 'inbound_local' | 'inbound_toll_free' | 'sip' | 'app' | 'media_stream';

export interface PriceBook {
  version: string;
  currency: 'USD';
  models: Readonly<Record<string, ModelPrice>>;
  /** By carrier, then by what it sells. */
  carriers: Readonly<Record<string, Readonly<Partial<Record<CarrierLine, MinutePrice>>>>>;
}

const nano = (usd: number): number => Math.round(usd * 1e9);
/** From dollars per million tokens: fresh in, cached in, out. */
const perMillion = (fresh: number, cached: number, out: number): ModalityPrice => ({
  fresh: Math.round(fresh * 1_000),
  cached: Math.round(cached * 1_000),
  out: Math.round(out * 1_000),
});

const MODEL_PAGE: Priced = { source: 'developers.openai.com model page', asOf: '2026-11-20' };
const ASR_PAGE: Priced = { source: 'developers.openai.com pricing, transcription', asOf: '2026-11-20' };
const VOICE_PAGE: Priced = { source: 'twilio.com voice pricing, US', asOf: '2026-08-31' };

const realtime = (
  text: ModalityPrice,
  audio: ModalityPrice,
  image: ModalityPrice,
  shutdownOn: string | null = null,
): ModelPrice => ({ tokens: { text, audio, image }, nanoUsdPerHour: null, shutdownOn, ...MODEL_PAGE });

/** Transcription sells text and audio in, text out; nothing of it is cached. */
const transcription = (textIn: number, audioIn: number, textOut: number, shutdownOn: string): ModelPrice => ({
  tokens: {
    text: perMillion(textIn, textIn, textOut),
    audio: perMillion(audioIn, audioIn, 0),
    image: perMillion(0, 0, 0),
  },
  nanoUsdPerHour: null,
  shutdownOn,
  ...ASR_PAGE,
});

const byHour = (usdPerHour: number, from: Priced, shutdownOn: string | null = null): ModelPrice => ({
  tokens: null,
  nanoUsdPerHour: nano(usdPerHour),
  shutdownOn,
  ...from,
});

const byMinute = (usdPerMinute: number, from: Priced = VOICE_PAGE): MinutePrice => ({
  nanoUsdPerMinute: nano(usdPerMinute),
  ...from,
});

const FULL_AUDIO = perMillion(32, 0.4, 64);
const FULL_IMAGE = perMillion(5, 0.5, 0);
const MINI_TEXT = perMillion(0.6, 0.06, 2.4);
const MINI_AUDIO = perMillion(10, 0.3, 20);
const MINI_IMAGE = perMillion(0.8, 0.08, 0);

/** The book in force. */
export const PRICE_BOOK: PriceBook = {
  version: '2026-11-20',
  currency: 'USD',
  models: {
    'gpt-realtime-2.1': realtime(perMillion(4, 0.4, 24), FULL_AUDIO, FULL_IMAGE),
    'gpt-realtime-2.1-mini': realtime(MINI_TEXT, MINI_AUDIO, MINI_IMAGE),
    'gpt-realtime-2': realtime(perMillion(4, 0.4, 24), FULL_AUDIO, FULL_IMAGE),
    'gpt-realtime-1.5': realtime(perMillion(4, 0.4, 16), FULL_AUDIO, FULL_IMAGE),
    'gpt-realtime': realtime(perMillion(4, 0.4, 16), FULL_AUDIO, FULL_IMAGE, '2027-01-20'),
    'gpt-realtime-mini': realtime(MINI_TEXT, MINI_AUDIO, MINI_IMAGE, '2027-01-20'),
    'gpt-live-1': byHour(0.05 * 60, MODEL_PAGE),
    'gpt-realtime-translate': byHour(0.034 * 60, MODEL_PAGE),
    'gpt-realtime-whisper': byHour(0.017 * 60, MODEL_PAGE),
    'gpt-transcribe': byHour(0.27, ASR_PAGE),
    'gpt-4o-mini-transcribe': transcription(1.25, 3, 5, '2027-02-26'),
    'gpt-4o-transcribe': transcription(2.5, 6, 10, '2027-02-26'),
    'gpt-4o-transcribe-diarize': transcription(2.5, 6, 10, '2027-02-26'),
    'whisper-1': byHour(0.36, ASR_PAGE, '2027-02-26'),
  },
  carriers: {
    twilio: {
      inbound_local: byMinute(0.0085),
      inbound_toll_free: byMinute(0.022, { source: 'twilio.com support, US voice volume page', asOf: '2026' }),
      sip: byMinute(0.004),
      app: byMinute(0.004),
      media_stream: byMinute(0.0044),
    },
  },
};

/** A model's price; a dated snapshot (`gpt-realtime-2025-08-28`) costs what its family does. Null: not in the book. */
export function modelPrice(book: PriceBook, model: string): ModelPrice | null {
  const family = model.replace(/-\d{4}-\d{2}-\d{2}$/, '');
  for (const name of [model, family]) if (Object.hasOwn(book.models, name)) return book.models[name] ?? null;
  return null;
}

/** What a carrier charges for a kind of minute. Null: not in the book. */
export function minutePrice(book: PriceBook, carrier: string, line: CarrierLine): MinutePrice | null {
  const lines = Object.hasOwn(book.carriers, carrier) ? book.carriers[carrier] : undefined;
  return lines?.[line] ?? null;
}
