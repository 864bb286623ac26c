// A new process takes the port while the old one drains: whatever the carrier asks reaches the process that can answer it.
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, test, vi } from 'vitest';
import { newSid } from '../../src/phone/call-params.ts';
import { freePort } from '../../src/peers/doors.ts';
import { clip } from '../../src/simulator/clips.ts';
import type { Script } from '../../src/simulator/script.ts';
import { mediaUrl, question, sumOf, webhookParams, within } from '../support/e2e.ts';
import {
  askProcess,
  callProcess,
  carrierOf,
  openMedia,
  type ServerProcess,
  withProcesses,
} from '../support/server-process.ts';

vi.setConfig({ maxConcurrency: 3 });

const script: Script = {
  greeting: { items: [{ say: ['short_ok'] }] },
  turns: [{ items: [{ say: ['clinic_goodbye'] }, { tool: 'end_call', arguments: {} }] }],
};

/** The environment of processes that share a port. */
async function sharedPort(): Promise<{ origin: string; env: Record<string, string> }> {
  const port = await freePort('127.0.0.1');
  const origin = `http://127.0.0.1:${port}`;
  return { origin, env: { PORT: `${port}`, PUBLIC_URL: origin } };
}

/** The new process is there and the old one has left the port to it. */
async function replaced(old: ServerProcess, start: () => ServerProcess): Promise<ServerProcess> {
  const fresh = start();
  await fresh.ready();
  old.signal('SIGTERM');
  await old.line('another process has the port');
  return fresh;
}

const nodeOf = (twiml: string): string => (mediaUrl(twiml).split('/media/')[1] as string).split('.')[0] as string;

async function passedOn(origin: string): Promise<Record<string, number>> {
  const metrics = await (await fetch(`${origin}/metrics`, { headers: { connection: 'close' } })).text();
  const count = (what: string): [string, number] => [what, sumOf(metrics, 'trunkline_passed_on_total', { what })];
  return Object.fromEntries(['voice', 'next', 'status', 'media'].map(count));
}

