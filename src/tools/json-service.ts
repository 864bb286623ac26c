// A business service that speaks JSON over HTTP: one request, and what its answer means for the model. Everything that a
// service may do wrong ends as one short honest sentence.
import { readBody, unclear } from './outbound.ts';
import type { OutboundClient, Reply } from './outbound.ts';
import { ToolFailure } from './tool.ts';

export interface JsonRequest {
  method: string;
  url: URL;
  headers: Readonly<Record<string, string>>;
  /** JSON; undefined: none. */
  body: unknown;
  signal: AbortSignal;
  /** False: it must not be carried out twice. */
  repeatable: boolean;
}

/** An answer is for a model that pays for every byte, and `maxOutputBytes` cuts it far below this. */
const MAX_ANSWER_BYTES = 256 * 1024;
const MAX_ERROR_BYTES = 16 * 1024;
const MAX_QUOTE = 200;
/** Shorter ones, a tenant's name in a header, may stand in an answer as what they are; a token does not. */
const MIN_TOKEN_CHARS = 20;

/**
 * The value that the service answered; undefined where it answered nothing.
 * @param secrets values that neither a quoted error nor an answer may hold: some services repeat what they are sent
 * @throws ToolFailure
 */
export async function askService(
  client: OutboundClient,
  { method, url, headers, body, signal, repeatable }: JsonRequest,
  secrets: ReadonlySet<string>,
): Promise<unknown> {
  const reply = await client.send({
    method,
    url,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal,
    once: !repeatable,
  });
  if (reply.status < 200 || reply.status > 299) throw await refusalOf(reply, signal, secrets);
  const text = reply.status === 204 || reply.status === 205 ? '' : await readJson(reply, signal);
  reply.body.destroy();
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(withoutTokens(text, secrets)) as unknown;
  } catch {
    throw unclear('The service answered something that is not the JSON it says it is.');
  }
}

async function readJson(reply: Reply, signal: AbortSignal): Promise<string> {
  if (isJson(reply)) return await readBody(reply, MAX_ANSWER_BYTES, signal);
  // A body without a type is let pass only where there is none.
  const empty = reply.headers['content-type'] === undefined && reply.headers['content-length'] === '0';
  reply.body.destroy();
  if (empty) return '';
  throw unclear('The service answered with a page or a file instead of data.');
}

const isJson = ({ headers }: Reply): boolean =>
  /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(headers['content-type'] ?? '');

/** What a status means, with the service's own words where it has some in the usual places. */
async function refusalOf(reply: Reply, signal: AbortSignal, secrets: ReadonlySet<string>): Promise<ToolFailure> {
  const { status } = reply;
  if (status === 429)
    return given(reply, 'The service has too much to do at the moment.', { passing: true, nothingDone: true });
  if (status >= 500) return given(reply, 'The service has a problem of its own at the moment.', { passing: true });
  // Who we are to it is between operators; the model could only repeat it.
  if (status === 401 || status === 403) return given(reply, 'The service does not let us do this.', {});
  const said = await wordsOf(reply, signal, secrets);
  const quoted = said === '' ? '' : ` It says: ${said}`;
  return new ToolFailure(`${meaning(status)} (${status}).${quoted}`);
}

function given({ body }: Reply, message: string, kind: { passing?: boolean; nothingDone?: boolean }): ToolFailure {
  body.destroy();
  return new ToolFailure(message, kind);
}

function meaning(status: number): string {
  if (status === 404 || status === 410) return 'The service knows no such thing';
  if (status === 409) return 'The service refused: this is in conflict with what is there already';
  if (status === 400 || status === 422) return 'The service does not accept these details';
  return 'The service refused';
}

/** The service's own message as one line, '' where there is none that may be quoted. */
async function wordsOf(reply: Reply, signal: AbortSignal, secrets: ReadonlySet<string>): Promise<string> {
  if (!isJson(reply)) {
    reply.body.destroy();
    return '';
  }
  try {
    const said = messageIn(JSON.parse(await readBody(reply, MAX_ERROR_BYTES, signal)) as unknown);
    const line = oneLine(said);
    return [...secrets].some((secret) => said.includes(secret)) ? '' : line;
  } catch {
    return '';
  }
}

/** RFC 9457's `detail` and `title`, and what most services call it; one level down where `error` is a mapping. */
function messageIn(value: unknown, depth = 0): string {
  if (typeof value !== 'object' || value === null) return '';
  const fields = value as Record<string, unknown>;
  for (const key of ['message', 'detail', 'error', 'title']) {
    const found = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (typeof found === 'string' && found.trim() !== '') return found;
    const inner = depth === 0 ? messageIn(found, 1) : '';
    if (inner !== '') return inner;
  }
  return '';
}

/** The text without our own tokens. */
export function withoutTokens(text: string, secrets: ReadonlySet<string>): string {
  let clean = text;
  for (const secret of secrets) if (secret.length >= MIN_TOKEN_CHARS) clean = clean.replaceAll(secret, '[secret]');
  return clean;
}

/** One line of at most 200 characters, without anything that is not printed. */
export function oneLine(text: string): string {
  const line = text
    .slice(0, 4 * MAX_QUOTE)
    .toWellFormed()
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .trim();
  return line.length > MAX_QUOTE ? `${line.slice(0, MAX_QUOTE - 1)}…` : line;
}
