// Dial with Conference: music until somebody else is there, then whoever is. The caller goes on as the track says, for in a
// room people talk and hang up. It is over when the conference is, when the caller is taken out, or leaves.
import { FRAME_MS } from '../audio/mulaw.ts';
import { callbackTimestamp } from './call-params.ts';
import {
  type Conference,
  type ConferenceChange,
  type LeaveCause,
  MAX_PARTICIPANTS,
  type Member,
} from './conferences.ts';
import type { ConnectCall } from './phone-connect.ts';
import type { TwimlElement } from './twiml-reader.ts';
import type { ConferenceStay } from './verb.ts';
import type { VerbScene } from './verb-scene.ts';
import { beep, numberOf, play, say } from './verb-sound.ts';

const MAX_ROOM_LETTERS = 128;
const BEEP_MS = 200;
const YES_NO = ['true', 'false'];
/** Attributes with few values, and these. */
const VALUES: Record<string, readonly string[]> = {
  startConferenceOnEnter: YES_NO,
  endConferenceOnExit: YES_NO,
  muted: YES_NO,
  beep: [...YES_NO, 'onEnter', 'onExit'],
  waitMethod: ['GET', 'POST'],
};

/** What the action is told. */
export async function conference(
  scene: VerbScene,
  noun: TwimlElement,
  call: ConnectCall,
): Promise<Record<string, string>> {
  const room = noun.text;
  const failed = { DialCallStatus: 'failed' };
  if (!isSound(scene, noun) || scene.over) return failed;
  const { startConferenceOnEnter, endConferenceOnExit, beep: beeping = 'true', maxParticipants } = noun.attributes;
  const entering = {
    callSid: call.identity.callSid,
    party: call.party,
    starts: startConferenceOnEnter !== 'false',
    ends: endConferenceOnExit === 'true',
    beeps: beeping === 'true' || beeping === 'onEnter',
  };
  const stay = new Stay(call);
  const opened = call.conferences().open(room, scene.wallMs());
  if (opened.members.length >= (numberOf(maxParticipants, 0) || MAX_PARTICIPANTS)) {
    scene.warn(12200, `Conference: ${room} is full`);
    return failed;
  }
  // The carrier takes the callback of whoever comes first.
  if (opened.members.length === 0) tellChanges(scene, noun, call, opened);
  const seat = opened.enter(entering, scene.wallMs());
  const leave = () => seat.leave(call.over.aborted ? 'left' : 'redirected');
  scene.signal.addEventListener('abort', leave);
  stay.begin(seat.conference, seat.member);
  const music = waitMusic(scene.until(stay.together), noun);
  const talk = goOn(scene.until(stay.over), call);
  const cause = await seat.left;
  scene.signal.removeEventListener('abort', leave);
  stay.end(cause);
  await Promise.all([music, talk]);
  return { DialCallStatus: call.options.conferenceDialStatus ?? 'answered' };
}

/** Whether the carrier would take the noun; if not, it says why. */
function isSound(scene: VerbScene, { text, attributes }: TwimlElement): boolean {
  if (text === '' || text.length > MAX_ROOM_LETTERS) {
    scene.warn(12200, text === '' ? 'Conference has no name' : `Conference: a name of ${text.length} letters`);
    return false;
  }
  for (const [name, values] of Object.entries(VALUES)) {
    const value = attributes[name];
    if (value !== undefined && !values.includes(value)) scene.warn(12200, `Conference: ${name} is ${value}`);
  }
  return true;
}

type Other = ConferenceStay['with'][number] & { here: boolean };

/** One call in one room: what the caller hears of it, and who was there from when to when. */
class Stay {
  readonly #call: ConnectCall;
  readonly #together = new AbortController();
  readonly #over = new AbortController();
  readonly #with: Other[] = [];
  #cancel = () => {};
  #conference: Conference | undefined;
  #fromMs = 0;
  #sinceMs = 0;

  constructor(call: ConnectCall) {
    this.#call = call;
  }

