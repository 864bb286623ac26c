// The real process, started and stopped as an operator does: what it says when it cannot start, how it stops with calls on
// the line, and that any process of the same data folder can tell the carrier what follows.
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { writeWav } from '../../src/audio/wav.ts';
import { newSid } from '../../src/phone/call-params.ts';
import type { HttpExchange } from '../../src/phone/phone-result.ts';
import { readTwiml } from '../../src/phone/twiml-reader.ts';
import { clip } from '../../src/simulator/clips.ts';
import type { Script } from '../../src/simulator/script.ts';
import { mediaUrl, question, webhookParams, within } from '../support/e2e.ts';
import {
  API_KEY,
  AUTH_TOKEN,
  askProcess,
  callProcess,
  carrierOf,
  openMedia,
  type ServerProcess,
  withProcesses,
} from '../support/server-process.ts';

// Few at once: each process takes a core for a moment when it starts.
vi.setConfig({ maxConcurrency: 4 });

const PERSON = '+15005550009';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trunkline-process-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const script: Script = {
  greeting: { items: [{ say: ['short_ok'] }] },
  turns: [{ items: [{ say: ['clinic_goodbye'] }, { tool: 'end_call', arguments: {} }] }],
  whenInstructions: [{ contains: 'time limit', answer: { items: [{ say: ['wrap_up'] }] } }],
};

describe.concurrent('a process that is told to stop', () => {
  test('lets the live call come to its own end, lets nobody else in, and exits with 0', { timeout: 40_000 }, () =>
    withProcesses(
      async (start) => {
        const server = start();
        const origin = await server.ready();
        expect((await fetch(`${origin}/readyz`)).status).toBe(200);
        const live = callProcess(origin);
        await live.once('firstAudio');
        server.signal('SIGTERM');
        await server.line('draining');

        const probe = await fetch(`${origin}/readyz`);
        expect(probe.status).toBe(503);
        expect(await probe.json()).toEqual({ status: 'draining', live: 1, database: 'ok' });
        expect((await fetch(`${origin}/healthz`)).status).toBe(200);
        const refused = await callProcess(origin).ended;
        expect(refused).toMatchObject({ callStatus: 'busy', verbs: [{ name: 'Reject' }] });

        // The live call does not notice: the caller speaks, the agent says goodbye and hangs up.
        live.say(question());
        const { verbs, heard, http } = await live.ended;
        expect(verbs.map(({ name }) => name)).toEqual(['Connect', 'Hangup']);
        expect(withoutCallbacks(http)).toEqual([200, 101, 200]);
        expect(heard.at(-1)?.bytes.includes(clip('clinic_goodbye').audio)).toBe(true);
        expect(await within(5_000, 'the end of the process', server.exit)).toBe(0);
        expect(server.lines.find(({ msg }) => msg === 'call ended')).toMatchObject({ reason: 'agent_goodbye' });
        expect(server.lines.at(-1)).toMatchObject({ msg: 'stopped' });
        expectNoSecrets(server);
      },
      { script },
    ),
  );

  test('wraps up the calls that are still there when its time is over', { timeout: 40_000 }, () =>
    withProcesses(
      async (start) => {
        const server = start({ DRAIN_SECONDS: '1' });
        const live = callProcess(await server.ready());
        await live.once('firstAudio');
        server.signal('SIGINT');
        const { heard, unplayedBytes } = await live.ended;
        expect(heard.at(-1)?.bytes.includes(clip('wrap_up').audio)).toBe(true);
        expect(unplayedBytes).toBe(0);
        expect(await within(5_000, 'the end of the process', server.exit)).toBe(0);
        expect(server.lines.find(({ msg }) => msg === 'call ended')).toMatchObject({
          reason: 'drained',
          result: 'success',
        });
      },
      { script },
    ),
  );

  test('tells every 5 seconds how many calls live and how long they may', { timeout: 40_000 }, () =>
    withProcesses(
      async (start) => {
        const server = start({ DRAIN_SECONDS: '7' });
        const live = callProcess(await server.ready());
        await live.once('firstAudio');
        server.signal('SIGTERM');
        expect(await server.line('draining')).toMatchObject({ signal: 'SIGTERM', live: 1, secondsLeft: 7 });
        expect(await server.line('draining', 2)).toMatchObject({ live: 1, secondsLeft: 2 });
        live.hangUp();
        expect(await within(5_000, 'the end of the process', server.exit)).toBe(0);
      },
      { script },
    ),
  );

  test('is not ready at once, also for who asks again on the same connection', { timeout: 20_000 }, () =>
    withProcesses(
      async (start) => {
        const server = start();
        const origin = await server.ready();
        const live = callProcess(origin);
        await live.once('firstAudio');
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const before = await probe(origin, agent);
        server.signal('SIGTERM');
        await server.line('draining');
        const after = await probe(origin, agent);
        expect(before).toMatchObject({ status: 200, connection: 'keep-alive' });
        expect(after).toMatchObject({ status: 503, body: { status: 'draining', live: 1 }, connection: 'close' });
        expect(after.localPort).toBe(before.localPort);
        agent.destroy();
        live.hangUp();
        await live.ended;
      },
      { script },
    ),
  );

  test('still takes the media of a call that it has let in, and answers all that follows it', { timeout: 20_000 }, () =>
    withProcesses(
      async (start) => {
        const server = start();
        const origin = await server.ready();
        const callSid = newSid('CA');
        const { body } = await askProcess(origin, '/voice', callSid);
        server.signal('SIGTERM');
        await server.line('draining');

        const { socket, say, heard } = await openMedia(origin, mediaUrl(body), callSid);
        await within(5_000, 'the first audio', heard);
        const closed = once(socket, 'close');
        say((messages) => messages.stop());
        expect((await askProcess(origin, '/voice/next', callSid)).status).toBe(200);
        await closed;
        const carrier = carrierOf(origin);
        const completed = { ...webhookParams(callSid), CallStatus: 'completed' };
        expect((await carrier.ask(carrier.resolve('/voice/status'), completed)).status).toBe(204);
        expect(await within(5_000, 'the end of the process', server.exit)).toBe(0);
        expect(server.lines.find(({ msg }) => msg === 'call ended')).toMatchObject({ reason: 'caller_hung_up' });
      },
      { script },
    ),
  );

  test('stops at once without a call', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const server = start();
      await server.ready();
      server.signal('SIGTERM');
      expect(await within(3_000, 'the end of the process', server.exit)).toBe(0);
    }),
  );
});

