// Declared tools from the YAML of an agent file to the request that a service receives.
import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { TrunklineError } from '../../src/errors.ts';
import { createLogger } from '../../src/log.ts';
import { openToolSources } from '../../src/tools/open-sources.ts';
import type { OpenedSources } from '../../src/tools/open-sources.ts';
import { compileParameters } from '../../src/tools/parameters.ts';
import { outboundSchema, toolsSchema } from '../../src/tools/schema.ts';
import { checkToolNames, readToolSources } from '../../src/tools/source-checks.ts';
import type { Tool, ToolContext } from '../../src/tools/tool.ts';
import { checkYaml } from '../../src/yaml/check.ts';
import { YamlSource } from '../../src/yaml/source.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { json, serveLocally } from './local-service.ts';
import type { Answer, LocalService } from './local-service.ts';

const FILE = z.strictObject({ tools: toolsSchema.optional(), outbound: outboundSchema.prefault({}) });
const fixture = (name: string) => readFile(new URL(`../fixtures/tools/${name}`, import.meta.url));

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function read(yaml: string, known: readonly string[] | null = ['end_call']) {
  const source = new YamlSource('a.yaml', 'a.yaml', yaml);
  checkYaml(source, FILE);
  const found = await readToolSources(source, fixture);
  checkToolNames(source, found.sources, known);
  return { ...found, faults: source.faults };
}

const faultsOf = async (yaml: string) => (await read(yaml)).faults;

async function opened(
  yaml: string,
  env: Record<string, string> = {},
  log = createLogger({ level: 'silent' }),
): Promise<OpenedSources> {
  const { sources, outbound, faults } = await read(yaml);
  expect(faults).toEqual([]);
  const found = await openToolSources({ agent: 'clinic', sources, outbound }, { env, clock: new FakeClock(), log });
  open.push(found);
  return found;
}

async function service(answer: Answer = (_, response) => json(response, 200, { ok: true })): Promise<LocalService> {
  const local = await serveLocally(answer);
  open.push(local);
  return local;
}

const context = (): ToolContext => ({
  callId: 'call-1',
  toolCall: 'tool-1',
  signal: AbortSignal.timeout(5_000),
  idempotencyKey: 'key-1',
  from: { kind: 'withheld' } as never,
  to: { kind: 'withheld' } as never,
});

const run = async (tool: Tool | undefined, args: Record<string, unknown>): Promise<unknown> =>
  tool?.run(args, context());

const http = (host: string, more: string) => `
tools:
  - http:
      name: trace_order
      description: Tells where an order is.
      ${more.trim().replaceAll('\n', '\n      ')}
outbound: { private: ["${host}"] }
`;

