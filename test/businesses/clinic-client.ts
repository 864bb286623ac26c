// The clinic's appointment service as its clients see it: every answer is held against the service's own OpenAPI document.
import { fileURLToPath } from 'node:url';
import SwaggerParser from '@apidevtools/swagger-parser';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import type { Fault } from '../../agents/services/faults.ts';
import type { Here } from './here.ts';

export const DOCUMENT = fileURLToPath(new URL('../../agents/clinic/clinic-api.yaml', import.meta.url));
/** A Friday. */
export const TODAY = '2026-11-20';
export const DANA = { number: '1000190210', date_of_birth: '2003-01-08' } as const;
export const SAMUEL = { number: '2000190210', date_of_birth: '1980-06-03' } as const;

export interface Answer {
  status: number;
  // Checked against the document before anybody reads it.
  // oxlint-disable-next-line no-explicit-any
  body: any;
}

interface Operation {
  method: string;
  path: string;
  answers: Map<number, ValidateFunction>;
}

/** The operations of the document with a check for each answer. */
export async function readOperations(): Promise<Map<string, Operation>> {
  const document = (await SwaggerParser.validate(DOCUMENT, { resolve: { external: false } })) as unknown as {
    paths: Record<string, Record<string, { operationId?: string; responses: Record<string, unknown> }>>;
  };
  const ajv = new Ajv2020({ strict: false });
  const operations = new Map<string, Operation>();
  for (const [path, item] of Object.entries(document.paths))
    for (const [method, { operationId, responses }] of Object.entries(item)) {
      if (operationId === undefined) continue;
      const answers = Object.entries(responses).map(([status, response]): [number, ValidateFunction] => {
        const { content } = response as { content: Record<string, { schema: object }> };
        return [Number(status), ajv.compile(content['application/json']!.schema)];
      });
      operations.set(operationId, { method, path, answers: new Map(answers) });
    }
  return operations;
}

export class ClinicClient {
  readonly #service: Here;
  readonly #operations: Map<string, Operation>;
  /** Which answers were seen: `bookAppointment 201`. */
  readonly seen = new Set<string>();

  constructor(service: Here, operations: Map<string, Operation>) {
    this.#service = service;
    this.#operations = operations;
  }

  /** Asks one operation; what is named in its path goes there, the rest into query or body. */
  async ask(
    operationId: string,
    given: Record<string, string> = {},
    { key, token = this.#service.token, signal = AbortSignal.timeout(10_000) }: AskOptions = {},
  ): Promise<Answer> {
    const operation = this.#operations.get(operationId);
    if (!operation) throw new Error(`the document has no ${operationId}`);
    const left = { ...given };
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
      const value = left[name] ?? '';
      delete left[name];
      return encodeURIComponent(value);
    });
    const reads = operation.method === 'get';
    const response = await fetch(
      `${this.#service.origin}${path}${reads ? `?${new URLSearchParams(left).toString()}` : ''}`,
      {
        method: operation.method.toUpperCase(),
        headers: {
          authorization: `Bearer ${token}`,
          ...(reads ? {} : { 'content-type': 'application/json' }),
          ...(key === undefined ? {} : { 'idempotency-key': key }),
        },
        ...(reads ? {} : { body: Object.keys(left).length > 0 ? JSON.stringify(left) : '' }),
        signal,
      },
    );
    const body = (await response.json()) as unknown;
    const check = operation.answers.get(response.status);
    expect(check, `${operationId} answered ${response.status}, which its document does not know`).toBeDefined();
    expect(check?.(body), `${operationId} ${response.status}: ${JSON.stringify(body)}`).toBe(true);
    this.seen.add(`${operationId} ${response.status}`);
    return { status: response.status, body };
  }

  /** The id of a patient who is known. */
  async patient(who: { number: string; date_of_birth: string } = DANA): Promise<string> {
    const { status, body } = await this.ask('findPatient', who);
    expect(status).toBe(200);
    return body.id as string;
  }

  /** Ids of free times. */
  async slots(query: Record<string, string> = {}): Promise<string[]> {
    const { body } = await this.ask('listSlots', query);
    return (body.slots as { id: string }[]).map(({ id }) => id);
  }

  /** The codes of refusals are what tests compare. */
  async refusal(operationId: string, given: Record<string, string>, options: AskOptions = {}): Promise<string> {
    const { status, body } = await this.ask(operationId, given, options);
    return `${status} ${body.error?.code}`;
  }

  /** Every answer that the document promises, as `operation status`. */
  get promised(): string[] {
    return [...this.#operations].flatMap(([name, { answers }]) =>
      [...answers.keys()].map((status) => `${name} ${status}`),
    );
  }
}

export interface AskOptions {
  key?: string;
  token?: string;
  signal?: AbortSignal;
}

/** What a service is told to do wrong from now on; answers how often the faults before have struck. */
export async function setFaults(
  { origin, adminToken }: Here,
  faults: Fault[],
  seed = 1,
): Promise<{ kind: string; struck: number }[]> {
  const response = await fetch(`${origin}/_faults`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ seed, faults }),
  });
  expect(response.status).toBe(200);
  return ((await response.json()) as { before: { kind: string; struck: number }[] }).before;
}
