// The process's log: one JSON object per line on standard output. Messages are constant text, data goes in flat fields;
// what could tell who called or what was said is censored here by path, whoever logs it.
import { write, writeSync } from 'node:fs';
import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import { TrunklineError } from './errors.ts';

export type { Logger } from 'pino';

export interface LogOptions {
  /** trace, debug, info, warn, error, fatal or silent. */
  level: string;
  /** Default: standard output, written without blocking and flushed at exit. */
  destination?: DestinationStream;
}

// Who called whom.
const PARTIES = ['from', 'to', 'From', 'To', 'Caller', 'Called', 'caller', 'called', 'forwardTo', 'sipHeaders'];
// What was said.
const WORDS = ['text', 'transcript', 'say', 'instructions', 'digit', 'Digits'];
// What tools were asked and answered.
const TOOL_TEXTS = ['arguments', 'args', 'output'];
const AUDIO = ['payload', 'audio', 'delta', 'chunk'];
const KEYS = ['token', 'authToken', 'twilioAuthToken', 'apiKey', 'openaiApiKey', 'key', 'secret', 'password'];
const HEADERS = ['authorization', 'Authorization', 'x-twilio-signature', 'signature', 'cookie', 'headers'];
// What providers send: their error texts may quote the conversation.
const FOREIGN = ['detail', 'message', 'errorMessage', 'error', 'body', 'raw', 'providerEvent'];

/** Fields censored at the top level of a line and one level deep. Enumerated facts (`reason`, `cause`, `code`) are not. */
export const CENSORED_FIELDS: readonly string[] = [
  ...PARTIES,
  ...WORDS,
  ...TOOL_TEXTS,
  ...AUDIO,
  ...KEYS,
  ...HEADERS,
  ...FOREIGN,
];

/** Fields that are addresses: kept, but for the media token, the query and credentials. */
export const URL_FIELDS = ['url', 'mediaUrl'] as const;

/** The logger of the process. */
export function createLogger({ level, destination }: LogOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorFacts },
      hooks: {
        // pino (and Fastify's error handler) would put the error's own message in the line where a constant text belongs.
        logMethod(args, write) {
          const [first, second, ...rest] = args as unknown[];
          const fields = first instanceof Error ? { err: first } : first;
          const err = fields !== null && typeof fields === 'object' && 'err' in fields ? fields.err : undefined;
          const text = err instanceof Error && (second === undefined || second === err.message) ? 'error' : second;
          write.apply(this, [fields, text, ...rest] as typeof args);
        },
      },
      redact: {
        paths: [...CENSORED_FIELDS, ...URL_FIELDS].flatMap((field) => [`["${field}"]`, `*["${field}"]`]),
        censor: (value, path) => (URL_FIELDS.some((f) => f === path.at(-1)) ? withoutSecrets(value) : CENSORED),
      },
    },
    destination ?? standardOutput(),
  );
}

/** Lines that wait for a slow reader; beyond it new ones are dropped, and how many is said when there is room again. */
const MAX_WAITING_CHARS = 16 * 1024 * 1024;
const RETRY_MS = 50;

/**
 * Standard output, written behind the calls' back. What cannot be written (full disk, reader gone) is lost and nothing else
 * happens: pino's own destination throws on such a fault, and then sleeps for ever in its exit hook.
 */
export function standardOutput(fd = 1, maxWaitingChars = MAX_WAITING_CHARS): DestinationStream {
  let waiting: string[] = [];
  let waitingChars = 0;
  let busy = false;
  let dropped = 0;

  const take = (): Buffer => {
    if (dropped > 0) waiting.push(droppedLine(dropped));
    const bytes = Buffer.from(waiting.join(''));
    waiting = [];
    waitingChars = 0;
    dropped = 0;
    return bytes;
  };
  const put = (bytes: Buffer, from: number): void => {
    write(fd, bytes, from, bytes.length - from, null, (error, written) => {
      if (error?.code === 'EAGAIN') return void setTimeout(put, RETRY_MS, bytes, from).unref();
      if (!error && from + written < bytes.length) return put(bytes, from + written);
      busy = false;
      work();
    });
  };
  const work = (): void => {
    if (busy || waiting.length === 0) return;
    busy = true;
    put(take(), 0);
  };
  process.on('exit', () => {
    try {
      if (waiting.length > 0) writeSync(fd, take());
    } catch {
      // Nobody reads it.
    }
  });
  return {
    write(line) {
      if (waitingChars + line.length > maxWaitingChars) {
        dropped += 1;
        return;
      }
      waiting.push(line);
      waitingChars += line.length;
      work();
    },
  };
}

/** As pino would print it: this line can wait for nobody. */
const droppedLine = (count: number): string =>
  `${JSON.stringify({ level: 'warn', time: new Date().toISOString(), count, msg: 'log lines dropped' })}\n`;

/** The logger of one call: every line carries its `callId`. */
export const callLogger = (log: Logger, callId: string): Logger => log.child({ callId });

const CENSORED = '[censored]';

/** What a line may hold of an error: our own text and the engine's, but of all others only what cannot quote anybody. */
function errorFacts(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code, syscall } = error as NodeJS.ErrnoException;
  // "x is not a function" may be kept; Node's ERR_… quote the argument and JSON's SyntaxError quotes the text.
  const engine = /^(Type|Range|Reference)Error$/.test(error.name) && code === undefined;
  // The stack begins with the message, which may look like frames itself.
  const stack = String(error.stack ?? '');
  const afterMessage = stack.slice(Math.max(0, stack.indexOf(error.message)) + error.message.length);
  const frames = afterMessage.split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(typeof syscall === 'string' ? { syscall } : {}),
    ...(error instanceof TrunklineError || engine ? { explanation: error.message } : {}),
    frames: frames.map((line) => line.trim()),
    ...(error.cause === undefined ? {} : { cause: errorFacts(error.cause) }),
  };
}

function withoutSecrets(value: unknown): string {
  if (typeof value !== 'string' || !/^(\/|(https?|wss?):\/\/)/.test(value)) return CENSORED;
  return value
    .replace(/[?#].*$/s, '')
    .replace(/\/\/[^/@]*@/, '//')
    .replace(/(\/media\/)[^/]+/, `$1${CENSORED}`);
}
