// Record: a beep, then the caller speaks to the carrier itself, frame by frame as on a media stream, until the caller is
// silent, presses a key, hangs up, or may say no more.
import { BYTES_PER_MS, FRAME_BYTES, FRAME_MS, levelDbfs } from '../audio/mulaw.ts';
import { newSid } from './call-params.ts';
import type { ConnectCall } from './phone-connect.ts';
import type { TwimlElement } from './twiml-reader.ts';
import type { VerbScene } from './verb-scene.ts';
import { beep, numberOf } from './verb-sound.ts';

const DEFAULT_TIMEOUT_S = 5;
const DEFAULT_MAX_LENGTH_S = 3_600;
const BEEP_MS = 500;
/** A frame quieter than this is silence: idle lines are far below, speech far above. */
const SOUND_DBFS = -50;

/**
 * Takes a message. Returns what the action is told; undefined when nothing was said, for then the carrier keeps nothing and
 * the next verb follows, and when the call is over, for then the answer of the action is of no use any more.
 */
export async function record(
  scene: VerbScene,
  verb: TwimlElement,
  base: string,
  call: ConnectCall,
): Promise<Record<string, string> | undefined> {
  const { action, method, playBeep } = verb.attributes;
  if (playBeep !== 'false') await scene.announce('Record', 'beep', BEEP_MS, beep(BEEP_MS));
  if (scene.over) return undefined;
  const { atMs, bytes, key } = await listen(scene, verb, call);
  if (!hasSound(bytes)) return undefined;
  const sid = newSid('RE');
  const url = `https://api.twilio.com/2010-04-01/Accounts/${call.identity.accountSid}/Recordings/${sid}`;
  call.line.record({ url, atMs, durationMs: bytes.length / BYTES_PER_MS, bytes });
  const kept = verb.attributes['trim'] === 'do-not-trim' ? bytes : withoutSilence(bytes);
  const seconds = Math.max(1, Math.round(kept.length / BYTES_PER_MS / 1000));
  const told = { RecordingUrl: url, RecordingSid: sid, RecordingDuration: `${seconds}` };
  if (!scene.over) return { ...told, ...(key === '' ? {} : { Digits: key }) };
  // A REST update leaves the message untold; a caller who hangs up is the usual end of one.
  const target = call.over.aborted ? scene.url(action ?? base) : undefined;
  const params = { ...told, Digits: 'hangup', CallStatus: 'completed' };
  if (target) scene.later(scene.requests.tell(target, params, method));
  return undefined;
}

/** The caller's line from now on, and the key that ended it. */
async function listen(scene: VerbScene, { attributes }: TwimlElement, { clock, caller, line }: ConnectCall) {
  const { timeout, maxLength, finishOnKey = '1234567890*#' } = attributes;
  const silenceMs = 1000 * numberOf(timeout, DEFAULT_TIMEOUT_S);
  const mostMs = 1000 * numberOf(maxLength, DEFAULT_MAX_LENGTH_S);
  let key = '';
  const stopListening = scene.onKey((digit) => {
    if (finishOnKey.includes(digit)) key ||= digit;
  });
  const startMs = clock.nowMs();
  const atMs = startMs - line.zeroMs;
  caller.beginFrames(atMs);
  const { ears } = line;
  const frames: Buffer[] = [];
  let silentMs = 0;
  while (key === '' && silentMs < silenceMs && frames.length * FRAME_MS < mostMs) {
    // A frame can only be heard when its 20 ms are over.
    await scene.wait((frames.length + 1) * FRAME_MS - scene.passedMs(startMs));
    if (!scene.over) caller.perform(ears);
    if (scene.over) break;
    const frame = caller.takeFrame();
    frames.push(frame);
    silentMs = levelDbfs(frame) > SOUND_DBFS ? 0 : silentMs + FRAME_MS;
  }
  stopListening();
  return { atMs, bytes: Buffer.concat(frames), key };
}

function framesWithSound(bytes: Buffer): number[] {
  const loud: number[] = [];
  for (let at = 0; at < bytes.length; at += FRAME_BYTES)
    if (levelDbfs(bytes.subarray(at, at + FRAME_BYTES)) > SOUND_DBFS) loud.push(at);
  return loud;
}

const hasSound = (bytes: Buffer): boolean => framesWithSound(bytes).length > 0;

/** As `trim-silence` leaves it, which is what a Record does unless told otherwise. */
function withoutSilence(bytes: Buffer): Buffer {
  const loud = framesWithSound(bytes);
  return bytes.subarray(loud[0] ?? 0, (loud.at(-1) ?? 0) + FRAME_BYTES);
}
