// What the API tells of calls that are under way, and what an operator may do to one. The only source: the hub makes these,
// the page reads them, the OpenAPI description is made of them.
import { z } from 'zod';
import { count, moment, nanoUsd } from './common.ts';

/** Where a call stands, as an onlooker would say it. */
export const LIVE_STATES = [
  /** Let in; the media or the model is not there yet. */
  'connecting',
  /** Nobody speaks; it is the caller's turn. */
  'listening',
  'caller_speaking',
  /** The caller has finished, and hears nothing yet. */
  'thinking',
  /** The caller hears the agent. */
  'speaking',
  'tool',
  /** On the way to a person. */
  'transferring',
  'ending',
] as const;

export const liveCall = z.object({
  callId: z.string(),
  agent: z.string(),
  direction: z.string(),
  caller: z.string().describe('masked: the last two digits of a number, the kind of anything else'),
  called: z.string(),
  admittedWallMs: moment,
  mediaStartedWallMs: moment.nullable(),
  state: z.enum(LIVE_STATES),
  stateSinceWallMs: moment,
  costNanoUsd: nanoUsd.describe('nano-dollars so far'),
  unpricedLines: count.describe('when not 0, the cost is more'),
  last: z
    .object({ who: z.enum(['caller', 'agent']), text: z.string() })
    .nullable()
    .describe('the last words, cut'),
  turns: count,
  bargeIns: count,
  troubles: count.describe('sessions or media that were lost so far'),
  latencyMs: z.int().nullable().describe('of the latest answer, from the last sound of the caller to its first'),
  targets: z.array(z.string()).describe('whom this call may be handed over to'),
});
export type LiveCall = z.infer<typeof liveCall>;

/** One line of the running transcript; told again under the same number when it has grown or changed. */
export const liveEntry = z.object({
  entry: count,
  atMs: z.int().describe('since the media started'),
  kind: z.enum(['caller', 'agent', 'barge_in', 'tool', 'operator', 'trouble', 'transfer', 'hand_off', 'keys']),
  text: z.string().describe('what was said or happened; of a tool its name'),
  heard: z.string().nullable().describe("of the agent's words those heard; null: not known yet, or not the agent's"),
  unheard: z.string().nullable(),
  tool: z
    .object({
      arguments: z.string(),
      output: z.string().nullable(),
      status: z.string(),
      durationMs: z.int().nullable(),
    })
    .nullable(),
});
export type LiveEntry = z.infer<typeof liveEntry>;

export const serverFacts = z.object({
  node: z.string(),
  version: z.string(),
  startedWallMs: moment,
  wallMs: moment,
  live: count,
  maxConcurrentCalls: count,
  draining: z.boolean(),
  simulated: z.boolean().describe('the embedded simulator answers'),
  circuits: z.array(z.object({ name: z.string(), state: z.enum(['closed', 'open', 'half_open']) })),
  loopDelayMs: z.number().describe('p99 of late'),
  spentTodayNanoUsd: nanoUsd.nullable(),
  dayLimitNanoUsd: nanoUsd.nullable(),
  store: z.object({ state: z.enum(['ok', 'behind', 'full']), why: z.string(), lagMs: z.number() }),
});
export type ServerFacts = z.infer<typeof serverFacts>;

/** `GET /api/live`, and the `snapshot` of the event stream. */
export const liveSnapshot = z.object({ server: serverFacts, calls: z.array(liveCall) });
export type LiveSnapshot = z.infer<typeof liveSnapshot>;

/** Events of `GET /api/live/events`, by their names. Each has an id that a stream may be resumed behind. */
export const liveEvents = {
  snapshot: liveSnapshot,
  changed: z.object({ calls: z.array(liveCall), gone: z.array(z.string()) }),
  server: serverFacts,
};

/** Events of `GET /api/live/calls/:id/events`. */
export const liveCallEvents = {
  snapshot: z.object({ call: liveCall, entries: z.array(liveEntry) }),
  changed: z.object({ call: liveCall, entries: z.array(liveEntry).describe('new ones, and those that have changed') }),
  gone: z.object({ callId: z.string() }),
};

const MOST_SAID = 600;
const words = z
  .string()
  .trim()
  .min(1, `1 to ${MOST_SAID} characters`)
  .max(MOST_SAID, `1 to ${MOST_SAID} characters`)
  .regex(/^[^\0]*$/, `1 to ${MOST_SAID} characters`);

/** `POST /api/live/calls/:id/whisper` and `/say`. */
export const lineToSay = z.strictObject({ text: words });
/** `POST /api/live/calls/:id/transfer`. */
export const transferTo = z.strictObject({
  target: z.string().min(1).max(100).describe('a name out of the agent file'),
});
/** `POST /api/live/calls/:id/hang-up`. */
export const nothing = z.strictObject({});
