// Every kind of fault that chaos knows: its name, where it strikes, at which moments of a call, and how long the caller may
// then wait in silence. How it is done stands in the file of its family.

/** Which part of the world a fault strikes. */
export type Family = 'model' | 'carrier' | 'rest' | 'tool' | 'disk' | 'process';

/**
 * What a strike waits for.
 * - `connect`: the call connects to its model; such faults are there from the beginning.
 * - `any`: a time of the call, whatever it is doing.
 * - `greeting`: the caller hears the first sound.
 * - `listening`: the caller has begun to speak.
 * - `thinking`: the caller's turn is over, no answer has begun.
 * - `answering`: the model produces an answer.
 * - `pause`: an answer is complete; its sound may still be heard.
 */
export type Moment = 'connect' | 'any' | 'greeting' | 'listening' | 'thinking' | 'answering' | 'pause';

export interface FaultKind {
  family: Family;
  moments: readonly Moment[];
  /** The longest silence in which the caller may wait without being told why. */
  silentMs: number;
  what: string;
}

/** What nobody can see but by waiting may take this long. */
const SEEN_BY_TIMEOUT_MS = 4_000;
const SEEN_AT_ONCE_MS = 2_000;

const kind =
  (family: Family, silentMs: number, ...moments: Moment[]) =>
  (what: string): FaultKind => ({ family, moments, silentMs, what });

const LIVE: Moment[] = ['greeting', 'listening', 'thinking', 'answering', 'pause'];
const connecting = kind('model', SEEN_AT_ONCE_MS, 'connect');
const connectingLate = kind('model', SEEN_BY_TIMEOUT_MS, 'connect');
const live = kind('model', SEEN_AT_ONCE_MS, ...LIVE);
const liveLate = kind('model', SEEN_BY_TIMEOUT_MS, ...LIVE);
const carrier = kind('carrier', SEEN_AT_ONCE_MS, 'any');
const carrierLate = kind('carrier', SEEN_BY_TIMEOUT_MS, 'any');
const rest = kind('rest', SEEN_BY_TIMEOUT_MS, 'any');
const tool = kind('tool', SEEN_AT_ONCE_MS, 'connect');
const disk = kind('disk', SEEN_AT_ONCE_MS, 'connect', 'any');
const anywhereOnDisk = kind('disk', SEEN_AT_ONCE_MS, 'any', ...LIVE);
const anywhere = kind('process', SEEN_AT_ONCE_MS, 'any', ...LIVE);

