// Fills the documents of the top-level folder twiml/, which an operator may read and change. They are read once, at
// start; a document with a placeholder that nobody fills stops the start instead of a call.
import { readFileSync } from 'node:fs';
import { TrunklineError } from '../../errors.ts';
import type { NextStep } from '../carrier.ts';
import type { PublicUrl } from './public-url.ts';

/** The answers that Twilio gets, as text of type text/xml. */
export interface Twiml {
  /** Lets a call in: its media stream opens under `token`. Facts that do not fit Twilio's limit are left out. */
  connect(token: string, facts: Record<string, string>): string;
  /** A step for a call that nobody has answered yet. */
  first(step: NextStep): string;
  /**
   * A step for a call after its media: a busy signal is no longer possible there and becomes a hang-up. Of a person whom
   * we called for a caller (`parentCallId`), what follows is asked for in that caller's name.
   */
  next(step: NextStep, parentCallId?: string): string;
  /** Ends the call. Also the body of every refusal. */
  hangUp: string;
}

/** Where Twilio finds us, as the documents say it. */
export interface TwimlUrls {
  /** Asked after a stream and after a message: POST /voice/next. */
  next: string;
  /** Told what becomes of a stream: POST /voice/status. */
  status: string;
  /** The media socket's URL, up to its token. */
  stream: string;
}

/** Path of the media socket before its token, unless told otherwise. */
export const MEDIA_PATH_PREFIX = '/media';

/** The URLs under one public origin. */
export const twimlUrls = ({ http, ws }: PublicUrl, mediaPathPrefix = MEDIA_PATH_PREFIX): TwimlUrls => ({
  next: `${http}/voice/next`,
  status: `${http}/voice/status`,
  stream: `${ws}${mediaPathPrefix}/`,
});

/** Name and value of a parameter together stay under 500 characters (docs, TwiML Stream). */
const MAX_PARAMETER_LENGTH = 499;
/** REST allows 99; for TwiML no number is documented. */
const MAX_PARAMETERS = 50;
/** Spoken text beyond this is cut: the documented bound of Say is 4096 characters. */
const MAX_SAY_LENGTH = 4000;
/** Record takes no more than four hours. */
const MAX_RECORD_SECONDS = 14_400;

/** Dial and REST let a phone ring for no longer than ten minutes. */
export const MAX_RING_SECONDS = 600;

/** Where a webhook about a person comes whom we called for a caller: the signature covers the query. */
export const forCall = (url: string, parentCallId: string): string => `${url}?for=${encodeURIComponent(parentCallId)}`;

const REPOSITORY_TWIML = new URL('../../../twiml/', import.meta.url);

/** Reads the documents; throws TRK_CONFIG naming the file when one is missing or asks for what is not given. */
export function loadTwiml(urls: TwimlUrls, folder: URL = REPOSITORY_TWIML): Twiml {
  const connect = loadConnect(urls, folder);
  const voicemail = loadTemplate(folder, 'voicemail.xml', ['text', 'nextUrl', 'maxSeconds']);
  const say = loadTemplate(folder, 'say-and-hang-up.xml', ['text']);
  const forward = loadTemplate(folder, 'forward.xml', ['to', 'nextUrl']);
  const forwardSip = loadTemplate(folder, 'forward-sip.xml', ['to', 'nextUrl']);
  const transferNames = ['to', 'nextUrl', 'statusUrl', 'ringSeconds'];
  const transfer = loadTemplate(folder, 'transfer.xml', transferNames);
  const transferSip = loadTemplate(folder, 'transfer-sip.xml', transferNames);
  const conference = loadTemplate(folder, 'conference.xml', ['room', 'nextUrl']);
  const askToTake = loadTemplate(folder, 'ask-to-take.xml', ['text', 'nextUrl']);
  const join = loadTemplate(folder, 'join.xml', ['room']);
  const hangUp = loadTemplate(folder, 'hang-up.xml', [])({});
  const rejectBusy = loadTemplate(folder, 'reject-busy.xml', [])({});

  const step = (next: NextStep, busy: string, nextUrl = urls.next): string => {
    switch (next.do) {
      case 'hang_up':
        return hangUp;
      case 'reject_busy':
        return busy;
      case 'say_and_hang_up':
        return say({ text: next.text.slice(0, MAX_SAY_LENGTH) });
      case 'forward':
        return (isSip(next.to) ? forwardSip : forward)({ to: next.to, nextUrl });
      case 'voicemail': {
        const maxSeconds = String(Math.min(Math.max(1, Math.ceil(next.maxSeconds)), MAX_RECORD_SECONDS));
        return voicemail({ text: next.say.slice(0, MAX_SAY_LENGTH), nextUrl, maxSeconds });
      }
      case 'transfer': {
        const ringSeconds = String(Math.min(Math.max(1, Math.ceil(next.ringSeconds)), MAX_RING_SECONDS));
        const values = { to: next.to, nextUrl, statusUrl: urls.status, ringSeconds };
        return (isSip(next.to) ? transferSip : transfer)(values);
      }
      case 'conference':
        return conference({ room: next.room, nextUrl });
      case 'ask_to_take':
        return askToTake({ text: next.say.slice(0, MAX_SAY_LENGTH), nextUrl });
      case 'join':
        return join({ room: next.room });
      case 'reconnect':
        return connect(next.token, next.facts);
      default:
        return next satisfies never;
    }
  };
  return {
    connect,
    first: (next) => step(next, rejectBusy),
    next: (next, parentCallId) =>
      step(next, hangUp, parentCallId === undefined ? urls.next : forCall(urls.next, parentCallId)),
    hangUp,
  };
}

