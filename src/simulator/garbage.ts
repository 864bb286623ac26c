// The broken frames of one session: which follow, replace or delay the good ones.
import type { Garbage } from './options.ts';

/** Bytes of a `huge` event. */
export const HUGE_BYTES = 16 * 1024 * 1024;

/** Turns each outgoing frame into the frames that are really sent. */
export class GarbageSender {
  #left: { garbage: Garbage; times: number }[];
  #heldBack: string | undefined;

  constructor(garbage: readonly Garbage[]) {
    this.#left = garbage.map((entry) => ({ garbage: entry, times: entry.times ?? 1 }));
  }

  /** What to send for a good frame of this event type. */
  frames(type: string, frame: string): (string | Buffer)[] {
    const sent: (string | Buffer)[] = [frame];
    if (this.#heldBack !== undefined) {
      sent.push(this.#heldBack);
      this.#heldBack = undefined;
    }
    for (const entry of this.#left) {
      if (entry.times <= 0 || entry.garbage.at !== type) continue;
      entry.times -= 1;
      if (entry.garbage.kind === 'out_of_order') {
        this.#heldBack = frame;
        sent.shift();
      } else if (entry.garbage.kind === 'nulls') sent[0] = withNulls(frame);
      else sent.push(brokenFrame(entry.garbage.kind, frame));
    }
    return sent;
  }
}

/** Fields that may be null without a meaning of their own (a null `conversation_id` has one: out of band). */
const OPTIONAL = new Set([
  ...['previous_item_id', 'metadata', 'usage', 'status_details', 'max_output_tokens'],
  ...['output_modalities', 'transcript', 'logprobs', 'param', 'code', 'tracing', 'prompt', 'include'],
  ...['noise_reduction', 'transcription', 'limit', 'remaining', 'reset_seconds'],
]);

const withNulls = (frame: string): string =>
  JSON.stringify(JSON.parse(frame), (key, value: unknown) => (OPTIONAL.has(key) ? null : value));

function brokenFrame(kind: Exclude<Garbage['kind'], 'out_of_order' | 'nulls'>, frame: string): string | Buffer {
  switch (kind) {
    case 'malformed_json':
      return frame.slice(0, Math.ceil(frame.length / 2));
    case 'not_an_object':
      return '[null]';
    case 'unknown_event':
      return '{"type":"response.thought.delta","event_id":"event_unknown","delta":{"deep":[1,null]}}';
    case 'duplicate':
      return frame;
    case 'bare':
      // The type alone, every field missing.
      return JSON.stringify({ type: (JSON.parse(frame) as { type: string }).type });
    case 'huge':
      return `{"type":"simulator.huge","event_id":"event_huge","padding":"${'x'.repeat(HUGE_BYTES)}"}`;
    case 'binary':
      return Buffer.from([0, 1, 2, 3, 0xff]);
  }
}
