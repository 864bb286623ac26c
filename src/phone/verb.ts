// A TwiML verb that was carried out, and what it was about in a few words: what a report and a check speak of.
import type { LeaveCause } from './conferences.ts';
import type { TwimlElement } from './twiml-reader.ts';
import type { DialStatus } from './verb-dial.ts';

/** One verb, as it stood in the document and as it went. */
export interface FollowedVerb extends TwimlElement {
  /** The number dialled, the words said, the address fetched; empty where the name says all. */
  about: string;
}

/** What the caller heard of the carrier itself: a text read aloud, a file played, the ringing of a Dial. */
export interface Announcement {
  verb: string;
  about: string;
  atMs: number;
  durationMs: number;
}

/** What the caller said to the carrier itself. */
export interface CallerRecording {
  /** As the action of the Record was told. */
  url: string;
  /** Where the recording starts: after the beep. */
  atMs: number;
  durationMs: number;
  /** PCMU, silence at both ends included. */
  bytes: Buffer;
}

/** What became of dialling somebody; ms of the call. */
export interface DialLeg {
  /** As it stood in the document. */
  to: string;
  callSid: string;
  status: DialStatus;
  atMs: number;
  /** Undefined when nobody answered. */
  answeredAtMs: number | undefined;
  endMs: number;
}

/** A time in a conference, and who else was there; ms of the call. */
export interface ConferenceStay {
  room: string;
  conferenceSid: string;
  fromMs: number;
  toMs: number;
  /** `left`: this side hung up. */
  endedBy: LeaveCause;
  with: { callSid: string; party: string; fromMs: number; toMs: number }[];
}

/** What a verb is about. The address of a media stream is left out: its last part is a secret. */
export function aboutVerb(verb: TwimlElement): string {
  const { name, attributes, children, text } = verb;
  switch (name) {
    case 'Say':
      return wordsOf(verb);
    case 'Play':
    case 'Redirect':
      return text || (attributes['digits'] ?? '');
    case 'Dial':
      return [text, ...children.map((noun) => noun.text)].filter(Boolean).join(', ');
    case 'Gather':
      return children
        .map((prompt) => prompt.text)
        .filter(Boolean)
        .join(' ');
    case 'Connect':
    case 'Start':
    case 'Stop':
      return children.map((noun) => noun.name).join(', ');
    case 'Pause':
      return `${attributes['length'] ?? '1'} s`;
    case 'Record':
      return attributes['maxLength'] === undefined ? '' : `at most ${attributes['maxLength']} s`;
    case 'Reject':
      return attributes['reason'] ?? 'rejected';
    default:
      return text;
  }
}

/** The words inside, those of SSML elements after the others. */
const wordsOf = ({ text, children }: TwimlElement): string =>
  [text, ...children.map(wordsOf)].filter(Boolean).join(' ');
