// Puts both sides of a live call onto one time line and plays them a little late, so that unevenness of the network is not
// heard. The caller's frames come as they are spoken and tell what time it is in the call; the agent's come seconds ahead of
// their time, wait in place, and are dropped by `cleared`. No clock: times are given. It runs in the audio thread, so nothing
// is allocated per sample, and all of it is bounded by two rings.
import { BYTES_PER_MS as SAMPLES_A_MS, toFloat } from '../mu-law.ts';
import type { Side } from './listen-frame.ts';

/** 16.4 s of each side, in samples: the agent's audio lies at most a few seconds ahead. */
const RING = 2 ** 17;
const MASK = RING - 1;
/** How late is played: as uneven as the caller's frames came of late, and a frame's length; at least, at most. */
const LEAST_DELAY = 60 * SAMPLES_A_MS;
const MOST_DELAY = 300 * SAMPLES_A_MS;
const MARGIN = 20 * SAMPLES_A_MS;
/**
 * A frame that begins so near the end of the one before continues it. The agent's times are exact but for their rounding; the
 * caller's are those of arrival, and what comes late and in a burst was spoken without a gap all the same.
 */
const SEAM: Record<Side, number> = { caller: 300 * SAMPLES_A_MS, agent: 4 * SAMPLES_A_MS };
/** Off by this for a whole second, the caller's audio was not late but missing: it goes on at its own time. */
const MISSING = 40 * SAMPLES_A_MS;
/** Off by more than this, the time jumps; by less, it is played faster or slower by up to this part, the farther the more. */
const JUMP = 200 * SAMPLES_A_MS;
const NUDGE_FROM = 10 * SAMPLES_A_MS;
const MOST_NUDGE = 0.04;
/** Another time altogether (the media began anew): what was learnt of the old one is forgotten. */
const ELSEWHERE = 1_000 * SAMPLES_A_MS;
/** Unevenness is that of the last so many seconds. */
const WINDOW_S = 5;

interface Ring {
  samples: Float32Array;
  /** The end of what was written, exclusive. */
  end: number;
}

const ring = (): Ring => ({ samples: new Float32Array(RING), end: -1 });

/** Least and most of how much later than its sound a caller's frame came, of one second. In samples. */
interface Second {
  at: number;
  least: number;
  most: number;
}

export class JitterBuffer {
  readonly #rings: Record<Side, Ring> = { caller: ring(), agent: ring() };
  readonly #seconds: Second[] = [];
  /** Before the caller's first frame, the agent's first tells the time. */
  #guess: number | null = null;
  /** Where the listener is, in samples since the media started. */
  #place: number | null = null;
  /** How far off its predecessor's end a frame of the caller began in this second, at least. In samples. */
  #off = { second: -1, least: 0 };
  /** Frames that came too late to be heard. */
  late = 0;
  /** Frames too far ahead to be kept. */
  dropped = 0;

  /** Milliseconds since the media started that are being heard; null: nothing yet. */
  get placeMs(): number | null {
    return this.#place === null ? null : this.#place / SAMPLES_A_MS;
  }

  /** How late is played, in milliseconds. */
  get delayMs(): number {
    return this.#delay() / SAMPLES_A_MS;
  }

