// Dial: the caller hears ringing, then whoever answers, or nobody. Who answers is the tester's choice; whether the carrier
// would have dialled at all is judged here.
import { type CallIdentity, callbackTimestamp, newSid, outboundParams } from './call-params.ts';
import type { ConnectCall } from './phone-connect.ts';
import type { TwimlElement } from './twiml-reader.ts';
import { aboutVerb } from './verb.ts';
import { conference } from './verb-conference.ts';
import type { VerbScene } from './verb-scene.ts';
import { numberOf } from './verb-sound.ts';

export type DialStatus = 'completed' | 'busy' | 'no-answer' | 'failed' | 'canceled';

/** What becomes of a Dial. */
export interface DialOutcome {
  /** Default completed: somebody answers, talks, and hangs up first. */
  status?: DialStatus;
  /** How long it rings before that; never longer than the verb's `timeout`. Default 2 s, unanswered until the timeout. */
  ringMs?: number;
  /** How long the other side talks. Default 10 s. */
  talkMs?: number;
}

const DEFAULT_TIMEOUT_S = 30;
const DEFAULT_TIME_LIMIT_S = 14_400;
const DEFAULT_RING_MS = 2_000;
const DEFAULT_TALK_MS = 10_000;
/** With a country code, or as people in the carrier's own country write theirs. */
const E164 = /^\+[1-9]\d{6,14}$/;
const NATIONAL = /^1?[2-9]\d{9}$/;
const DIAL_EVENTS: readonly string[] = ['initiated', 'ringing', 'answered', 'completed'];

/** Carries the verb out; returns the parameters that its action URL is told. */
export async function dial(scene: VerbScene, verb: TwimlElement, call: ConnectCall): Promise<Record<string, string>> {
  const room = verb.children.find(({ name }) => name === 'Conference');
  if (room) return conference(scene, room, call);
  const { clock, feed, identity, line, options } = call;
  const about = aboutVerb(verb);
  const sid = newSid('CA');
  const [first] = partiesOf(verb).filter((party) => isDialled(scene, party));
  if (!first) return { DialCallSid: sid, DialCallStatus: 'failed' };
  const { dial: outcome = {} } = options;
  const { ringMs, talkMs, status } = timed(typeof outcome === 'function' ? outcome(first.text) : outcome, verb);
  const tell = callbacks(scene, first, { ...identity, callSid: sid, parentSid: identity.callSid });
  const nowMs = () => clock.nowMs() - line.zeroMs;
  const atMs = nowMs();
  const over = (ended: DialStatus, answeredAtMs?: number) => {
    const leg = { to: first.text, callSid: sid, status: ended, atMs, answeredAtMs, endMs: nowMs() };
    line.dialled(leg);
    feed.emit('dialled', leg);
  };
  tell('initiated', 'initiated');
  tell('ringing', 'ringing');
  await scene.announce('Dial', `${about} (ringing)`, ringMs);
  // Whoever hangs up, or is sent elsewhere, while it rings takes the other call along.
  const unanswered = scene.over && ringMs > 0 ? 'canceled' : status;
  if (unanswered !== 'completed') {
    tell('completed', unanswered);
    over(unanswered);
    return { DialCallSid: sid, DialCallStatus: unanswered };
  }
  const answeredAtMs = nowMs();
  const answeredClockMs = clock.nowMs();
  tell('answered', 'in-progress');
  await whisper(scene, first);
  await scene.announce('Dial', about, talkMs);
  // Cut short, they talked no longer than that.
  const talkedMs = scene.over ? Math.min(talkMs, scene.passedMs(answeredClockMs)) : talkMs;
  const seconds = `${Math.ceil(talkedMs / 1000)}`;
  tell('completed', 'completed', { CallDuration: seconds, Duration: `${Math.ceil(talkedMs / 60_000)}` });
  over('completed', answeredAtMs);
  return { DialCallSid: sid, DialCallStatus: status, DialCallDuration: seconds, DialBridged: 'true' };
}

/** The nouns inside, or the number that stands in the verb itself. */
function partiesOf(verb: TwimlElement): TwimlElement[] {
  if (verb.children.length > 0) return verb.children;
  return verb.text === '' ? [] : [{ name: 'Number', attributes: {}, children: [], text: verb.text }];
}

/** Whether the carrier dials this; if not, it says why. */
function isDialled(scene: VerbScene, { name, text }: TwimlElement): boolean {
  const digits = text.replace(/[\s().-]/g, '');
  if (name === 'Number' && !E164.test(digits) && !NATIONAL.test(digits)) {
    scene.warn(13223, `Dial: ${JSON.stringify(text)} is not a phone number`);
    return false;
  }
  if (name === 'Sip' && !/^sips?:[^\s@]+@[^\s@]+$/.test(text)) {
    scene.warn(13223, `Dial: ${JSON.stringify(text)} is not a SIP address`);
    return false;
  }
  return true;
}

function timed({ status = 'completed', ringMs, talkMs = DEFAULT_TALK_MS }: DialOutcome, verb: TwimlElement) {
  const timeoutMs = 1000 * numberOf(verb.attributes['timeout'], DEFAULT_TIMEOUT_S);
  const limitMs = 1000 * numberOf(verb.attributes['timeLimit'], DEFAULT_TIME_LIMIT_S);
  const wantedMs = ringMs ?? (status === 'no-answer' ? timeoutMs : DEFAULT_RING_MS);
  const unanswered: DialStatus = status === 'completed' && wantedMs > timeoutMs ? 'no-answer' : status;
  return { status: unanswered, ringMs: Math.min(wantedMs, timeoutMs), talkMs: Math.min(talkMs, limitMs) };
}

/** What the party hears before it is connected: fetched and judged, but nobody is there to hear it. */
async function whisper(scene: VerbScene, { attributes }: TwimlElement): Promise<void> {
  const url = attributes['url'] ? scene.url(attributes['url']) : undefined;
  if (!url || scene.over) return;
  const method = attributes['method'] ?? 'POST';
  await scene.requests.twiml(url, { method, signal: scene.signal });
}

/** Tells a party's status callback what it asked for: by default only the end. */
function callbacks(scene: VerbScene, { text, attributes }: TwimlElement, child: CallIdentity & { parentSid: string }) {
  const { statusCallback, statusCallbackEvent = 'completed', statusCallbackMethod } = attributes;
  const url = statusCallback ? scene.url(statusCallback) : undefined;
  const wanted = statusCallbackEvent.split(/\s+/);
  let sequence = 0;
  return (event: string, callStatus: string, more: Record<string, string> = {}): void => {
    if (!url || !DIAL_EVENTS.includes(event) || !wanted.includes(event)) return;
    const params = {
      ...outboundParams({ ...child, to: text }, callStatus),
      ...callbackTimestamp(sequence++, scene.wallMs()),
      ...more,
    };
    scene.later(scene.requests.callback(url, params, statusCallbackMethod));
  };
}