describe('an HTTP tool', () => {
  test('sends the arguments where they were declared, with their types', async () => {
    const local = await service();
    const found = await opened(
      http(
        local.host,
        `
parameters:
  order: { type: string, pattern: "^[A-Z]{2}" }
  note: { type: string, optional: true }
  count: { type: integer }
  lines: { type: array, items: { type: string }, optional: true }
  detail: { type: boolean, optional: true }
method: POST
url: \${BASE}/orders/{order}?v=2
query: { detail: "{detail}", lines: "{lines}", label: "n-{note}", fixed: "\${FIXED:-yes}" }
headers: { authorization: "Bearer \${TOKEN}" }
body: { note: "{note}", text: "{count} of {order}", count: "{count}", channel: phone, deep: [{ a: "{detail}" }, 1, null] }
idempotency_header: Idempotency-Key
retries: 2
price_usd: 0.01`,
      ),
      { BASE: local.url, TOKEN: 's3cret-token\n' },
    );
    const [tool] = found.tools();
    expect(tool).toMatchObject({
      name: 'trace_order',
      kind: 'http',
      priceUsd: 0.01,
      policy: { effect: 'writes', idempotent: true, retries: 2 },
      parameters: { type: 'object', required: ['order', 'count'], additionalProperties: false },
    });
    expect(await run(tool, { order: 'AB 1/2?x=1#y', count: 3, lines: ['a', 'b&c'] })).toEqual({ ok: true });
    await run(tool, { order: 'AB', count: 1, note: 'é "{order}" ${TOKEN}', detail: false, lines: null });
    const [first, second] = local.asked;
    expect(first).toMatchObject({
      method: 'POST',
      path: '/orders/AB%201%2F2%3Fx%3D1%23y?v=2&lines=a&lines=b%26c&fixed=yes',
      headers: { authorization: 'Bearer s3cret-token', 'idempotency-key': 'key-1', 'content-type': 'application/json' },
    });
    expect(JSON.parse(first?.body ?? '')).toEqual({
      text: '3 of AB 1/2?x=1#y',
      count: 3,
      channel: 'phone',
      deep: [{}, 1, null],
    });
    expect(second?.path).toBe(
      `/orders/AB?v=2&detail=false&label=${new URLSearchParams({ x: 'n-é "{order}" ${TOKEN}' }).toString().slice(2)}&fixed=yes`,
    );
    expect(JSON.parse(second?.body ?? '')).toMatchObject({
      note: 'é "{order}" ${TOKEN}',
      deep: [{ a: false }, 1, null],
    });
  });

  test.each(['..', '.', '', '../admin', '..\\admin', 'x/../y', ' '])(
    'has no address with %j in its path',
    async (order) => {
      const local = await service();
      const found = await opened(
        http(local.host, `parameters: { order: { type: string } }\nurl: ${local.url}/orders/{order}`),
      );
      await expect(run(found.tools()[0], { order })).rejects.toThrow('cannot be part of an address');
      expect(local.asked).toEqual([]);
    },
  );

  test('whose arguments join to a step up the path is not sent', async () => {
    const local = await service();
    const found = await opened(
      http(local.host, `parameters: { a: { type: string }, b: { type: string } }\nurl: ${local.url}/x/.{a}{b}/y`),
    );
    await expect(run(found.tools()[0], { a: '%2e', b: '%2e' })).resolves.toEqual({ ok: true });
    expect(local.asked.map(({ path }) => path)).toEqual(['/x/.%252e%252e/y']);
  });

  test('that reads is told so, and sends no key', async () => {
    const local = await service();
    const found = await opened(http(local.host, `url: ${local.url}/all\nidempotency_header: Key`));
    expect(found.tools()[0]?.policy).toEqual({ effect: 'reads', idempotent: true });
    await run(found.tools()[0], {});
    expect(local.asked[0]?.headers).not.toHaveProperty('key');
  });

  test('keeps its secrets out of failures and the log', async () => {
    const lines: string[] = [];
    const local = await service((one, response) =>
      json(response, 404, { message: `unknown ${one.headers.authorization}` }),
    );
    const found = await opened(
      http(local.host, `url: ${local.url}/x\nheaders: { authorization: "Bearer \${TOKEN}" }`),
      { TOKEN: 'k-1234567' },
      createLogger({ level: 'trace', destination: { write: (line) => void lines.push(line) } }),
    );
    await expect(run(found.tools()[0], {})).rejects.toThrow(/^The service knows no such thing \(404\)\.$/);
    expect(lines.join()).not.toContain('k-1234567');
  });
});

describe('the boot is stopped, with everything told at once, by', () => {
  const failing = async (yaml: string, env: Record<string, string> = {}): Promise<string> => {
    const error = await opened(yaml, env).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TrunklineError);
    expect(error).toMatchObject({ code: 'TRK_CONFIG' });
    return (error as Error).message;
  };

  test('missing environment', async () => {
    const message = await failing(
      `
tools:
  - http: { name: a, description: A, url: "\${ONE}/a", headers: { x: "\${TWO} \${THREE:-ok}" } }
  - mcp: { url: "\${ONE}/mcp", headers: { y: "\${FOUR}" }, allow: [x] }
`,
      { TWO: '' },
    );
    expect(message.split('\n')).toEqual([
      'The tools of the agent clinic have 3 faults:',
      '  a.yaml:3:11: expected ONE in the environment, or a default: ${ONE:-…}',
      '  a.yaml:3:11: expected TWO in the environment, or a default: ${TWO:-…}',
      '  a.yaml:4:10: expected FOUR in the environment, or a default: ${FOUR:-…}',
    ]);
  });

  test('hosts that come out of the environment and may not be connected to', async () => {
    const yaml = `
tools:
  - http: { name: a, description: A, url: "\${ONE}/a" }
  - http: { name: b, description: B, parameters: { x: { type: string } }, url: "\${TWO}/{x}" }
`;
    const message = await failing(yaml, { ONE: 'http://10.0.0.1', TWO: 'https://169.254.169.254' });
    expect(message).toContain('a.yaml:3:11: expected https, or 10.0.0.1 under outbound.private');
    expect(message).toContain('a.yaml:4:11: expected a public address, or 169.254.169.254 under outbound.private');
    expect(await failing(yaml, { ONE: 'not a url', TWO: 'https://ok.example?' })).toMatch(
      /1 fault.*\n.*expected a URL once/,
    );
    expect(await failing(yaml, { ONE: 'https://ok.example', TWO: 'https://' })).toContain(
      'an argument stands behind it',
    );
  });

  test('a document that cannot be read', async () => {
    const local = await service((_, response) => json(response, 500, {}));
    const message = await failing(`
tools:
  - openapi: { document: "${local.url}/api.yaml", operations: { findPatient: } }
outbound: { private: ["${local.host}"] }
`);
    expect(message).toContain('a.yaml:3:14: the document cannot be read: The service answered with status 500.');
  });
});

