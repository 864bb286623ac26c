// How the model endpoints are doing, one by one: sessions report here, admission reads here. An endpoint is an API root
// with a model, because keys, quotas and faults may belong to either.
import type { Clock } from '../clock.ts';
import { Circuit, type CircuitState } from './circuit.ts';
import { Throttle } from './throttle.ts';

/** What sessions of one endpoint report to. */
export interface EndpointHealth {
  readonly circuit: Circuit;
  readonly throttle: Throttle;
}

/** What admission wants to know of an endpoint. */
export interface HealthReading {
  /** `open` also while a half-open circuit waits for its probe: nobody else may try then. */
  circuit: CircuitState;
  throttled: boolean;
}

export interface ModelHealthOptions {
  clock: Clock;
  /** A circuit opened or closed. For the log. */
  changed(endpoint: string, state: 'open' | 'closed', detail: string): void;
}

/** Names an endpoint; no key is part of it. */
export const endpointName = (baseUrl: string, model: string): string => `${baseUrl} ${model}`;

/** Health by endpoint. Endpoints come from agent files and the configuration: as many as these name. */
export class ModelHealth {
  readonly #options: ModelHealthOptions;
  readonly #endpoints = new Map<string, EndpointHealth>();

  constructor(options: ModelHealthOptions) {
    this.#options = options;
  }

  /** @param endpoint by `endpointName` */
  of(endpoint: string): EndpointHealth {
    const known = this.#endpoints.get(endpoint);
    if (known) return known;
    const { clock } = this.#options;
    const changed = (state: 'open' | 'closed', detail: string): void => this.#options.changed(endpoint, state, detail);
    const circuit = new Circuit({ clock, changed });
    const health = { circuit, throttle: new Throttle({ clock }) };
    this.#endpoints.set(endpoint, health);
    return health;
  }

  read(endpoint: string): HealthReading {
    const { circuit, throttle } = this.of(endpoint);
    return { circuit: circuit.available ? circuit.state : 'open', throttled: throttle.throttled };
  }
}
