// The tables, as kysely sees them; `migrations.ts` makes them. Money is whole nano-dollars, times are Unix milliseconds,
// days are those of UTC as YYYY-MM-DD. Booleans do not exist; JSON is text.
import type { Generated, GeneratedAlways, Insertable } from 'kysely';

export interface CallsTable {
  /** Counts calls in the order in which they came into this database; never changes. */
  seq: Generated<number>;
  call_id: string;
  carrier: string;
  carrier_call_id: string;
  direction: string;
  agent: string;
  agent_hash: string;
  model: string;
  node: string;
  /** `pstn`, `sip`, `client` or `withheld`. */
  from_kind: string;
  /** Null once forgotten, or gone with the metadata. */
  from_value: string | null;
  to_kind: string;
  to_value: string | null;
  attestation: string | null;
  admitted_ms: number;
  /** Day of the admission. */
  day: string;
  media_started_ms: number | null;
  /** Null while the call lives, or where its process died. */
  ended_ms: number | null;
  reason: string | null;
  ended_by: string | null;
  result: string | null;
  detail: string | null;
  quality: number | null;
  /** When what is kept of it goes; null: never. */
  audio_until_ms: number | null;
  text_until_ms: number | null;
  metadata_until_ms: number | null;
  /** From the start of the media to the end; the database reckons it. */
  duration_ms: GeneratedAlways<number | null>;
  /** What its lines come to by the price book, how many they are, and how many have no price; triggers keep them. */
  cost_nano_usd: Generated<number>;
  line_count: Generated<number>;
  unpriced_lines: Generated<number>;
  /** Median of the answered turns, voice to voice. */
  latency_ms: number | null;
  /** What the call was about; null: nothing was noted. Goes with the metadata. */
  disposition: string | null;
  turn_count: number | null;
  barge_ins: number | null;
}

/** A call as it is written; what is left out is null, nothing, or made by the database. */
export type CallRow = Insertable<CallsTable>;

export interface TurnsTable {
  call_id: string;
  turn: number;
  /** `caller` or `agent`. */
  who: string;
  /** Since the media started, or the admission. */
  at_ms: number | null;
  /** All that was said; null where no words are known. */
  said: string | null;
  /** What the caller heard of it; of the caller's own words: null. */
  heard: string | null;
  /** The whole turn of the record, JSON. */
  facts: string;
}

export interface ToolsTable {
  call_id: string;
  tool: number;
  tool_call: string;
  name: string;
  status: string;
  at_ms: number;
  duration_ms: number | null;
  arguments: string;
  output: string | null;
}

/** Lines of bills. One row per billable event: unique by call_id, what, source. */
export interface LinesTable {
  call_id: string;
  what: string;
  source: string;
  /** `openai`, `twilio`, `tool`. */
  seller: string;
  /** The model, or `carrier/line`, or the tool's name. */
  product: string;
  at_ms: number;
  day: string;
  /** `estimated`, `metered`, `billed`. */
  state: string;
  /** `tokens`, `seconds`, `minutes`, `count`. */
  unit: string;
  text_fresh: number;
  text_cached: number;
  text_out: number;
  audio_fresh: number;
  audio_cached: number;
  audio_out: number;
  image_fresh: number;
  image_cached: number;
  /** Of what is sold by time; whole milliseconds. */
  duration_ms: number;
  /** Minutes as the carrier rounds them; how many of what is sold by the piece. */
  pieces: number;
  /** JSON of `UnitPrice`; null: unknown. */
  unit_price: string | null;
  /** Null: no price is known. */
  cost_nano_usd: number | null;
  price_book: string;
  /** Why the quantities are doubted; null: they are not. */
  doubt: string | null;
  /** What the seller says it cost; null: not reconciled. */
  billed_nano_usd: number | null;
}

/** What a seller's report says beyond, or short of, our lines, with its cause. */
export interface ResiduesTable {
  day: string;
  seller: string;
  product: string;
  /** `price_change`, `free_tier`, `tax`, `clock_boundary`, `lost_event`, `unknown`, … */
  cause: string;
  /** The report less our lines: negative where the seller charges less. */
  nano_usd: number;
  /** How much of the report by this cause no line of the day bears: Σ billed_nano_usd + Σ beside_nano_usd = the report. */
  beside_nano_usd: number;
  note: string;
}

/** How far a day's reconciliation with one seller has come. */
export interface ReconciliationsTable {
  day: string;
  seller: string;
  /** `open`: its reports are being read, or some lines have no price yet; `done`. */
  state: string;
  /** JSON of the page or step to go on from; null: from the start. */
  cursor: string | null;
  ours_nano_usd: number;
  reported_nano_usd: number | null;
  changed_ms: number;
}

export interface AuditTable {
  id: Generated<number>;
  at_ms: number;
  actor: string;
  action: string;
  subject: string;
  note: string;
}

/** Agent files as they were when calls were answered by them. */
export interface AgentFilesTable {
  /** What calls name it by (`agent_hash`). */
  hash: string;
  name: string;
  file: string;
  text: string;
  /** When it was first known. */
  first_ms: number;
}

/** Up to where each journal was taken in; moved in the transaction that takes in what lies before it. */
export interface JournalsTable {
  journal: string;
  segment: number;
  offset: number;
}

export interface Tables {
  calls: CallsTable;
  turns: TurnsTable;
  tools: ToolsTable;
  lines: LinesTable;
  residues: ResiduesTable;
  reconciliations: ReconciliationsTable;
  audit: AuditTable;
  agent_files: AgentFilesTable;
  journals: JournalsTable;
}