describe.concurrent('a process that cannot start', () => {
  /** Ends with 1 after this text on standard error and nothing on standard output but warnings. */
  async function expectRefusal(server: ServerProcess): Promise<string[]> {
    expect(await within(10_000, 'the end of the process', server.exit)).toBe(1);
    expect(server.lines.filter(({ level }) => level !== 'warn')).toEqual([]);
    expect(server.stderr).not.toMatch(/\n\s+at /);
    expect(server.stderr).not.toContain(API_KEY);
    return server.stderr.trimEnd().split('\n');
  }

  test('says in one sentence that its port is taken', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
      const { port } = taken.address() as AddressInfo;
      try {
        const lines = await expectRefusal(start({ PORT: `${port}` }));
        expect(lines).toEqual([expect.stringMatching(new RegExp(`^cannot listen on 127.0.0.1:${port} .*PORT`))]);
      } finally {
        taken.close();
      }
    }),
  );

  test('says in one sentence that its data folder cannot be written', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const file = join(await mkdtemp(join(root, 'file-')), 'data');
      await writeFile(file, 'not a folder');
      for (const path of [file, join(file, 'below')]) {
        const lines = await expectRefusal(start({ DATA_DIR: path }));
        expect(lines).toEqual([expect.stringMatching(/^the data folder \S+ cannot be written .*DATA_DIR/)]);
        expect(lines[0]).toContain(path);
      }
    }),
  );

  test('names the part of its data folder that cannot be written', { timeout: 30_000 }, () =>
    withProcesses(async (start) => {
      const folders = ['calls', 'entries', 'nodes', 'journal'];
      const refusals = folders.map(async (name) => {
        const data = await mkdtemp(join(root, 'data-'));
        await writeFile(join(data, name), 'not a folder');
        const lines = await expectRefusal(start({ DATA_DIR: data }));
        expect(lines).toEqual([expect.stringMatching(/^the data folder \S+ cannot be written \(ENOTDIR\).*DATA_DIR/)]);
        expect(lines[0]).toContain(join(data, name));
      });
      await Promise.all(refusals);
    }),
  );

  const BAD_ENVIRONMENT = {
    PORT: '99999',
    PUBLIC_URL: 'ftp://calls.example.com',
    LOG_LEVEL: 'loud',
    MAX_CALL_SECONDS: '0',
    TWILIO_ACCOUNT_SID: 'AC12',
  };

  test('names every fault of its environment at once', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const lines = await expectRefusal(start({ ...BAD_ENVIRONMENT, OPENAI_API_KEY: `${API_KEY} with a blank` }));
      for (const name of [...Object.keys(BAD_ENVIRONMENT), 'OPENAI_API_KEY'])
        expect(lines.filter((line) => line.startsWith(`  ${name}: expected `))).toHaveLength(1);
      expect(lines).toHaveLength(7);
    }),
  );

  const AGENT_FAULTS = [
    /one\.yaml:4:12: .*tool_ms.*expected/,
    /one\.yaml:5:1: .*voise/,
    /two\.yaml:1:11: .*answers.*expected/,
    /two\.yaml:3:10: .*speed.*expected/,
    /two\.yaml:\d+:\d+: .*instructions.*expected/,
  ];

  async function badAgents(): Promise<string> {
    const folder = await mkdtemp(join(root, 'agents-'));
    const one = 'answers: ["*"]\ninstructions: Be kind.\nlimits:\n  tool_ms: soon\nvoise: marin\n';
    await writeFile(join(folder, 'one.yaml'), one);
    await writeFile(join(folder, 'two.yaml'), 'answers: [+1500]\nmodel:\n  speed: 9\n');
    return folder;
  }

  test('names every fault of its agent files, with file, line and column', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const lines = await expectRefusal(start({ AGENTS_DIR: await badAgents() }));
      for (const fault of AGENT_FAULTS)
        expect(
          lines.filter((line) => fault.test(line)),
          `${fault}`,
        ).toHaveLength(1);
    }),
  );

  test('names the faults of its environment and of its agent files together', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const lines = await expectRefusal(start({ AGENTS_DIR: await badAgents(), ...BAD_ENVIRONMENT }));
      for (const name of Object.keys(BAD_ENVIRONMENT))
        expect(lines.filter((line) => line.includes(`${name}: expected `))).toHaveLength(1);
      for (const fault of AGENT_FAULTS)
        expect(
          lines.filter((line) => fault.test(line)),
          `${fault}`,
        ).toHaveLength(1);
    }),
  );
});