/** By name. Names are part of the command line and of docs/chaos.md. */
export const FAULT_KINDS = {
  handshake_slow: connecting('the model answers the handshake after 1.6 to 3.5 s'),
  handshake_hangs: connectingLate('the first handshake is never answered'),
  handshake_hangs_always: connectingLate('no handshake is ever answered'),
  refused_401: connecting('every handshake is refused: key not valid'),
  refused_403: connecting('every handshake is refused: not allowed'),
  refused_429_once: connecting('the first handshake is refused: rate limit, Retry-After 1 s'),
  refused_429_always: connecting('every handshake is refused: rate limit'),
  refused_500_once: connecting('the first handshake is refused: server error'),
  refused_503_once: connecting('the first two handshakes are refused: overloaded'),
  refused_503_always: connecting('every handshake is refused: overloaded'),
  port_closed: connecting('nobody listens at the model’s address'),
  circuit_open: connecting('the model’s circuit is open: its connections failed for the callers before'),
  tls_failure: connecting('the model’s address speaks no TLS'),
  open_but_silent: connectingLate('the first socket opens and the model says nothing'),
  update_slow: connecting('the session is confirmed after 1.6 to 3.5 s'),
  update_never: connectingLate('no session is ever confirmed'),
  update_refused: connecting('the session’s configuration is refused'),

  closed_1000: live('the model’s socket closes as if all were done'),
  closed_1001: live('the model’s socket closes: going away'),
  closed_1006: live('the model’s socket is gone without a word'),
  closed_1011: live('the model’s socket closes: server error'),
  closed_1013: live('the model’s socket closes: try again later'),
  closed_again_and_again: live('each session of the model is lost soon after it began'),
  session_expired: live('the session ends with the error session_expired'),
  session_expired_without_error: live('the session reaches its end and closes'),
  mute: liveLate('the model makes no response any more'),
  stall: liveLate('responses begin and say nothing'),
  stops_mid_answer: liveLate('the model stops in the middle of what it does'),
  frozen: liveLate('the model’s socket looks open and nothing passes'),
  answer_fails_once: kind('model', SEEN_AT_ONCE_MS, 'connect')('one answer fails: server error'),
  answer_fails_twice: connecting('two answers in a row fail'),
  answer_rate_limited: connecting('one answer fails: rate limit'),
  answer_without_quota: connecting('every answer fails: quota used up'),
  answer_incomplete: connecting('an answer ends before its end: max_output_tokens'),
  late_audio: connecting('audio still comes after a response was cancelled'),
  transcription_fails: connecting('no turn of the caller is transcribed'),
  frames_malformed_json: connecting('events that are no JSON'),
  frames_not_an_object: connecting('events that are no objects'),
  frames_unknown_event: connecting('events of an unknown type'),
  frames_duplicate: connecting('events that come twice'),
  frames_out_of_order: connecting('two events change places'),
  frames_huge: connecting('an event of 16 MB'),
  frames_binary: connecting('binary frames'),
  frames_bare: connecting('events without their fields'),
  frames_nulls: connecting('events with null in every optional field'),

  socket_lost: carrier('the media socket is lost and the carrier notices at once'),
  half_open_noticed: carrierLate('the media socket is dead; the carrier notices after 1 to 3 s'),
  half_open: carrierLate('the media socket is dead and the carrier does not notice'),
  stops_reading: carrierLate('the carrier reads nothing any more and still sends'),
  stop_without_close: carrier('the caller hangs up, the socket is left open'),
  close_without_stop: carrier('the caller hangs up, stop never comes'),
  duplicate_socket: carrier('a second socket at the address of the stream'),
  stale_socket: carrier('the carrier goes on, the old socket still delivers loud frames'),
  sent_elsewhere: carrier('somebody sends the call to other TwiML by REST'),
  bad_network: kind('carrier', SEEN_AT_ONCE_MS, 'connect')('60 ms each way, 40 ms of jitter, bursts of 300 ms'),
  status_out_of_order: carrier('status callbacks of earlier states come late, and twice'),
  status_before_stop: carrier('the final status callback comes before the stream stops'),
  webhook_repeated: carrier('the voice webhook comes again in the middle of the call'),

  rest_refuses: rest('dead media socket, and the REST API answers 500'),
  rest_refuses_once: rest('the carrier reads nothing any more, and the REST API answers 500 to the first order'),
  rest_limits: rest('dead media socket, and the REST API answers 429'),
  rest_slow: rest('dead media socket, and the REST API takes 2 s'),
  rest_hangs: rest('dead media socket, and the REST API never answers'),
  rest_down: rest('dead media socket, and the REST API cannot be reached'),

  tool_throws: tool('the tool throws'),
  tool_hangs: tool('the tool never answers, after the agent asked for a moment'),
  tool_hangs_unannounced: tool('the tool never answers, and the agent said nothing before'),
  tool_rejects_late: tool('the tool rejects after the call has its outcome'),
  tool_too_large: tool('the tool answers with 1 MB'),
  tool_unreadable: tool('the tool answers with what JSON cannot hold'),

  store_rejects: disk('the store of calls rejects everything, as on a full disk'),
  store_hangs: disk('the store of calls never answers'),
  store_slow: disk('the store of calls takes 700 ms'),
  disk_refuses: anywhereOnDisk('the folder of the call’s files is gone, and cannot be made again'),

  stolen_cpu: anywhere('the process stands still for 200 ms'),
  clock_forward: anywhere('the wall clock jumps an hour ahead'),
  clock_back: anywhere('the wall clock jumps an hour back'),
} as const satisfies Record<string, FaultKind>;

export type FaultName = keyof typeof FAULT_KINDS;

export const FAULT_NAMES = Object.keys(FAULT_KINDS) as FaultName[];

/** A fault by its name. */
export const faultKind = (name: FaultName): FaultKind => FAULT_KINDS[name];
