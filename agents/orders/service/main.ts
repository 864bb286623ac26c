// The order service as a process: `node agents/orders/service/main.ts --port 4020 --database orders.db`.
import { runService } from '../../services/run-service.ts';
import { buildOrders } from './service.ts';

await runService({ name: 'order service', port: 4020, variable: 'ORDERS', build: buildOrders });
