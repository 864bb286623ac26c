// What the bench has to know of a server that it measures: how it is started as a process, how a call reaches it, and what
// it does not do. The relay, Trunkline and the neighbours are described in these words; the load is the same for all.

/** What a subject is told when it is started. */
export interface SubjectSetting {
  /** API root of the model, `http://127.0.0.1:4000/v1` or `https://127.0.0.1:4000/v1`; `…/realtime?model=…` is its socket. */
  modelOrigin: string;
  /** The throw-away CA that signed the model's certificate (PEM), or null without TLS. NODE_EXTRA_CA_CERTS is set to it anyway. */
  caFile: string | null;
  /** Where to listen, on 127.0.0.1. */
  port: number;
  /** An empty folder of this start's own; the bench removes it. */
  dataDir: string;
  /** Most calls at once. */
  maxCalls: number;
}

/** How the process is spawned. It must be the measured Node process itself, not a shell or npm in front of it. */
export interface SubjectCommand {
  command: string;
  /** For Node without flags of the bench: it adds its probe by NODE_OPTIONS. */
  args: string[];
  /** The whole environment beside PATH, NODE_EXTRA_CA_CERTS and NODE_OPTIONS, which the bench sets. */
  env: Record<string, string>;
  cwd: string;
}

/** A server under test. */
export interface SubjectSpec {
  /** Short, as `--subjects` names it: `relay`, `trunkline`, `twilio-realtime-agents`. */
  name: string;
  /** What it does and what it leaves out, with its version where it has one; stands under the table. */
  note: string;
  start(setting: SubjectSetting): SubjectCommand | Promise<SubjectCommand>;
  /** Path that is polled until it answers 200; null: ready as soon as the port takes a TCP connection. */
  readyPath: string | null;
  /**
   * Voice webhook (POST, form-encoded, answered with TwiML whose `<Connect><Stream url>` is dialled with its parameters);
   * null: there is none and every call dials `mediaPath`.
   */
  voicePath: string | null;
  /** Where the media socket is dialled when no webhook names it; a `wss://host/…` of the TwiML is dialled as ws on 127.0.0.1. */
  mediaPath: string | null;
  /** Gets the status callback (`completed`) after the hang-up; null: none is sent. */
  statusPath: string | null;
  /** Requests are signed with this token; null: unsigned, because the subject does not look. */
  authToken: string | null;
  /** Whether it asks for the first answer by `response.create`; otherwise the model greets when the session is configured. */
  greets: boolean;
  /** Whether it sends marks after audio; the echo is the phone's business. */
  sendsMarks: boolean;
  /** Whether it answers `speech_started` with `clear` while the agent is heard. */
  clears: boolean;
  /** Serves Trunkline's /metrics: calls live, ends by reason. */
  metrics: boolean;
  /** What it holds back on purpose, ms of an answer beyond which audio waits for playback; null: all goes on at once. */
  maxAheadMs: number | null;
}