  /** @param nowS a clock that runs evenly with `read`, in seconds */
  write(side: Side, startMs: number, audio: Uint8Array, nowS: number): void {
    const { samples, end } = this.#rings[side];
    const start = this.#joined(side, startMs * SAMPLES_A_MS, end, nowS);
    if (side === 'caller') this.#learn(nowS, start + audio.length);
    else this.#guess ??= nowS * 1_000 * SAMPLES_A_MS - start;
    if (this.#place === null) this.#place = Math.floor(this.#due(nowS));
    else if (side === 'caller') {
      this.#settle(nowS);
      // It would be missed: the pause has been heard already, so all of it is taken at once.
      if (start <= this.#place) this.#place = Math.min(this.#place, Math.floor(this.#due(nowS)));
    }
    const place = Math.floor(this.#place);
    const from = Math.max(start, place + 1);
    const to = start + audio.length;
    if (to <= from) {
      this.late += 1;
      // Not heard, but the next one continues it all the same.
      if (to > end) this.#rings[side].end = to;
      return;
    }
    if (to - place >= RING) {
      this.dropped += 1;
      return;
    }
    for (let at = from; at < to; at += 1) samples[at & MASK] = toFloat(audio[at - start] as number);
    this.#rings[side].end = Math.max(end, to);
  }

  /** The agent's audio from there on will not be played. */
  clear(atMs: number): void {
    if (this.#place === null) return;
    const agent = this.#rings.agent;
    const place = Math.floor(this.#place);
    const from = Math.max(place + 1, Math.floor(atMs * SAMPLES_A_MS));
    const to = Math.min(agent.end, place + RING);
    for (let at = from; at < to; at += 1) agent.samples[at & MASK] = 0;
    if (agent.end > from) agent.end = from;
  }

  /** Fills both with what is heard next, at `rate` samples a second. */
  read(caller: Float32Array, agent: Float32Array, rate: number, nowS: number): void {
    if (this.#place === null) {
      caller.fill(0);
      agent.fill(0);
      return;
    }
    this.#settle(nowS);
    const off = this.#due(nowS) - this.#place;
    const step = ((SAMPLES_A_MS * 1_000) / rate) * (Math.abs(off) < NUDGE_FROM ? 1 : 1 + (off / JUMP) * MOST_NUDGE);
    const [a, b] = [this.#rings.caller.samples, this.#rings.agent.samples];
    let place = this.#place;
    for (let i = 0; i < caller.length; i += 1) {
      const whole = Math.floor(place);
      const part = place - whole;
      const [here, next] = [whole & MASK, (whole + 1) & MASK];
      caller[i] = (a[here] as number) * (1 - part) + (a[next] as number) * part;
      agent[i] = (b[here] as number) * (1 - part) + (b[next] as number) * part;
      place += step;
      // What was heard makes room.
      for (let gone = whole; gone < Math.floor(place); gone += 1) {
        a[gone & MASK] = 0;
        b[gone & MASK] = 0;
      }
    }
    this.#place = place;
  }

  /** Where a frame begins that says it begins at `start`, behind one that ended at `end`. */
  #joined(side: Side, start: number, end: number, nowS: number): number {
    const off = start - end;
    if (Math.abs(off) > SEAM[side]) return start;
    if (side === 'agent') return end;
    const second = Math.floor(nowS);
    const before = this.#off;
    if (second === before.second) {
      if (Math.abs(off) < Math.abs(before.least)) before.least = off;
      return end;
    }
    this.#off = { second, least: off };
    // What was off all the time was missing; what was off at times was late.
    const lasting = Math.abs(before.least) > MISSING && Math.abs(off) > MISSING;
    if (!lasting) return end;
    this.#off.least = 0;
    return end + (Math.abs(off) < Math.abs(before.least) ? off : before.least);
  }

  /** Notes how late a frame of the caller came. */
  #learn(nowS: number, end: number): void {
    const behind = nowS * 1_000 * SAMPLES_A_MS - end;
    const second = Math.floor(nowS);
    const known = this.#seconds.at(-1);
    if (known !== undefined && Math.abs(behind - known.least) > ELSEWHERE) this.#seconds.length = 0;
    const last = this.#seconds.at(-1);
    if (last === undefined || last.at !== second) this.#seconds.push({ at: second, least: behind, most: behind });
    else {
      last.least = Math.min(last.least, behind);
      last.most = Math.max(last.most, behind);
    }
    // The last one stays, however old: after a pause of the caller's media the time goes on as it did.
    while (this.#seconds.length > 1 && (this.#seconds[0] as Second).at <= second - WINDOW_S) this.#seconds.shift();
  }

  #delay(): number {
    if (this.#seconds.length === 0) return LEAST_DELAY;
    let [least, most] = [Infinity, -Infinity];
    for (const second of this.#seconds) {
      least = Math.min(least, second.least);
      most = Math.max(most, second.most);
    }
    return Math.min(MOST_DELAY, Math.max(LEAST_DELAY, most - least + MARGIN));
  }

  /** Where the listener should be now. */
  #due(nowS: number): number {
    let behind = Infinity;
    for (const { least } of this.#seconds) behind = Math.min(behind, least);
    if (behind === Infinity) behind = this.#guess ?? 0;
    return nowS * 1_000 * SAMPLES_A_MS - behind - this.#delay();
  }

  /** Jumps when the place is far off. */
  #settle(nowS: number): void {
    const due = this.#due(nowS);
    const place = this.#place as number;
    if (Math.abs(due - place) <= JUMP) return;
    for (const side of Object.values(this.#rings)) {
      // What is jumped over, and on the way back what would come round at a wrong time.
      if (Math.abs(due - place) >= RING || side.end - due >= RING) {
        side.samples.fill(0);
        side.end = -1;
      } else for (let at = Math.floor(place); at < Math.floor(due); at += 1) side.samples[at & MASK] = 0;
    }
    this.#place = Math.floor(due);
  }
}