/** Only Linux lets two processes share a port. */
describe.skipIf(process.platform !== 'linux')('a process that takes the place of another', { concurrent: true }, () => {
  test(
    'cuts none of three calls: one that talks, one whose media is still to come, one that comes now',
    {
      timeout: 40_000,
    },
    () =>
      withProcesses(
        async (start) => {
          const { origin, env } = await sharedPort();
          const old = start(env);
          await old.ready();
          const talking = callProcess(origin);
          await talking.once('firstAudio');
          const callSid = newSid('CA');
          const { body } = await askProcess(origin, '/voice', callSid);
          const fresh = await replaced(old, () => start(env));

          // The token is the old process's; only the new one can be connected to.
          const late = await openMedia(origin, mediaUrl(body), callSid);
          await within(5_000, 'the first audio', late.heard);
          const fresher = callProcess(origin);
          await fresher.once('firstAudio');

          for (const phone of [talking, fresher]) phone.say(question());
          for (const phone of [talking, fresher]) {
            const { verbs, heard, http, unplayedBytes } = await phone.ended;
            expect(verbs.map(({ name }) => name)).toEqual(['Connect', 'Hangup']);
            expect(http.filter(({ path }) => path !== '/voice/status').map(({ status }) => status)).toEqual([
              200, 101, 200,
            ]);
            expect(http.filter(({ status }) => status >= 300)).toEqual([]);
            expect(heard.at(-1)?.bytes.includes(clip('clinic_goodbye').audio)).toBe(true);
            expect(unplayedBytes).toBe(0);
          }
          const closed = once(late.socket, 'close');
          late.say((messages) => messages.stop());
          expect((await askProcess(origin, '/voice/next', callSid)).status).toBe(200);
          await closed;
          const carrier = carrierOf(origin);
          const completed = { ...webhookParams(callSid), CallStatus: 'completed' };
          expect((await carrier.ask(carrier.resolve('/voice/status'), completed)).status).toBe(204);

          expect(await within(5_000, 'the end of the old process', old.exit)).toBe(0);
          expect(await passedOn(origin)).toEqual({ voice: 0, next: 2, status: 3, media: 1 });
          const ends = (server: ServerProcess) =>
            server.lines.filter(({ msg }) => msg === 'call ended').map(({ reason }) => String(reason));
          expect(ends(old).toSorted()).toEqual(['agent_goodbye', 'caller_hung_up']);
          expect(ends(fresh)).toEqual(['agent_goodbye']);
          for (const { lines } of [old, fresh])
            expect(lines.filter(({ level, msg }) => level !== 'info' && msg !== 'configuration')).toEqual([]);
        },
        { script },
      ),
  );

  test('gets the new call that reaches the old one on a connection kept alive', { timeout: 20_000 }, () =>
    withProcesses(
      async (start) => {
        const { origin, env } = await sharedPort();
        const old = start(env);
        await old.ready();
        const live = callProcess(origin);
        await live.once('firstAudio');
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const callSid = newSid('CA');
        const first = await askOn(agent, origin, '/voice', callSid);
        // In the other order: it drains already when the new one comes.
        old.signal('SIGTERM');
        await old.line('draining');
        await start(env).ready();
        await old.line('another process has the port');

        const second = await askOn(agent, origin, '/voice', newSid('CA'));
        expect(second).toMatchObject({ status: 200, connection: 'close', localPort: first.localPort });
        // What the old one has let in stays its own, also when it is asked again.
        expect((await askProcess(origin, '/voice', callSid)).body).toBe(first.body);
        expect(nodeOf(second.body)).not.toBe(nodeOf(first.body));
        const third = await askOn(agent, origin, '/voice', newSid('CA'));
        expect(third).toMatchObject({ status: 200, connection: 'keep-alive' });
        expect(nodeOf(third.body)).toBe(nodeOf(second.body));
        agent.destroy();
        live.hangUp();
        await live.ended;
      },
      { script },
    ),
  );

  test(
    'lets the process that has a call answer a retry of its webhook, and takes over when that one died',
    {
      timeout: 20_000,
    },
    () =>
      withProcesses(
        async (start, simulator) => {
          const { origin, env } = await sharedPort();
          const old = start(env);
          await old.ready();
          const [callSid, orphan] = [newSid('CA'), newSid('CA')];
          const first = await askProcess(origin, '/voice', callSid);
          const lost = await askProcess(origin, '/voice', orphan);
          await replaced(old, () => start(env));
          const retry = await askProcess(origin, '/voice', callSid);
          expect(retry).toMatchObject({ status: 200, body: first.body });
          expect(simulator.sessions).toHaveLength(2);

          old.signal('SIGKILL');
          await old.exit;
          const taken = await askProcess(origin, '/voice', orphan);
          expect(taken.status).toBe(200);
          expect(nodeOf(taken.body)).not.toBe(nodeOf(lost.body));
          // What the new process has let in, it knows.
          expect((await askProcess(origin, '/voice', orphan)).body).toBe(taken.body);
          const { socket, heard } = await openMedia(origin, mediaUrl(taken.body), orphan);
          await within(5_000, 'the first audio', heard);
          socket.terminate();
        },
        { script },
      ),
  );

  test(
    'leaves the port to the old one again when it dies, so that live calls are answered for',
    { timeout: 30_000 },
    () =>
      withProcesses(
        async (start) => {
          const { origin, env } = await sharedPort();
          const old = start(env);
          await old.ready();
          const talking = callProcess(origin);
          await talking.once('firstAudio');
          const fresh = await replaced(old, () => start(env));
          fresh.signal('SIGKILL');
          await old.line('the other process is gone');

          const probe = await fetch(`${origin}/readyz`, { headers: { connection: 'close' } });
          expect(probe.status).toBe(503);
          expect((await callProcess(origin).ended).callStatus).toBe('busy');
          talking.say(question());
          const { verbs, http } = await talking.ended;
          expect(verbs.map(({ name }) => name)).toEqual(['Connect', 'Hangup']);
          expect(http.filter(({ status }) => status === 0 || status >= 300)).toEqual([]);
          expect(await within(5_000, 'the end of the old process', old.exit)).toBe(0);
        },
        { script },
      ),
  );

  test('is refused the port by a process of another data folder', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const { env } = await sharedPort();
      const old = start(env);
      await old.ready();
      const other = start({ ...env, DATA_DIR: 'elsewhere' });
      expect(await within(10_000, 'the end of the process', other.exit)).toBe(1);
      expect(other.stderr).toMatch(/^cannot listen on 127.0.0.1:\d+ \(EADDRINUSE\)/);
    }),
  );

  test('is refused the port by a process with another token, or with one of its own', { timeout: 30_000 }, () =>
    withProcesses(async (start) => {
      const { env } = await sharedPort();
      const old = start(env);
      await old.ready();
      for (const token of ['another-token-0123456789', '']) {
        const other = start({ ...env, TWILIO_AUTH_TOKEN: token });
        expect(await within(10_000, 'the end of the process', other.exit)).toBe(1);
        expect(other.stderr).toMatch(
          /^cannot listen on 127.0.0.1:\d+: another Trunkline with another TWILIO_AUTH_TOKEN has it; .*PORT/,
        );
        expect(other.stderr).not.toMatch(/another-token|\n\s+at /);
      }
      const same = start(env);
      expect(await same.line('shares the port with another process')).toMatchObject({ level: 'info' });
      await same.ready();
      expect(old.lines.filter(({ msg }) => msg === 'shares the port with another process')).toEqual([]);
    }),
  );
});

test('a process whose data folder has too long a path for a socket works alone, and says so', { timeout: 20_000 }, () =>
  withProcesses(
    async (start) => {
      const folder = 'x'.repeat(120);
      const server = start({ DATA_DIR: folder });
      const phone = callProcess(await server.ready());
      await phone.once('firstAudio');
      phone.hangUp();
      await phone.ended;
      const warnings = server.lines.filter(({ level }) => level === 'warn').map(({ msg }) => msg);
      expect(warnings).toContainEqual(expect.stringContaining('no socket in the data folder'));
    },
    { script },
  ),
);

/** Posts a webhook on the connection that the agent keeps. */
async function askOn(agent: Agent, origin: string, path: string, callSid: string) {
  const carrier = carrierOf(origin);
  const params = webhookParams(callSid);
  const url = carrier.resolve(path);
  const headers = {
    ...carrier.headers(url.href, params),
    'content-type': 'application/x-www-form-urlencoded',
  };
  const asked = request(url, { method: 'POST', agent, headers });
  asked.end(new URLSearchParams(params).toString());
  const [response] = await once(asked, 'response');
  const { localPort } = response.socket;
  return {
    ...{ status: response.statusCode as number, connection: response.headers.connection as string, localPort },
    body: await text(response),
  };
}
