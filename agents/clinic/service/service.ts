// The clinic's appointment service: who may ask, what is asked, and in which transaction it happens.
import { readFileSync } from 'node:fs';
import fastify, { type FastifyInstance } from 'fastify';
import { inTransaction, openDatabase } from '../../services/database.ts';
import { isDay, machineDay } from '../../services/days.ts';
import { type Asked, addDescribedRoutes } from '../../services/described-routes.ts';
import { addFaults, hasToken } from '../../services/faults.ts';
import { allowEmptyJson, answerRefusals, Refusal } from '../../services/refusal.ts';
import type { ServiceSettings } from '../../services/run-service.ts';
import { book, cancel, listAppointments, listSlots, move } from './appointments.ts';
import { type Answer, once } from './idempotency.ts';
import { findPatient } from './patients.ts';
import { addDays, SCHEMA, seed } from './seed.ts';

const DOCUMENT = readFileSync(new URL('../clinic-api.yaml', import.meta.url), 'utf8');

/** Longer than any request of the document. */
const MAX_BODY_BYTES = 16 * 1024;

/** The service over its database, which it opens, fills and closes. */
export function buildClinic({ database, today: fixed, token, adminToken }: ServiceSettings): FastifyInstance {
  const db = openDatabase(database, SCHEMA);
  let filledOn = fixed ?? machineDay();
  inTransaction(db, () => seed(db, filledOn));

  /** Today; the times of a new day are there before anybody can ask for them. */
  const today = (): string => {
    const day = fixed ?? machineDay();
    if (day !== filledOn) inTransaction(db, () => addDays(db, day));
    filledOn = day;
    return day;
  };

  const changed = (operation: string, { params, headers, body }: Asked, change: () => Answer) => {
    const key = headers['idempotency-key'];
    return once(db, { key, request: [operation, params, body], nowMs: Date.now() }, change);
  };

  const app = fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true, return503OnClosing: false });
  app.addHook('onClose', () => db.close());
  answerRefusals(app);
  allowEmptyJson(app);
  addFaults(app, adminToken);
  app.get('/openapi.yaml', (_request, reply) => reply.type('application/yaml').send(DOCUMENT));
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.operation === undefined) return;
    if (!hasToken(request.headers.authorization, token))
      throw new Refusal(401, 'unauthorized', 'The request lacks the right token.');
  });

  addDescribedRoutes(app, DOCUMENT, {
    findPatient: ({ body }) => {
      const born = realDay(body['date_of_birth']!, 'date_of_birth');
      return { status: 200, body: findPatient(db, body['number']!, born, Date.now()) };
    },
    listSlots: ({ query }) => {
      for (const name of ['from', 'to']) if (query[name] !== undefined) realDay(query[name], name);
      if (query['from'] && query['to'] && query['to'] < query['from'])
        throw new Refusal(400, 'invalid_request', 'The last day to look at lies before the first.');
      return { status: 200, body: listSlots(db, query, today()) };
    },
    listAppointments: ({ params }) => ({ status: 200, body: listAppointments(db, params['patient_id']!, today()) }),
    bookAppointment: (asked) => {
      const { params, body } = asked;
      const day = today();
      return changed('book', asked, () => ({
        status: 201,
        body: book(db, params['patient_id']!, body['slot_id']!, body['reason'], day),
      }));
    },
    moveAppointment: (asked) => {
      const { params, body } = asked;
      const day = today();
      return changed('move', asked, () => ({
        status: 200,
        body: move(db, params['patient_id']!, params['appointment_id']!, body['slot_id']!, day),
      }));
    },
    cancelAppointment: (asked) => {
      const { params } = asked;
      const day = today();
      return changed('cancel', asked, () => ({
        status: 200,
        body: cancel(db, params['patient_id']!, params['appointment_id']!, day),
      }));
    },
  });
  return app;
}

function realDay(text: string, name: string): string {
  if (!isDay(text)) throw new Refusal(400, 'invalid_request', `${name} is not a day of the calendar.`);
  return text;
}