describe.concurrent('a tool that leaves trouble behind', () => {
  const TOOLS = `const parameters = { type: 'object', properties: {} };
    export default [
      { name: 'forgets', description: 'x', parameters, run() { void Promise.reject(new Error('left behind')); return 'ok'; } },
      { name: 'throws', description: 'x', parameters, run() { setTimeout(() => { throw new Error('left behind'); }); return 'ok'; } },
    ];`;
  const goodbye = { items: [{ say: ['clinic_goodbye'] }, { tool: 'end_call', arguments: {} }] };
  const leaving = (tool: string): Script => ({
    greeting: { items: [{ say: ['short_ok'] }] },
    turns: [{ items: [{ tool, arguments: {} }] }, goodbye],
    afterTool: { [tool]: { items: [{ say: ['short_ok'] }] } },
  });

  async function agents(): Promise<Record<string, string>> {
    const folder = await mkdtemp(join(root, 'agents-'));
    await writeFile(join(folder, 'tools.mjs'), TOOLS);
    await writeFile(join(folder, 'desk.yaml'), 'answers: ["*"]\ninstructions: Be kind.\ntools: tools.mjs\n');
    return { AGENTS_DIR: folder };
  }

  /** Two callers; one makes the tool run. Then both come to their proper ends. */
  async function twoCalls(server: ServerProcess, line: string): Promise<void> {
    const origin = await server.ready();
    const asks = { cue: { after: 'agent_silent', forMs: 300 }, action: { say: question() } } as const;
    const [one, other] = [callProcess(origin, { track: { steps: [asks, asks] } }), callProcess(origin)];
    expect(await server.line(line)).toMatchObject({ err: { type: 'Error' } });
    const { verbs, heard } = await one.ended;
    expect(verbs.map(({ name }) => name)).toEqual(['Connect', 'Hangup']);
    expect(heard.at(-1)?.bytes.includes(clip('clinic_goodbye').audio)).toBe(true);
    other.hangUp();
    await other.ended;
  }

  const ends = ({ lines }: ServerProcess): unknown[] =>
    lines.filter(({ msg }) => msg === 'call ended').map(({ reason }) => reason);

  test('a promise it forgot is told, and nobody else hears of it', { timeout: 40_000 }, () =>
    withProcesses(
      async (start) => {
        const server = start(await agents());
        await twoCalls(server, 'unhandled rejection');
        expect(ends(server)).toEqual(['agent_goodbye', 'caller_hung_up']);
        const origin = await server.ready();
        expect((await fetch(`${origin}/readyz`)).status).toBe(200);
      },
      { script: leaving('forgets') },
    ),
  );

  test(
    'a throw out of nowhere lets every call come to its end; the process takes no more and exits with 1',
    {
      timeout: 40_000,
    },
    () =>
      withProcesses(
        async (start) => {
          const server = start(await agents());
          await twoCalls(server, 'uncaught exception');
          expect(await within(5_000, 'the end of the process', server.exit)).toBe(1);
          expect(ends(server)).toEqual(['agent_goodbye', 'caller_hung_up']);
        },
        { script: leaving('throws') },
      ),
  );
});

