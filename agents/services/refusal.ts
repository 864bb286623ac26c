// How a sample business says no: a status, a code for programs and one sentence that an agent can speak from.
import type { FastifyError, FastifyInstance } from 'fastify';

export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Every failure as `{ error: { code, message } }`, whatever raised it. */
export function answerRefusals(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError | Refusal, _request, reply) => {
    if (error instanceof Refusal) return reply.code(error.status).send(bodyOf(error.code, error.message));
    if (error.validation) return reply.code(400).send(bodyOf('invalid_request', sentenceOf(error)));
    const status = error.statusCode ?? 500;
    if (status < 500) return reply.code(status).send(bodyOf('invalid_request', error.message));
    // No values: they may be somebody's.
    console.error(`unexpected: ${error.code ?? error.name} ${error.stack?.split('\n')[1]?.trim() ?? ''}`);
    return reply.code(500).send(bodyOf('internal', 'The service has a problem right now.'));
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(bodyOf('not_found', 'There is nothing here.')));
}

/** What was wrong with a value; of a list of choices, which there are. */
function sentenceOf({ validation, message }: FastifyError): string {
  const choices: unknown = validation?.[0]?.params?.['allowedValues'];
  return `${message}${Array.isArray(choices) ? `: ${choices.join(', ')}` : ''}.`;
}

/** A body that is announced as JSON and empty is none: clients say so of every POST. */
export function allowEmptyJson(app: FastifyInstance): void {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    if (text === '') return done(null, undefined);
    try {
      done(null, JSON.parse(String(text)));
    } catch {
      done(new Refusal(400, 'invalid_request', 'The body is not valid JSON.'));
    }
  });
}

const bodyOf = (code: string, message: string) => ({ error: { code, message } });
