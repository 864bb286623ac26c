// Connect: opens the media stream that a document asks for, tells its status callback, and waits until it is over.
import type { Clock } from '../clock.ts';
import type { Conferences } from './conferences.ts';
import { type CallIdentity, newSid, streamParams } from './call-params.ts';
import type { PhoneCaller } from './phone-caller.ts';
import type { PhoneFeed } from './phone-events.ts';
import type { PhoneLine } from './phone-line.ts';
import type { CallUpdate, PhoneOptions } from './phone-options.ts';
import type { HttpExchange } from './phone-result.ts';
import { PhoneStream } from './phone-stream.ts';
import type { Origin } from './signed-request.ts';
import { customParameters, streamAddress } from './stream-element.ts';
import type { StreamEnd } from './stream-options.ts';
import type { TwimlElement } from './twiml-reader.ts';
import type { VerbScene } from './verb-scene.ts';

/** What of the call a stream needs to know. */
export interface ConnectCall {
  options: PhoneOptions;
  clock: Clock;
  feed: PhoneFeed;
  line: PhoneLine;
  caller: PhoneCaller;
  identity: CallIdentity;
  /** The number at the other end of the line: who is there for the others of a conference. */
  party: string;
  /** The rooms of the account. */
  conferences(): Conferences;
  /** Signs the upgrade, which may be signed otherwise than the requests. */
  socketOrigin: Origin;
  /** Aborted when the call is over, whoever ended it. */
  over: AbortSignal;
  exchanged(exchange: HttpExchange): void;
  /** The caller hangs up. */
  hangUp(): void;
  /** The call is sent elsewhere. */
  update(update: CallUpdate): void;
}

/** Runs the stream of a Connect until it is over. */
export async function connect(scene: VerbScene, verb: TwimlElement, base: string, call: ConnectCall): Promise<void> {
  const { options, clock, feed, line, caller, identity, socketOrigin } = call;
  const warn = (code: number, reason: string) => scene.warn(code, reason);
  const element = verb.children.find((child) => child.name === 'Stream');
  const address = element && streamAddress(element, base, socketOrigin, warn);
  if (!element || !address) return;
  const streamSid = newSid('MZ');
  const startMs = clock.nowMs();
  const exchanged = (status: number): void =>
    call.exchanged({ path: address.pathname, status, ms: clock.nowMs() - startMs });
  const stream = new PhoneStream({
    clock,
    feed,
    address: socketOrigin.listening(address).href.replace(/^http/, 'ws'),
    headers: socketOrigin.headers(address.href, {}),
    ids: { ...identity, callSid: options.startCallSid ?? identity.callSid, streamSid },
    customParameters: customParameters(element),
    caller,
    zeroMs: line.streamZeroMs,
    playedBytesBefore: line.playedBytes,
    network: options.network ?? {},
    faults: options.faults ?? [],
    keepAudio: options.keepAudio ?? true,
    sendStart: options.sendStart ?? true,
    hangUp: () => call.hangUp(),
    update: (update) => call.update(update),
    duplicated: (status) => exchanged(status),
    warn,
  });
  line.add(stream);
  scene.later(stream.gone);
  feed.expectStream();
  const stopTelling = tellStatus(scene, element, streamSid, call);
  const end = await stream.closed;
  stopTelling(end);
  exchanged(end.upgradeStatus);
}

/** Sends the stream's status callbacks if the TwiML asked for them; call the result when the stream is over. */
function tellStatus(
  scene: VerbScene,
  { attributes }: TwimlElement,
  streamSid: string,
  { identity, feed }: ConnectCall,
): (end: StreamEnd) => void {
  const { statusCallback, statusCallbackMethod, name = '' } = attributes;
  const url = statusCallback ? scene.url(statusCallback) : undefined;
  if (!url) return () => {};
  const tell = (event: 'stream-started' | 'stream-stopped' | 'stream-error', error?: string) => {
    const params = streamParams(identity, { streamSid, name, event, ...(error ? { error } : {}) }, scene.wallMs());
    scene.later(scene.requests.callback(url, params, statusCallbackMethod));
  };
  const cancel = feed.on('streaming', () => tell('stream-started'));
  return (end) => {
    cancel();
    if (end.upgradeStatus !== 101) tell('stream-error', '31920');
    else if (end.by === 'network') tell('stream-error', '31903');
    else tell('stream-stopped');
  };
}