describe.concurrent('two processes of one data folder', () => {
  test('the second tells the carrier what follows a call of the first, ended or killed', { timeout: 40_000 }, () =>
    withProcesses(
      async (start) => {
        const agents = join(await mkdtemp(join(root, 'agents-')), 'agents');
        await mkdir(agents);
        await writeFile(join(agents, 'sorry.wav'), writeWav([clip('short_ok').audio]));
        await writeFile(
          join(agents, 'desk.yaml'),
          `answers: ["*"]\ninstructions: Be kind.\nfailure:\n  forward_to: "${PERSON}"\n  apology: sorry.wav\n  apology_text: Okay.\n`,
        );
        const [first, second] = [start({ AGENTS_DIR: agents }), start({ AGENTS_DIR: agents })];
        const [origin, other] = await Promise.all([first.ready(), second.ready()]);

        const done = callProcess(origin, {
          track: { steps: [{ cue: { after: 'agent_silent', forMs: 200 }, action: { say: question() } }] },
        });
        const killed = callProcess(origin);
        await done.ended;
        expect(await whatFollows(other, done.callSid)).toEqual(['Hangup']);

        // What the carrier is to do if its process dies was stored when the call was let in.
        first.signal('SIGKILL');
        await first.exit;
        const { verbs } = await within(10_000, 'the end of the call', killed.ended);
        expect(verbs.map(({ name }) => name)).toEqual(['Connect']);
        expect(await whatFollows(other, killed.callSid)).toEqual(['Dial', 'Hangup']);
        // A webhook of a call that went on is a replay for every process.
        expect((await askProcess(other, '/voice', done.callSid)).status).toBe(403);
        expect(await whatFollows(other, webhookParams().CallSid as string)).toEqual(['Hangup']);
      },
      { script },
    ),
  );
});

/** The statuses of what the carrier asked, status callbacks left out. */
const withoutCallbacks = (http: readonly HttpExchange[]): number[] =>
  http.filter(({ path }) => path !== '/voice/status').map(({ status }) => status);

/** The verbs that follow the media of a call. */
async function whatFollows(origin: string, callSid: string): Promise<string[]> {
  const { body, contentType } = await askProcess(origin, '/voice/next', callSid);
  return readTwiml(body, contentType).map(({ name }) => name);
}

function expectNoSecrets({ lines, stderr }: ServerProcess): void {
  const text = lines.map((line) => JSON.stringify(line)).join('\n') + stderr;
  for (const secret of [AUTH_TOKEN, API_KEY]) expect(text).not.toContain(secret);
  expect(text).not.toMatch(/\+\d{6,}/);
}

/** Asks for readiness on the connection that the agent keeps. */
async function probe(origin: string, agent: Agent) {
  const [response] = await once(get(`${origin}/readyz`, { agent }), 'response');
  const { localPort } = response.socket;
  return {
    status: response.statusCode,
    connection: response.headers.connection,
    body: await json(response),
    localPort,
  };
}
