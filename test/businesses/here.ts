// A sample business in the process of the test: as it answers, without the second that a process of its own takes to start.
// That it also runs as one is for service-process.test.ts and the recorded conversations to show.
import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { buildClinic } from '../../agents/clinic/service/service.ts';
import { buildOrders } from '../../agents/orders/service/service.ts';
import type { RunningService, ServiceOptions } from '../../agents/services/child-service.ts';
import type { ServiceSettings } from '../../agents/services/run-service.ts';

/** One that answers. */
export type Here = Omit<RunningService, 'process'>;

async function startHere(
  build: (settings: ServiceSettings) => FastifyInstance,
  { port = 0, database = ':memory:', today, token = secret() }: ServiceOptions,
): Promise<Here> {
  const adminToken = secret();
  const app = build({ database, today: today ?? null, token, adminToken });
  const origin = await app.listen({ port, host: '127.0.0.1' });
  return { origin, token, adminToken, close: () => app.close() };
}

const secret = (): string => randomBytes(24).toString('base64url');

export const clinicHere = (options: ServiceOptions): Promise<Here> => startHere(buildClinic, options);
export const ordersHere = (options: ServiceOptions): Promise<Here> => startHere(buildOrders, options);