const isSip = (to: string): boolean => /^sips?:/i.test(to);

/** Text made fit for XML, in attributes and between tags alike; parsing gives it back but for control characters. */
export function escapeXml(text: string): string {
  return (
    text
      // A line break or tab in an attribute would come back as a space anyway; the other control characters, and the
      // two non-characters, may not stand in XML 1.0 at all, not even escaped.
      .replace(/[\t\n\r]/g, ' ')
      // oxlint-disable-next-line no-control-regex
      .replace(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g, '')
      .toWellFormed()
      .replace(/[&<>"']/g, (char) => ENTITIES[char] as string)
  );
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

type Fill = (values: Record<string, string>) => string;

/** connect.xml holds one Parameter line that stands for any number of them. */
function loadConnect(urls: TwimlUrls, folder: URL): Twiml['connect'] {
  const file = 'connect.xml';
  const names = ['nextUrl', 'statusUrl', 'streamUrl'];
  const text = readDocument(folder, file);
  const line = /<Parameter\b[^>]*\{name\}[^>]*\/>/.exec(text);
  const before = compile(file, line ? text.slice(0, line.index) : text, names);
  const parameter = compile(file, line?.[0] ?? '', ['name', 'value']);
  const after = compile(file, line ? text.slice(line.index + line[0].length) : '', names);
  return (token, facts) => {
    const fitting = Object.entries(facts)
      .filter(([name, value]) => name !== '' && name.length + value.length <= MAX_PARAMETER_LENGTH)
      .slice(0, MAX_PARAMETERS);
    // The token is part of the path because Twilio strips a query from <Stream url>.
    const streamUrl = urls.stream + encodeURIComponent(token);
    const values = { nextUrl: urls.next, statusUrl: urls.status, streamUrl };
    return before(values) + fitting.map(([name, value]) => parameter({ name, value })).join('') + after(values);
  };
}

const loadTemplate = (folder: URL, file: string, names: string[]): Fill =>
  compile(file, readDocument(folder, file), names);

/** The document without its comments, which are for operators, and without indentation, which nobody needs on the wire. */
function readDocument(folder: URL, file: string): string {
  let text: string;
  try {
    text = readFileSync(new URL(file, folder), 'utf8');
  } catch (cause) {
    throw new TrunklineError('TRK_CONFIG', `twiml/${file} cannot be read`, { cause });
  }
  return text
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/>\s+</g, '><')
    .trim();
}

/** Template text to a function that fills it; values are escaped, so a placeholder may stand anywhere text may. */
function compile(file: string, text: string, names: string[]): Fill {
  // Every odd part is a name.
  const parts = text.split(/\{(\w+)\}/);
  for (let i = 1; i < parts.length; i += 2) {
    if (names.includes(parts[i] as string)) continue;
    const known = names.map((name) => `{${name}}`).join(', ') || 'none';
    throw new TrunklineError('TRK_CONFIG', `twiml/${file}: {${parts[i]}} is not known; known are: ${known}`);
  }
  return (values) => {
    let filled = parts[0] as string;
    for (let i = 1; i < parts.length; i += 2) {
      filled += escapeXml(values[parts[i] as string] ?? '') + (parts[i + 1] as string);
    }
    return filled;
  };
}