  /** Aborted when the first other is there, or the stay is over. */
  get together(): AbortSignal {
    return AbortSignal.any([this.#together.signal, this.#over.signal]);
  }

  get over(): AbortSignal {
    return this.#over.signal;
  }

  begin(room: Conference, self: Member): void {
    const { clock, feed } = this.#call;
    this.#conference = room;
    this.#fromMs = clock.nowMs();
    this.#sinceMs = this.#fromMs;
    if (self.beeps && room.members.length > 1) this.#beep();
    if (room.status === 'in-progress') this.#meet(room.members.filter((one) => one !== self));
    else feed.emit('waiting', { atMs: this.#nowMs, room: room.room });
    this.#cancel = room.on((change) => this.#changed(change, self));
  }

  end(cause: LeaveCause): void {
    const { line, feed } = this.#call;
    this.#cancel();
    for (const other of this.#with) this.#part(other);
    this.#heard(this.#together.signal.aborted ? this.#name : `${this.#name} (waiting)`);
    this.#over.abort();
    const stay = {
      room: this.#name,
      conferenceSid: this.#conference?.sid ?? '',
      fromMs: this.#inCall(this.#fromMs),
      toMs: this.#nowMs,
      endedBy: cause,
      with: this.#with.map(({ here: _here, ...other }) => other),
    };
    line.stayed(stay);
    feed.emit('left', stay);
  }

  #changed(change: ConferenceChange, self: Member): void {
    const room = this.#conference;
    if (!room) return;
    if (change.change === 'entered') {
      if (change.member.beeps) this.#beep();
      if (room.status === 'in-progress') this.#meet([change.member]);
    } else if (change.change === 'started') this.#meet(room.members.filter((one) => one !== self));
    else if (change.change === 'left') {
      const other = this.#with.find(({ callSid, here }) => here && callSid === change.member.callSid);
      if (other) this.#part(other);
    }
  }

  #meet(others: readonly Member[]): void {
    if (others.length > 0 && !this.#together.signal.aborted) {
      this.#heard(`${this.#name} (waiting)`);
      this.#together.abort();
    }
    for (const { callSid, party } of others) {
      const atMs = this.#nowMs;
      this.#with.push({ callSid, party, fromMs: atMs, toMs: atMs, here: true });
      this.#call.feed.emit('together', { atMs, room: this.#name, callSid, party });
    }
  }

  #part(other: Other): void {
    if (!other.here) return;
    other.here = false;
    other.toMs = this.#nowMs;
  }

  /** The caller has heard this since the last such moment. */
  #heard(about: string): void {
    const { clock, line, feed } = this.#call;
    const toMs = clock.nowMs();
    const fromMs = this.#sinceMs;
    this.#sinceMs = toMs;
    if (toMs > fromMs)
      feed.emit(
        'announced',
        line.announce({ verb: 'Conference', about, fromMs, toMs, spokenMs: toMs - fromMs, audio: undefined }),
      );
  }

  #beep(): void {
    const { clock, line } = this.#call;
    const fromMs = clock.nowMs();
    const audio = beep(BEEP_MS);
    line.announce({ verb: 'Conference', about: 'beep', fromMs, toMs: fromMs + BEEP_MS, spokenMs: 0, audio });
  }

  get #name(): string {
    return this.#conference?.room ?? '';
  }

  get #nowMs(): number {
    return this.#inCall(this.#call.clock.nowMs());
  }

  #inCall(clockMs: number): number {
    return clockMs - this.#call.line.zeroMs;
  }
}

/** What is played until somebody comes, over and over, where it is the server's own; the carrier's music is nobody's here. */
async function waitMusic(waiting: VerbScene, { attributes }: TwimlElement): Promise<void> {
  const { waitUrl, waitMethod = 'POST' } = attributes;
  const url = waitUrl ? waiting.url(waitUrl) : undefined;
  if (!url || !waiting.reaches(url)) return;
  const scene = waiting.clocked;
  const document = await scene.requests.twiml(url, { method: waitMethod, signal: scene.signal });
  const verbs = document?.verbs.filter(({ name }) => name === 'Say' || name === 'Play') ?? [];
  while (!scene.over && verbs.length > 0) {
    const startMs = scene.wallMs();
    for (const verb of verbs) await (verb.name === 'Say' ? say(scene, verb) : play(scene, verb));
    // What cannot be played takes no time, and would be asked for without end.
    if (scene.wallMs() - startMs < FRAME_MS) return;
  }
}

/** The caller's line goes on, frame by frame, and with it the track. */
async function goOn(stay: VerbScene, { clock, caller, line, options }: ConnectCall): Promise<void> {
  const scene = stay.clocked;
  const startMs = clock.nowMs();
  const atMs = startMs - line.zeroMs;
  caller.beginFrames(atMs);
  const before = line.ears.heardMs;
  const frames: Buffer[] = [];
  for (let i = 1; !scene.over; i++) {
    await scene.wait(i * FRAME_MS - scene.passedMs(startMs));
    if (scene.over) break;
    const heardMs = scene.passedMs(startMs);
    // Music or a voice is there all the time: nobody takes that for silence.
    caller.perform({ spurt: { startMs: atMs, endMs: atMs + heardMs + 2 * FRAME_MS }, heardMs: before + heardMs });
    if (scene.over) break;
    const frame = caller.takeFrame();
    if (options.keepAudio ?? true) frames.push(frame);
  }
  line.spoke(atMs, Buffer.concat(frames));
}

/** Tells the noun's own callback what it asked for. */
function tellChanges(
  scene: VerbScene,
  { attributes }: TwimlElement,
  { identity }: ConnectCall,
  room: Conference,
): void {
  const { statusCallback, statusCallbackEvent = '', statusCallbackMethod } = attributes;
  const url = statusCallback ? scene.url(statusCallback) : undefined;
  if (!url) return;
  const wanted = statusCallbackEvent.split(/\s+/);
  let sequence = 1;
  room.on((change) => {
    const event = EVENTS[change.change];
    if (!wanted.includes(event.asked)) return;
    const params: Record<string, string> = {
      AccountSid: identity.accountSid,
      ConferenceSid: room.sid,
      FriendlyName: room.room,
      StatusCallbackEvent: event.told,
      ...callbackTimestamp(sequence++, scene.wallMs()),
      ...('member' in change ? memberParams(change.member) : {}),
      ...('reason' in change ? { ReasonConferenceEnded: change.reason } : {}),
    };
    scene.later(scene.requests.callback(url, params, statusCallbackMethod));
  });
}

const EVENTS = {
  entered: { asked: 'join', told: 'participant-join' },
  left: { asked: 'leave', told: 'participant-leave' },
  started: { asked: 'start', told: 'conference-start' },
  ended: { asked: 'end', told: 'conference-end' },
} as const;

const memberParams = ({ callSid, muted, hold, ends, starts }: Member): Record<string, string> => ({
  CallSid: callSid,
  Muted: `${muted}`,
  Hold: `${hold}`,
  EndConferenceOnExit: `${ends}`,
  StartConferenceOnEnter: `${starts}`,
});
