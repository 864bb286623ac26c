// What happens in a simulated session, as tests wait for it.
import type { SimulatedItem } from './conversation.ts';
import type { Fault } from './fault.ts';
import type { SimulatedResponse } from './response.ts';
import type { SessionConfig } from './session-config.ts';

/** What `on` and `next` can wait for. */
export interface SessionEvents {
  /** Any client event but an append, refused ones included. */
  client_event: Record<string, unknown>;
  /** An append, by its length. */
  audio: { bytes: number; totalBytes: number };
  /** Any event sent. */
  server_event: Record<string, unknown>;
  /** The session configuration has changed. */
  updated: SessionConfig;
  speech_started: { itemId: string; audioStartMs: number };
  /** A caller turn is in the conversation. */
  committed: SimulatedItem;
  /** A response has been created. */
  response: SimulatedResponse;
  response_done: SimulatedResponse;
  truncated: SimulatedItem;
  /** An `error` event has been sent. */
  refusal: SentError;
  /** The script wanted what there is not. */
  script_fault: string;
  closed: { code: number; reason: string };
}

/** The content of an `error` event. */
export type SentError = Fault & { event_id: string | null };