describe('an OpenAPI document', () => {
  const yaml = (host: string, operations: string, document = 'clinic.yaml') => `
tools:
  - openapi:
      document: ${document}
      base_url: http://${host}/v1/
      headers: { X-Key: "\${KEY:-demo-key}" }
      idempotency_header: Idempotency-Key
      operations: ${operations}
outbound: { private: ["${host}"] }
`;

  test('makes a tool of each chosen operation', async () => {
    const local = await service();
    const found = await opened(
      yaml(
        local.host,
        '{ findPatient: { per_call: 5 }, bookAppointment: { name: book, effect: irreversible }, plantTree: , sendList: }',
      ),
    );
    const [find, book, tree, list] = found.tools();
    expect(find).toEqual({
      name: 'find_patient',
      description: 'Finds a patient by phone and date of birth.',
      kind: 'openapi',
      policy: { effect: 'reads', idempotent: true, perCall: 5 },
      parameters: {
        type: 'object',
        additionalProperties: false,
        required: ['phone', 'born'],
        properties: {
          phone: { type: 'string', minLength: 3 },
          born: { type: 'string', format: 'date', description: 'YYYY-MM-DD' },
          tags: { type: 'array', items: { type: 'string' } },
          fields: { type: 'array', items: { type: 'string' } },
          'X-Trace': { type: 'string' },
        },
      },
      run: expect.any(Function),
    });
    expect(book?.parameters).toEqual({
      type: 'object',
      additionalProperties: false,
      required: ['patient_id', 'start', 'reason'],
      properties: {
        patient_id: { type: 'integer' },
        start: { type: 'string', format: 'date-time' },
        room: { type: ['string', 'null'], enum: ['a', 'b', null] },
        reason: { type: 'string', maxLength: 200 },
        note: { type: ['string', 'null'] },
      },
    });
    expect(tree?.parameters['properties']).toMatchObject({ name: { type: 'string' }, children: { type: 'array' } });
    expect(list?.parameters).toMatchObject({ required: ['body'] });
    for (const { parameters } of found.tools()) expect(() => compileParameters(parameters)).not.toThrow();

    await run(find, { phone: '+1 555', born: '1980-02-29', tags: ['a', 'b'], fields: ['x', 'y'], 'X-Trace': 't' });
    await run(book, { patient_id: 7, start: '2026-01-01T10:00:00Z', reason: 'cough', note: null });
    await run(list, { body: [1, 2] });
    expect(local.asked.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['GET', '/v1/patients?phone=%2B1+555&born=1980-02-29&tags=a&tags=b&fields=x%2Cy', ''],
      ['POST', '/v1/patients/7/appointments', '{"start":"2026-01-01T10:00:00Z","reason":"cough","note":null}'],
      ['POST', '/v1/list', '[1,2]'],
    ]);
    expect(
      local.asked.map(({ headers }) => [headers['x-key'], headers['x-trace'], headers['idempotency-key']]),
    ).toEqual([
      ['demo-key', 't', undefined],
      ['demo-key', undefined, 'key-1'],
      ['demo-key', undefined, 'key-1'],
    ]);
  });

  test.each([
    [
      '{ findpatient: }',
      'a.yaml:8:21: tools[0].openapi.operations.findpatient: expected an operationId of the document: findPatient, book',
    ],
    ['{ clash: }', 'expected each argument in one place; id is in the body and elsewhere too'],
    ['{ upload: }', 'expected an operation that takes JSON, not multipart/form-data'],
    ['{ outside: }', '$ref "http://127.0.0.1:1/x.yaml#/A" leads out of it and is not followed'],
    ['{ disk: }', '$ref "file:///etc/passwd" leads out of it and is not followed'],
    ['{ beside: }', '$ref "beside.yaml#/A" leads out of it and is not followed'],
    ['{ findPatient: { redact: [fone] } }', 'redact[0]: expected an argument of this tool: phone, born'],
    [
      '{ bookAppointment: { fill: { patientId: find_patient.id } } }',
      'fill.patientId: expected an argument of this tool: patient_id',
    ],
    [
      '{ bookAppointment: { fill: { patient_id: find_patient.id } } }',
      'expected a tool of this agent before the first dot: end_call, book_appointment',
    ],
    ['{ bookAppointment: { needs: [find_patient] } }', 'needs[0]: expected a tool of this agent'],
  ])('with %s is refused where the agent is loaded', async (operations, fault) => {
    expect((await faultsOf(yaml('127.0.0.1:4010', operations))).join('\n')).toContain(fault);
  });

  test('that names its own server needs no base_url; it must be one that may be connected to', async () => {
    const plain = (outbound: string) => `
tools:
  - openapi: { document: clinic.yaml, operations: { findPatient: { } } , headers: { X-Key: k } }
outbound: ${outbound}
`;
    expect(await faultsOf(plain('{ private: ["127.0.0.1:4010"] }'))).toEqual([]);
    expect((await faultsOf(plain('{}'))).join()).toContain(
      'servers[0].url: expected https, or 127.0.0.1:4010 under outbound.private, or base_url here',
    );
  });

  test.each([
    ['openapi: 3.1.0\ninfo: { title: x, version: "1" }\npaths: [', 'expected YAML or JSON'],
    ['swagger: "2.0"', 'version 3.0 or 3.1'],
    [
      'openapi: 3.0.0\npaths: { /a: { get: { operationId: a, parameters: [{ name: x }] } } }',
      'expected a valid OpenAPI document',
    ],
    [`openapi: 3.0.0\nx: ${'['.repeat(20_000)}`, 'expected'],
    ['a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]', 'expected'],
  ])('that is none is refused: %.40s', async (text, fault) => {
    const source = new YamlSource('a.yaml', 'a.yaml', yaml('127.0.0.1:4010', '{ a: }'));
    await readToolSources(source, () => Promise.resolve(Buffer.from(text)));
    expect(source.faults.join()).toContain(fault);
  });

  test('whose references multiply is refused before they are followed', async () => {
    const schemas = Array.from({ length: 40 }, (_, i) => {
      const next = { $ref: `#/components/schemas/S${i + 1}` };
      return [`S${i}`, { type: 'object', properties: i === 39 ? { x: { type: 'string' } } : { a: next, b: next } }];
    });
    const text = JSON.stringify({
      openapi: '3.0.0',
      info: { title: 'x', version: '1' },
      paths: {
        '/a': {
          post: {
            operationId: 'a',
            requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/S0' } } } },
            responses: {},
          },
        },
      },
      components: { schemas: Object.fromEntries(schemas) },
    });
    const source = new YamlSource('a.yaml', 'a.yaml', yaml('127.0.0.1:4010', '{ a: }'));
    await readToolSources(source, () => Promise.resolve(Buffer.from(text)));
    expect(source.faults.join()).toContain('more than 100000 values');
  });

  test('at a URL is read at boot; a server on another host than its own must be listed', async () => {
    const text = (await fixture('clinic.yaml')).toString();
    const local: LocalService = await service((one, response) => {
      if (one.path === '/api.yaml')
        response.writeHead(200, { 'content-type': 'text/yaml' }).end(text.replace('127.0.0.1:4010', local.host));
      else if (one.path === '/evil.yaml')
        response.writeHead(200).end(text.replace('http://127.0.0.1:4010', 'https://evil.example'));
      else json(response, 200, { found: true });
    });
    const at = (path: string) => `
tools:
  - openapi: { document: "\${API:-${local.url}}${path}", headers: { X-Key: k }, unreachable: start_without, operations: { findPatient: } }
outbound: { private: ["${local.host}"] }
`;
    const found = await opened(at('/api.yaml'));
    expect(found.waiting).toEqual([]);
    expect(await run(found.tools()[0], { phone: '1', born: '1980-01-01' })).toEqual({ found: true });
    await expect(opened(at('/evil.yaml'))).rejects.toThrow(
      'servers[0].url of the document: expected evil.example under outbound.hosts, or base_url here',
    );
  });

  test('that somebody else keeps is read without the headers that are for the service', async () => {
    const text = await fixture('clinic.yaml');
    const keeper = await service((_, response) => void response.writeHead(200).end(text));
    const local = await service();
    const found = await opened(`
tools:
  - openapi: { document: "${keeper.url}/api.yaml", base_url: "${local.url}", headers: { authorization: s3cret, X-Key: k }, operations: { findPatient: } }
outbound: { private: ["${keeper.host}", "${local.host}"] }
`);
    await run(found.tools()[0], { phone: '123', born: '1980-01-01' });
    expect(keeper.asked[0]?.headers).not.toHaveProperty('authorization');
    expect(local.asked[0]?.headers).toMatchObject({ authorization: 's3cret' });
  });

  test('at a URL that does not answer may come later', async () => {
    const text = await fixture('clinic.yaml');
    let up = false;
    const local = await service((_, response) => {
      if (up) response.writeHead(200).end(text);
      else json(response, 503, {});
    });
    const clock = new FakeClock();
    const { sources, outbound } = await read(`
tools:
  - openapi: { document: "${local.url}/api.yaml", base_url: "${local.url}", headers: { X-Key: k }, unreachable: start_without, operations: { findPatient: } }
outbound: { private: ["${local.host}"] }
`);
    const found = await openToolSources(
      { agent: 'a', sources, outbound },
      { env: {}, clock, log: createLogger({ level: 'silent' }) },
    );
    open.push(found);
    expect(found.tools()).toEqual([]);
    expect(found.waiting).toEqual([
      { source: 'openapi a.yaml:3:14', why: 'the document cannot be read: The service answered with status 503.' },
    ]);
    up = true;
    const arrived = Promise.withResolvers<void>();
    const end = found.changed(arrived.resolve);
    clock.advance(500);
    await arrived.promise;
    end();
    expect(found.waiting).toEqual([]);
    expect(found.tools().map(({ name }) => name)).toEqual(['find_patient']);
    await found.close();
    expect(clock.pending).toBe(0);
  });
});

