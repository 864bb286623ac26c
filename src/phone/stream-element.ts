// Reads the Stream element of a Connect: where the media stream goes and what it is told, with the carrier's objections.
import type { Origin } from './signed-request.ts';
import type { TwimlElement } from './twiml-reader.ts';

/**
 * The public URL of the stream as it is signed: without its query string, which the carrier drops. Undefined when no
 * stream can be opened; every objection goes to `warn`.
 * @param base URL of the TwiML document
 */
export function streamAddress(
  stream: TwimlElement,
  base: string,
  origin: Origin,
  warn: (code: number, reason: string) => void,
): URL | undefined {
  const { url: given = '', track } = stream.attributes;
  if (track && track !== 'inbound_track') warn(31941, `track ${track} on a bidirectional stream`);
  if (given === '' || !URL.canParse(given, base)) {
    warn(12200, 'Stream has no usable url');
    return undefined;
  }
  const url = origin.resolve(given, base.replace(/^http/, 'ws'));
  // Plain ws stands for wss where the server is tested without TLS.
  const plain = url.protocol === 'ws:' && base.startsWith('http:');
  if (url.protocol !== 'wss:' && !plain) warn(31910, `Stream url has the scheme ${url.protocol}`);
  if (url.search) warn(31920, 'Stream url has a query string; it is dropped');
  url.search = '';
  if (origin.owns(url)) return url;
  warn(31901, `Stream url names ${url.host}, which is not the public host`);
  return undefined;
}

/** The Parameters inside a Stream. */
export function customParameters(stream: TwimlElement): Record<string, string> {
  const parameters = stream.children.filter((child) => child.name === 'Parameter');
  return Object.fromEntries(parameters.map(({ attributes }) => [attributes['name'] ?? '', attributes['value'] ?? '']));
}
