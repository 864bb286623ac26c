// The process at the model's end of a measurement: a Realtime server whose sessions follow the conversation's script.
import { seededRandom } from '../src/phone/seeded-random.ts';
import type { ModelBooks } from './books.ts';
import { Conversation, type Script } from './conversation.ts';
import { answerParent } from './end-process.ts';
import { ModelEnd } from './model-end.ts';
import type { ModelSession } from './model-session.ts';
import { CLOCK_ORIGIN_MS } from './shared-clock.ts';

export interface ModelPlan {
  tls: { certPem: string; keyPem: string } | null;
  /** On top of the wire, before a session opens. */
  handshakeMs: number;
  /** The model greets without being asked, for servers that do not ask. */
  greetsUnasked: boolean;
  /** How the calls go on after the greeting. */
  script: Script;
  /** Nothing but the greeting is said. */
  greetingOnly: boolean;
}

/** What the model's end can be asked. */
export interface ModelProcess {
  /** Returns the API root. */
  start(plan: ModelPlan): Promise<string>;
  /** Whether the lateness of deltas is noted. */
  measure(on: boolean): void;
  /** No further turns. */
  finish(): void;
  /** By session: the last millisecond that must reach the caller, null while the model speaks. */
  owed(): Map<number, number | null>;
  books(): ModelBooks;
  /** By session that was heard: the caller's line, and when the session was configured (shared clock). */
  ready(): { line: number; atMs: number }[];
}

const conversations = new Map<ModelSession, Conversation>();
const random = seededRandom(1);
let lateMs: number[] = [];
let measuring = false;
let end: ModelEnd | null = null;

function conversationOf(session: ModelSession, script: Script): Conversation {
  const known = conversations.get(session);
  if (known) return known;
  const made = new Conversation(session, script, random, (ms) => void (measuring && lateMs.push(ms)));
  conversations.set(session, made);
  return made;
}

answerParent<ModelProcess>({
  async start({ tls, handshakeMs, greetsUnasked, script, greetingOnly }) {
    end = await ModelEnd.start({
      tls,
      handshakeMs,
      ready(session) {
        const conversation = conversationOf(session, script);
        if (greetsUnasked) conversation.greet(null);
        if (!greetingOnly) conversation.begin();
      },
      asked: (session, metadata) => conversationOf(session, script).greet(metadata),
      heard: (session, atMs) => conversationOf(session, script).heard(atMs),
    });
    return end.origin;
  },
  measure(on) {
    measuring = on;
    if (on) lateMs = [];
  },
  finish() {
    for (const conversation of conversations.values()) conversation.finish();
  },
  owed: () => new Map([...conversations].map(([session, { owedMs }]) => [session.number, owedMs])),
  books: () => ({
    clockOriginMs: CLOCK_ORIGIN_MS,
    sessions: [...conversations.values()].map((conversation) => conversation.books()),
    lateMs: Float64Array.from(lateMs),
  }),
  ready: () =>
    (end?.sessions ?? []).flatMap(({ heard, readyAtMs }) =>
      heard.line === null || readyAtMs === null ? [] : [{ line: heard.line, atMs: CLOCK_ORIGIN_MS + readyAtMs }],
    ),
});
