// The chosen operations of a described service as tools.
import type { Service } from './http-tool.ts';
import { withKey } from './http-tool.ts';
import { askService } from './json-service.ts';
import { addValue, requestUrl } from './request-url.ts';
import { operationName } from './sources.ts';
import type { ChosenOperation, Described, Operation } from './sources.ts';
import { argument, textOf } from './template.ts';
import type { Filled } from './template.ts';
import type { Tool, ToolContext } from './tool.ts';

export interface DescribedService extends Service {
  /** The URL that paths are added to. */
  base: URL;
  headers: Readonly<Record<string, string>>;
}

export function openApiTools(
  { operations }: Described,
  chosen: readonly ChosenOperation[],
  service: DescribedService,
): Tool[] {
  return chosen.flatMap((one) => {
    const operation = operations.find(({ id }) => id === one.id);
    return operation ? [operationTool(operation, one, service)] : [];
  });
}

function operationTool(operation: Operation, chosen: ChosenOperation, service: DescribedService): Tool {
  const effect = chosen.policy.effect ?? (operation.method === 'GET' ? 'reads' : 'writes');
  const address = addressOf(service.base, operation.path);
  const repeatable = effect === 'reads' || chosen.idempotencyHeader !== null;
  return {
    name: operationName(chosen),
    description: chosen.description ?? operation.description,
    parameters: operation.parameters,
    kind: 'openapi',
    policy: { ...chosen.policy, effect },
    ...(chosen.priceUsd === null ? {} : { priceUsd: chosen.priceUsd }),
    run(args, context) {
      const url = requestUrl(address, args);
      for (const { name, explode } of operation.query) addValue(url, name, argument(args, name), explode);
      const headers = headersOf(operation, chosen, effect === 'reads', { args, context, given: service.headers });
      const { client, secrets } = service;
      const request = { method: operation.method, url, headers, body: bodyOf(operation, args), repeatable };
      return askService(client, { ...request, signal: context.signal }, secrets);
    },
  };
}

/** Base and path as a template: `{name}` is a path parameter. Only the path has any. */
function addressOf(base: URL, path: string): Filled {
  const root = `${base.origin}${base.pathname.replace(/\/+$/, '')}`;
  const parts = path.split(/\{([^{}]+)\}/);
  return [{ text: root }, ...parts.map((part, i) => (i % 2 === 0 ? { text: part } : { argument: part }))];
}

function headersOf(
  operation: Operation,
  { idempotencyHeader }: ChosenOperation,
  reads: boolean,
  {
    args,
    context,
    given,
  }: { args: Record<string, unknown>; context: ToolContext; given: Readonly<Record<string, string>> },
): Record<string, string> {
  const asked = operation.headers.flatMap((name) => {
    const value = argument(args, name);
    return value === undefined ? [] : [[name.toLowerCase(), textOf(value)] as const];
  });
  // What the agent file says is never overruled by an argument.
  return withKey({ ...Object.fromEntries(asked), ...given }, reads ? null : idempotencyHeader, context);
}

function bodyOf({ body }: Operation, args: Record<string, unknown>): unknown {
  if (body === null) return undefined;
  if ('whole' in body) return argument(args, body.whole);
  // A null that the model gives is a value here: it clears a field.
  return Object.fromEntries(body.filter((name) => Object.hasOwn(args, name)).map((name) => [name, args[name]]));
}
