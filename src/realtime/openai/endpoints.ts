// The endpoints that sessions are opened at: an API root with a model. Each has one health, shared by all calls of the
// process: one that keeps failing is left alone for a while, and its rate limits are known before it refuses.
import type { Clock } from '../../clock.ts';
import { type EndpointHealth, endpointName, type ModelHealth } from '../model-health.ts';
import { connectWire, type Wire, type WireEvents } from './connect.ts';
import { type Gate, type PatientEvents, patientWire } from './patient-wire.ts';

export interface EndpointsOptions {
  clock: Clock;
  health: ModelHealth;
  /** Takes every agent's sessions, as the embedded simulator does; null = each agent's own endpoint. */
  only: string | null;
  /** For agents that name none. */
  standard: string;
  apiKey: string;
}

/** One model at one endpoint. */
export interface Endpoint {
  readonly name: string;
  readonly health: EndpointHealth;
  /**
   * A wire that tries until it is open. A call that is up tries also where the circuit lets no new one through: it has
   * nothing better to do for as long as its caller waits.
   */
  connect(events: PatientEvents, options: { afterMs: number; isUp: boolean }): Wire;
}

const HANDSHAKE_MS = 5_000;

export class Endpoints {
  readonly #options: EndpointsOptions;

  constructor(options: EndpointsOptions) {
    this.#options = options;
  }

  of(model: { name: string; endpoint: string | null }): Endpoint {
    const { clock, apiKey, health: ofAll, only, standard } = this.#options;
    const baseUrl = only ?? model.endpoint ?? standard;
    const name = endpointName(baseUrl, model.name);
    const health = ofAll.of(name);
    const once = { baseUrl, model: model.name, apiKey, handshakeMs: HANDSHAKE_MS };
    const connect = (events: WireEvents): Wire => connectWire(once, events);
    const { circuit } = health;
    const insisting: Gate = {
      tryAcquire: () => true,
      succeeded: () => circuit.succeeded(),
      failed: (detail) => circuit.failed(detail),
    };
    return {
      name,
      health,
      connect: (events, { afterMs, isUp }) =>
        patientWire({ clock, afterMs, gate: isUp ? insisting : circuit, connect }, events),
    };
  }
}
