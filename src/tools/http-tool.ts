// A tool that is one HTTP request, as an agent file declares it.
import type { Environment } from './environment.ts';
import { askService } from './json-service.ts';
import type { OutboundClient } from './outbound.ts';
import { addQuery, requestUrl } from './request-url.ts';
import type { HttpSource } from './sources.ts';
import { fillJson, fillTemplate } from './template.ts';
import type { Filled } from './template.ts';
import type { Tool, ToolContext } from './tool.ts';

/** What the tools of one agent share. */
export interface Service {
  client: OutboundClient;
  secrets: ReadonlySet<string>;
}

/** A declared request with its environment filled in; it holds secrets and is printed nowhere. */
export interface OpenedRequest {
  address: Filled;
  tool: (service: Service) => Tool;
}

export function openRequest(source: HttpSource, environment: Environment): OpenedRequest {
  const { name, description, parameters, method, at } = source;
  const address = environment.fill(source.url, at);
  const query = Object.fromEntries(
    Object.entries(source.query).map(([key, text]) => [key, environment.fill(text, at)] as const),
  );
  const headers = openHeaders(source.headers, environment, at);
  const body = source.body === undefined ? null : fillTemplate(source.body, (text) => environment.fill(text, at));
  const effect = source.policy.effect ?? 'writes';
  const repeatable = effect === 'reads' || source.idempotencyHeader !== null;

  const run = (service: Service, args: Record<string, unknown>, context: ToolContext): Promise<unknown> => {
    const url = requestUrl(address, args);
    addQuery(url, query, args);
    return askService(
      service.client,
      {
        method,
        url,
        headers: withKey(headers, effect === 'reads' ? null : source.idempotencyHeader, context),
        body: body === null ? undefined : fillJson(body, args),
        signal: context.signal,
        repeatable,
      },
      service.secrets,
    );
  };
  return {
    address,
    tool: (service) => ({
      name,
      description,
      parameters,
      kind: 'http',
      policy: { ...source.policy, effect },
      ...(source.priceUsd === null ? {} : { priceUsd: source.priceUsd }),
      run: (args, context) => run(service, args, context),
    }),
  };
}

/** Header values of an agent file. Most are secrets, so all are treated as such. */
export const openHeaders = (
  headers: Readonly<Record<string, string>>,
  environment: Environment,
  at: string,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, text]) => {
      const value = environment.secret(text, at);
      if (!SENDABLE.test(value))
        environment.fault(
          `${at}: expected a value of the header ${name} that can be sent: one line, no other characters than Latin-1`,
        );
      return [name.toLowerCase(), value] as const;
    }),
  );

/** A field value of HTTP (RFC 9110 5.5), as Node sends it. */
const SENDABLE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The headers of one try: the key is the same for every try of one effect. */
export const withKey = (
  headers: Readonly<Record<string, string>>,
  name: string | null,
  { idempotencyKey }: ToolContext,
): Record<string, string> => (name === null ? { ...headers } : { ...headers, [name.toLowerCase()]: idempotencyKey });
