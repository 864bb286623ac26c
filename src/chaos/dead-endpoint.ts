// Addresses at which a model cannot be had at all.
import { type AddressInfo, createServer } from 'node:net';
import type { CallPlan } from './plan.ts';

/** The API root of the call's first model; null: the simulator answers. */
export function deadEndpoint({ strikes }: CallPlan, simulator: string, closedPort: number): string | null {
  if (strikes.some(({ fault }) => fault === 'port_closed')) return `http://127.0.0.1:${closedPort}/v1`;
  // It answers, but not in TLS.
  return strikes.some(({ fault }) => fault === 'tls_failure') ? simulator.replace('http:', 'https:') : null;
}

/** A port that was free a moment ago. */
export async function portWithoutListener(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