describe('in an agent file', () => {
  test.each([
    ['tools: clinic-tools.ts', []],
    ['tools: [{ file: a.ts }]', []],
    [
      'tools: clinic.yaml',
      [
        'a.yaml:1:8: tools: expected the path of a tool file (.ts, .js or .mjs), or a list of at most 50 sources, each with file, http, openapi or mcp (found clinic.yaml)',
      ],
    ],
    [
      'tools: [{ file: a.ts, mcp: { url: "https://a.example", allow: [a] } }]',
      ['a.yaml:1:9: tools[0]: expected a mapping with one of file, http, openapi and mcp (found a mapping)'],
    ],
    ['tools: [{ fil: a.ts }]', ['a.yaml:1:11: tools[0].fil: no such key; did you mean file?']],
    [
      'tools: [{ http: { name: a, description: A, url: "https://a.example", metod: GET } }]',
      ['a.yaml:1:70: tools[0].http.metod: no such key; did you mean method?'],
    ],
    [
      'tools: [{ http: { name: a b, description: A, url: "https://a.example" } }]',
      ['a.yaml:1:25: tools[0].http.name: expected a name of 1 to 64 letters, digits, _ and - (found a b)'],
    ],
    [
      'tools: [{ mcp: { url: "https://a.example", allow: { a: { effekt: reads } } } }]',
      ['a.yaml:1:58: tools[0].mcp.allow.a.effekt: no such key; did you mean effect?'],
    ],
    [
      'outbound: { private: ["http://a.example"] }',
      [
        'a.yaml:1:23: outbound.private[0]: expected a host or host:port, such as api.example.com or "127.0.0.1:4010" (found "http://a.example")',
      ],
    ],
  ])('%s', async (yaml, faults) => expect(await faultsOf(yaml)).toEqual(faults));

  const one = (more: string) => `tools: [{ http: { name: a, description: A, ${more} } }]`;
  test.each([
    [one('url: "https://a.example/{x}"'), 'http.url: expected {x} under parameters; known there: none'],
    [
      one('parameters: { x: { type: string } }, url: "https://{x}.example/"'),
      'the whole host before the first {argument}',
    ],
    [
      one('parameters: { x: { type: string } }, url: "https://a.example{x}/"'),
      'the whole host before the first {argument}',
    ],
    [
      one('parameters: { x: { type: string } }, url: "https://{x}@a.example/"'),
      'the whole host before the first {argument}',
    ],
    [one('parameters: { x: { type: string } }, url: "{x}"'), 'the whole host before the first {argument}'],
    [one('url: "http://a.example/"'), 'http.url: expected https, or a.example under outbound.private'],
    [one('url: "https://10.0.0.1/"'), 'http.url: expected a public address, or 10.0.0.1 under outbound.private'],
    [one('url: "https://u:p@a.example/"'), 'without user name and password'],
    [one('url: "ftp://a.example/"'), 'expected an https URL such as'],
    [one('url: "https://a.example/${1x}"'), 'from the environment: ${NAME} or ${NAME:-default}'],
    [one('url: "https://a.example/${X"'), 'from the environment: ${NAME} or ${NAME:-default}'],
    [
      one('parameters: { x: { type: string, optional: true } }, url: "https://a.example/{x}"'),
      'parameters.x.optional: expected it to be required, or {x} under query',
    ],
    [
      one('parameters: { x: { type: strin } }, url: "https://a.example/{x}"'),
      'parameters.x: expected a JSON Schema that can be checked',
    ],
    [
      one('parameters: { x: { type: string } }, url: "https://a.example/"'),
      'parameters.x: expected {x} in url, query or body',
    ],
    [one('url: "https://a.example/", body: { a: 1 }'), 'http.body: expected no body with method: GET'],
    [
      one('method: POST, url: "https://a.example/", body: { a: { b: ["{y}"] } }'),
      'http.body.a.b[0]: expected {y} under parameters',
    ],
    [one('url: "https://a.example/", headers: { a: "{x}" }'), 'http.headers.a: expected no {argument}'],
    [
      one('url: "https://a.example/", headers: { Host: x }'),
      'http.headers.Host: expected the name of a header that is not',
    ],
    [one('method: POST, url: "https://a.example/", retries: 1'), 'http.retries: expected 0: it writes'],
    [one('url: "https://a.example/", needs: [b]'), 'http.needs[0]: expected a tool of this agent: end_call, a'],
    ['tools: [{ mcp: { url: "https://a.example/{x}", allow: [a] } }]', 'mcp.url: expected no {x}'],
    [
      'tools: [{ mcp: { url: "https://a.example/", allow: [a, end_call] } }]',
      'a.yaml:1:56: tools[0].mcp.allow[1]: expected each tool name once; end_call is taken by another tool',
    ],
    [
      'tools: [{ mcp: { url: "https://a.example/", allow: [a] } }, { mcp: { url: "https://b.example/", allow: { a: { effect: reads } } } }]',
      'expected each tool name once; a is taken by the tool at a.yaml:1:53',
    ],
  ])('%s', async (yaml, fault) => expect((await faultsOf(yaml)).join('\n')).toContain(fault));

  test('what is declared is plain data without the environment', async () => {
    const { sources } = await read(
      'tools: [{ http: { name: a, description: A, url: "${X:-https://a.example}/", headers: { k: "${SECRET}" } } }]',
    );
    expect(JSON.parse(JSON.stringify(sources))).toEqual([
      {
        kind: 'http',
        at: 'a.yaml:1:17',
        name: 'a',
        description: 'A',
        parameters: { type: 'object', properties: {}, required: [], additionalProperties: false },
        method: 'GET',
        url: '${X:-https://a.example}/',
        query: {},
        headers: { k: '${SECRET}' },
        idempotencyHeader: null,
        policy: { effect: 'reads' },
        priceUsd: null,
      },
    ]);
  });
});
