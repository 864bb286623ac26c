// The order service: two questions over HTTP, returns over MCP, one database.
import fastify, { type FastifyInstance } from 'fastify';
import { inTransaction, openDatabase } from '../../services/database.ts';
import { machineDay } from '../../services/days.ts';
import { addFaults, hasToken } from '../../services/faults.ts';
import { allowEmptyJson, answerRefusals, Refusal } from '../../services/refusal.ts';
import type { ServiceSettings } from '../../services/run-service.ts';
import { addMcp, type McpTool, mcpOperation } from './mcp.ts';
import { latestOrders, listReturns, openReturn, SCHEMA, seed, traceOrder } from './orders.ts';

const MAX_BODY_BYTES = 16 * 1024;

const ORDER = { type: 'string', pattern: '^[0-9]{5}$', description: 'The order number, five digits.' };
const POSTCODE = { type: 'string', pattern: '^[0-9]{5}$' };
const RETURN = {
  type: 'object' as const,
  properties: {
    id: { type: 'string' },
    order: { type: 'string' },
    item: { type: 'integer' },
    name: { type: 'string' },
    reason: { type: 'string' },
    send_back_by: { type: 'string' },
  },
  required: ['id', 'order', 'item', 'name', 'reason', 'send_back_by'],
};

/** The service over its database, which it opens, fills and closes. */
export function buildOrders({ database, today: fixed, token, adminToken }: ServiceSettings): FastifyInstance {
  const db = openDatabase(database, SCHEMA);
  const today = () => fixed ?? machineDay();
  inTransaction(db, () => seed(db, today()));

  const app = fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true, return503OnClosing: false });
  app.addHook('onClose', () => db.close());
  answerRefusals(app);
  allowEmptyJson(app);
  addFaults(app, adminToken, (request) => {
    const { operation } = request.routeOptions.config;
    return operation === 'mcp' ? mcpOperation(request) : operation;
  });
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.operation === undefined) return;
    if (!hasToken(request.headers.authorization, token))
      throw new Refusal(401, 'unauthorized', 'The request lacks the right token.');
  });

  app.get<{ Params: { order: string }; Querystring: { postcode: string } }>(
    '/orders/:order',
    {
      config: { operation: 'trace_order' },
      schema: {
        params: { type: 'object', properties: { order: ORDER } },
        querystring: { type: 'object', properties: { postcode: POSTCODE }, required: ['postcode'] },
      },
    },
    ({ params, query }) => traceOrder(db, params.order, query.postcode, Date.now()),
  );
  app.get<{ Querystring: { phone: string; postcode: string } }>(
    '/orders',
    {
      config: { operation: 'latest_orders' },
      schema: {
        querystring: {
          type: 'object',
          properties: { phone: { type: 'string', pattern: '^\\+[1-9][0-9]{6,14}$' }, postcode: POSTCODE },
          required: ['phone', 'postcode'],
        },
      },
    },
    ({ query }) => latestOrders(db, query.phone, query.postcode, Date.now()),
  );
  addMcp(app, { name: 'Harbor Goods returns', version: '1.0.0' }, returnTools());

  function returnTools(): McpTool[] {
    return [
      {
        name: 'list_returns',
        description: 'Lists the returns that are open for an order.',
        inputSchema: { type: 'object', properties: { order: ORDER }, required: ['order'], additionalProperties: false },
        outputSchema: {
          type: 'object',
          properties: { returns: { type: 'array', items: RETURN } },
          required: ['returns'],
        },
        annotations: { readOnlyHint: true, idempotentHint: true, destructiveHint: false },
        run: ({ order }) => listReturns(db, String(order)),
      },
      {
        name: 'open_return',
        description:
          'Opens the return of one item of an order that was delivered. Asked for again, it answers the return that is open.',
        inputSchema: {
          type: 'object',
          properties: {
            order: ORDER,
            item: { type: 'integer', minimum: 1, maximum: 100, description: 'Which item of the order, from 1.' },
            reason: { type: 'string', minLength: 1, maxLength: 200, description: 'Why, in a few words.' },
          },
          required: ['order', 'item', 'reason'],
          additionalProperties: false,
        },
        outputSchema: RETURN,
        annotations: { readOnlyHint: false, idempotentHint: true, destructiveHint: false },
        run: ({ order, item, reason }) =>
          inTransaction(db, () => openReturn(db, String(order), Number(item), String(reason), today())),
      },
    ];
  }
  return app;
}
