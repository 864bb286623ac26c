// One line of a bill, and what its quantities and prices look like. Only types: everybody who shows, keeps or sums bills
// needs them.

/** Tokens of one modality. `fresh` and `cached` together are what went in. */
export interface TokenCount {
  fresh: number;
  cached: number;
  out: number;
}

export type Quantities =
  | { unit: 'tokens'; text: TokenCount; audio: TokenCount; image: TokenCount }
  | { unit: 'seconds'; seconds: number }
  /** `minutes` is `seconds` as the carrier rounds them. */
  | { unit: 'minutes'; seconds: number; minutes: number }
  /** Pieces: a message, a detection, a run of a tool. */
  | { unit: 'count'; count: number };

/** What one of each costs, in nano-dollars. Those of tokens and pieces are whole; so are hours and minutes. */
export type UnitPrice =
  | { per: 'token'; text: TokenPrice; audio: TokenPrice; image: TokenPrice }
  | { per: 'hour' | 'minute' | 'piece'; nanoUsd: number };

/** Nano-dollars per token of one modality. */
export interface TokenPrice {
  fresh: number;
  cached: number;
  out: number;
}

/** What is billed. */
export type Billed =
  | 'answer'
  | 'transcription'
  /** A session of a model that is sold by time. */
  | 'session'
  | 'leg'
  | 'media_stream'
  | 'recording'
  | 'message'
  | 'machine_detection'
  | 'tool';

/** Who sells it: `openai`, a carrier's name, or `tool` for what a tool's declaration names a price for. */
export type Seller = string;

export interface LedgerLine {
  /** The seller's id of the billed thing; with the call and `what` it names the line, which is charged once. */
  source: string;
  what: Billed;
  seller: Seller;
  /** The model, `carrier/line` for what a carrier sells, or the tool's name. */
  product: string;
  /** When it was charged, Unix milliseconds: it decides the day, and the price where prices change. */
  atWallMs: number;
  quantities: Quantities;
  /** Null = no price is known. */
  unitPrice: UnitPrice | null;
  /** Whole nano-dollars, rounded once; null = no price is known: never zero for that reason. */
  costNanoUsd: number | null;
  /** `metered`: the seller counted the quantities. `estimated`: we did. `billed`: the seller's report was seen. */
  state: 'estimated' | 'metered' | 'billed';
  /** The version of the price book that was used, with its date. */
  priceBook: string;
  /** Why the quantities, as they were reported, cannot be right, and what was made of them; null where nothing is odd. */
  doubt: string | null;
}
