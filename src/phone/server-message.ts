// Judges what the server sends down the media stream as strictly as the carrier does: exactly three events with exactly
// their fields, in text frames. A fault is the carrier's warning 31950 (binary) or 31951 (invalid message); nothing throws.

export type ServerMessage = { event: 'media'; bytes: Buffer } | { event: 'mark'; name: string } | { event: 'clear' };

/** A warning as the carrier's debugger would list it. */
export interface MessageFault {
  code: 31950 | 31951;
  reason: string;
}

const FIELDS = {
  media: ['event', 'streamSid', 'media'],
  mark: ['event', 'streamSid', 'mark'],
  clear: ['event', 'streamSid'],
};
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Reads one frame of the stream `streamSid`. */
export function readServerMessage(data: Buffer, binary: boolean, streamSid: string): ServerMessage | MessageFault {
  if (binary) return { code: 31950, reason: 'binary frame' };
  const message = parseObject(data.toString('utf8'));
  if (!message) return invalid('not a JSON object');
  const event = message['event'];
  if (event !== 'media' && event !== 'mark' && event !== 'clear')
    return invalid(`unknown event ${JSON.stringify(event)}`);
  const stray = strayFields(message, FIELDS[event]);
  if (stray) return invalid(`${event}: ${stray}`);
  if (message['streamSid'] !== streamSid) return invalid(`${event}: streamSid is not the one of this stream`);
  if (event === 'clear') return { event };
  const body = message[event];
  if (!isObject(body)) return invalid(`${event}: ${event} is not an object`);
  return event === 'media' ? readMedia(body) : readMark(body);
}

function readMedia(body: Record<string, unknown>): ServerMessage | MessageFault {
  const stray = strayFields(body, ['payload']);
  if (stray) return invalid(`media.media: ${stray}`);
  const payload = body['payload'];
  if (typeof payload !== 'string' || payload === '') return invalid('media: payload is not a non-empty string');
  if (!BASE64.test(payload)) return invalid('media: payload is not base64');
  return { event: 'media', bytes: Buffer.from(payload, 'base64') };
}

function readMark(body: Record<string, unknown>): ServerMessage | MessageFault {
  const stray = strayFields(body, ['name']);
  if (stray) return invalid(`mark.mark: ${stray}`);
  const name = body['name'];
  if (typeof name !== 'string' || name === '') return invalid('mark: name is not a non-empty string');
  return { event: 'mark', name };
}

function strayFields(object: Record<string, unknown>, fields: readonly string[]): string | undefined {
  const missing = fields.find((field) => !(field in object));
  if (missing) return `field ${missing} is missing`;
  const extra = Object.keys(object).find((key) => !fields.includes(key));
  return extra === undefined ? undefined : `field ${extra} is not allowed`;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const invalid = (reason: string): MessageFault => ({ code: 31951, reason });
