// Starts the order service beside the program that calls this.
import { type RunningService, type ServiceOptions, startService } from '../../services/child-service.ts';

/** Resolves when it answers; whoever started it closes it. */
export const startOrders = (options: ServiceOptions = {}): Promise<RunningService> =>
  startService(new URL('./main.ts', import.meta.url), 'ORDERS', options);
