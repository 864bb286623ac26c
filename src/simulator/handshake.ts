// The upgrade request of a client: what the API wants to see in it, and the HTTP answer when it does not.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** An upgrade that is answered with an HTTP error. */
export interface Refusal {
  status: number;
  code?: string;
  message?: string;
  /** Seconds, or an HTTP date. */
  retryAfter?: string | number;
}

/** What a client asked for, without its key. */
export interface Handshake {
  model: string;
  headers: IncomingHttpHeaders;
}

// How a browser, which cannot set headers, sends its key.
const KEY_PROTOCOL = 'openai-insecure-api-key.';

/** The model that an upgrade request names, '' where it names none. */
export const modelOf = (request: IncomingMessage): string =>
  new URL(request.url ?? '/', 'http://127.0.0.1').searchParams.get('model') ?? '';

/** Reads an upgrade request. */
export function readHandshake(request: IncomingMessage): Handshake | { refusal: Refusal } {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (url.pathname !== '/v1/realtime') return refused(404, 'not_found', `No ${url.pathname} here.`);
  const { authorization = '', 'sec-websocket-protocol': protocols = '', ...headers } = request.headers;
  if (!/^Bearer \S+/.test(authorization) && !protocols.includes(KEY_PROTOCOL))
    return refused(401, 'invalid_api_key', 'You did not provide an API key.');
  const model = modelOf(request);
  if (!model) return refused(400, 'missing_model', 'You must provide a model parameter.');
  // The beta interface spoke other events; a client that asks for it would not understand these.
  if (headers['openai-beta'])
    return refused(400, 'beta_api_shape_disabled', 'The Realtime Beta API is no longer supported.');
  return { model, headers };
}

const refused = (status: number, code: string, message: string): { refusal: Refusal } => ({
  refusal: { status, code, message },
});

/** Answers an upgrade with an error, in the API's words, and ends the connection. */
export function sendRefusal(socket: Duplex, { status, code, message, retryAfter }: Refusal): void {
  const type = status >= 500 ? 'server_error' : 'invalid_request_error';
  const error = { type, code: code ?? type, message: message ?? `Simulated HTTP ${status}.`, param: null };
  const body = JSON.stringify({ error });
  const lines = [
    `HTTP/1.1 ${status} Refused`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    ...(retryAfter === undefined ? [] : [`retry-after: ${retryAfter}`]),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
