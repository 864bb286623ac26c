// What the caller of one call heard, from outside: the known clips in the sound, and every silence in which the caller waited
// for the agent. A caller waits after own words, and where the agent broke off; a caller who was asked for a moment waits
// with a reason. Pure.
import { BYTES_PER_MS, decodeSample } from '../audio/mulaw.ts';
import type { PhoneResult } from '../phone/phone-result.ts';
import { soundSpans } from '../replay/loudness.ts';

export interface KnownClip {
  name: string;
  bytes: Uint8Array;
  /** It asks the caller to wait. */
  asksToWait: boolean;
}

/** One clip that was heard to its end. */
export interface HeardClip {
  name: string;
  endMs: number;
}

export interface Silence {
  fromMs: number;
  toMs: number;
  /** What of it nobody explained. */
  unexplainedMs: number;
  /** Why the caller waited. */
  after: 'the start' | 'the caller' | 'a broken-off agent' | 'a request to wait';
}

export interface HeardCall {
  clips: HeardClip[];
  silences: Silence[];
  /** 0 where the caller never waited. */
  longestUnexplainedMs: number;
  /** The last the caller heard was the agent breaking off, and then the call was over. */
  cutOff: boolean;
  /** When the agent, or the carrier, was last heard. */
  lastSoundMs: number;
}

/** A clip is known by the last so many ms of its sound. */
const SIGNATURE_MS = 120;
/** Of 32,768: clips end in the hiss of their room. */
const LOUD = 400;
/** How far the last sound of a clip may lie behind where its stretch of sound is said to end, and before. */
const TAIL_MS = 400;
const EDGE_MS = 300;
/** Who was asked for a moment may be left alone for so long. */
const ASKED_TO_WAIT_MS = 6_000;
/** What the caller says, without the room around it. */
const ROOM_MS = 100;

interface Sound {
  fromMs: number;
  toMs: number;
  by: 'caller' | 'agent';
}

export function hearCall(
  result: Pick<PhoneResult, 'announced' | 'said' | 'streamMs'>,
  agentAudio: Uint8Array,
  known: readonly KnownClip[],
): HeardCall {
  const line = Buffer.from(agentAudio.buffer, agentAudio.byteOffset, agentAudio.byteLength);
  const clips = known.flatMap((clip) => endsOf(line, clip)).toSorted((a, b) => a.endMs - b.endMs);
  const waits = new Set(known.filter(({ asksToWait }) => asksToWait).map(({ name }) => name));
  const agent = soundSpans(agentAudio).map((span): Sound => ({ ...span, by: 'agent' }));
  const carrier = result.announced.map(
    ({ atMs, durationMs }): Sound => ({ fromMs: atMs, toMs: atMs + durationMs, by: 'agent' }),
  );
  const caller = result.said.map(
    ({ atMs, endMs }): Sound => ({ fromMs: atMs + ROOM_MS, toMs: endMs - ROOM_MS, by: 'caller' }),
  );
  const endMs = result.streamMs;
  const sounds = [...agent, ...carrier, ...caller]
    .filter(({ fromMs, toMs }) => toMs > 0 && fromMs < endMs)
    .toSorted((a, b) => a.fromMs - b.fromMs);
  const isWhole = (atMs: number): HeardClip | undefined =>
    clips.findLast((clip) => clip.endMs >= atMs - EDGE_MS && clip.endMs <= atMs + TAIL_MS);
  // From the beep on the caller speaks to the carrier.
  const beepMs = result.announced.find(({ verb }) => verb === 'Record')?.atMs ?? Number.POSITIVE_INFINITY;
  const isCarrier = (atMs: number): boolean => carrier.some(({ toMs }) => Math.abs(toMs - atMs) < EDGE_MS);

  /** Why the caller waits, and until when the silence is explained; null: the caller does not wait. */
  const reasonAt = (last: Sound | null): { after: Silence['after']; explainedToMs: number } | null => {
    const unexplained = (after: Silence['after']) => ({ after, explainedToMs: 0 });
    const asked = ({ endMs: atMs }: HeardClip) =>
      ({ after: 'a request to wait', explainedToMs: atMs + ASKED_TO_WAIT_MS }) as const;
    if (last === null) return unexplained('the start');
    if (last.by === 'caller') {
      // Who was asked to wait while speaking knows.
      const over = clips.findLast(
        ({ name, endMs: atMs }) => waits.has(name) && atMs > last.fromMs && atMs <= last.toMs,
      );
      return over ? asked(over) : unexplained('the caller');
    }
    if (isCarrier(last.toMs)) return null;
    const whole = isWhole(last.toMs);
    if (whole === undefined) return unexplained('a broken-off agent');
    return waits.has(whole.name) ? asked(whole) : null;
  };

  const silences: Silence[] = [];
  let last: Sound | null = null;
  let quietFromMs = 0;
  const quiet = (toMs: number): void => {
    const reason = toMs > quietFromMs && quietFromMs < beepMs ? reasonAt(last) : null;
    if (reason === null) return;
    const { after, explainedToMs } = reason;
    const unexplainedMs = Math.round(toMs - Math.max(quietFromMs, explainedToMs));
    if (unexplainedMs > 0)
      silences.push({ fromMs: Math.round(quietFromMs), toMs: Math.round(toMs), unexplainedMs, after });
  };
  for (const sound of sounds) {
    quiet(Math.min(sound.fromMs, endMs));
    if (last === null || sound.toMs >= quietFromMs) last = sound;
    quietFromMs = Math.max(quietFromMs, sound.toMs);
  }
  quiet(endMs);
  const lastHeard = sounds.findLast(({ by }) => by === 'agent');
  return {
    clips,
    silences,
    longestUnexplainedMs: Math.max(0, ...silences.map(({ unexplainedMs }) => unexplainedMs)),
    cutOff:
      lastHeard === undefined ||
      (lastHeard === last && !isCarrier(lastHeard.toMs) && isWhole(lastHeard.toMs) === undefined),
    lastSoundMs: lastHeard?.toMs ?? 0,
  };
}

/** Everywhere that the end of a clip was heard. */
function endsOf(line: Buffer, { name, bytes }: KnownClip): HeardClip[] {
  const signature = signatureOf(bytes);
  const ends: HeardClip[] = [];
  for (let at = line.indexOf(signature); at >= 0; at = line.indexOf(signature, at + signature.length))
    ends.push({ name, endMs: (at + signature.length) / BYTES_PER_MS });
  return ends;
}

/** The clip's last sound: short, so that a pause of the line seldom falls into it. */
function signatureOf(bytes: Uint8Array): Buffer {
  let end = bytes.length;
  while (end > 0 && Math.abs(decodeSample(bytes[end - 1] as number)) < LOUD) end--;
  return Buffer.from(bytes.subarray(Math.max(0, end - SIGNATURE_MS * BYTES_PER_MS), end));
}
