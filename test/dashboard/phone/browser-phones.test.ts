// Calls from a browser through the whole product: what a caller hears, how a call ends and who ended it, where a browser cannot
// follow, and what orders of the server do. The caller's side is the page's own code.
import { once } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import type { Script } from '../../../src/simulator/script.ts';
import { type E2e, type E2eOptions, interruption, withE2e, within } from '../../support/e2e.ts';
import { calls, DESK, errandAgent, farewell, says, target } from '../../support/errands.ts';
import { longestStallMs } from '../../support/stall.ts';
import { BrowserDoor, type BrowserDoorOptions, GUEST } from './browser.ts';

vi.setConfig({ maxConcurrency: 6, testTimeout: 60_000 });

/** For what comes soon, on a machine that runs everything at once. */
const PATIENT = { timeout: 8_000 };

const greeting = (ms: number): Script => ({
  greeting: { items: [{ stampedMs: ms }] },
  turns: [farewell],
  fallback: farewell,
});

const withBrowser = (
  options: E2eOptions & { door?: BrowserDoorOptions },
  body: (door: BrowserDoor, e2e: E2e) => Promise<void>,
): Promise<void> =>
  withE2e(options, async (e2e) => {
    const door = await new BrowserDoor(e2e, options.door).open();
    try {
      await body(door, e2e);
    } finally {
      await door.close();
    }
  });

describe.concurrent('a call from a browser', () => {
  test('rings, hears the greeting to its end, and every mark comes back played', () =>
    withBrowser({ simulator: { script: greeting(900) } }, async (door, e2e) => {
      const caller = door.call();
      await caller.connected();
      expect(caller.received[0]).toMatchObject({ event: 'ringing' });
      expect(caller.state.callId).toBe(e2e.callId(caller.callSid));
      await caller.until('the greeting', () => caller.playedMs >= 900);
      await caller.until(
        'its last mark',
        () => caller.marks.length > 0 && caller.marks.length === caller.count('mark'),
      );
      expect(caller.marks.every(({ by }) => by === 'played')).toBe(true);
      expect(caller.bytesReceived).toBe(7_200);
      caller.line.hangUp();
      const record = await e2e.record(caller.callSid);
      expect(record.end).toMatchObject({ reason: 'caller_hung_up', by: 'caller' });
      // The mark of the very last sound may have been on its way yet.
      expect(record.turns).toMatchObject([{ who: 'agent' }]);
      expect((record.turns[0] as { heardMs: number }).heardMs).toBeGreaterThanOrEqual(850);
      expect(door.warnings).toEqual([]);
      expect(door.admitted).toEqual([`operator:Ada ${record.callId}`]);
    }));

  test('is heard, answered, and ended by the agent', () =>
    withBrowser({ agent: { greeting: null }, simulator: { script: greeting(0) } }, async (door, e2e) => {
      const caller = door.call();
      await caller.connected();
      caller.say(interruption());
      await caller.ended(20_000);
      expect(caller.state.end).toEqual({ by: 'server', why: 'completed' });
      await caller.until('the close', () => caller.closeCode !== null);
      const record = await e2e.record(caller.callSid);
      expect(record.end).toMatchObject({ reason: 'agent_goodbye', by: 'agent' });
      expect(caller.playedMs).toBeCloseTo(300, -1);
    }));

  test('interrupts: a clear comes, the rest is thrown away, and the heard position is right', () =>
    withBrowser({ simulator: { script: greeting(8_000) } }, async (door, e2e) => {
      const caller = door.call();
      await caller.until('some of the greeting', () => caller.playedMs >= 1_000);
      caller.say(interruption());
      await caller.until('the clear', () => caller.count('clear') > 0);
      await caller.until('the dropped marks', () => caller.marks.some(({ by }) => by === 'cleared'));
      await caller.ended(20_000);
      const record = await e2e.record(caller.callSid);
      expect(record.turns[0]).toMatchObject({ who: 'agent', outcome: 'interrupted' });
      const told = (record.turns[0] as { heardMs: number }).heardMs;
      // Server and loudspeaker share one thread here: while it stands still, nothing is on its way.
      expect(Math.abs(told - (caller.clearedAtMs[0] as number))).toBeLessThanOrEqual(40 + longestStallMs());
    }));

  test('presses keys, which the agent gets', () =>
    withBrowser({ agent: { greeting: null }, simulator: { script: greeting(0) } }, async (door, e2e) => {
      const caller = door.call();
      await caller.connected();
      for (const digit of '42#') caller.line.press(digit);
      await vi.waitFor(async () => {
        const { clientEvents } = await e2e.session();
        expect(JSON.stringify(clientEvents)).toMatch(/4 2|42/);
      }, PATIENT);
      expect(() => caller.line.press('x')).toThrow(RangeError);
      caller.line.hangUp();
      await caller.ended();
    }));

  test('whose connection is lost ends within a second, as a caller who hung up', () =>
    withBrowser({ simulator: { script: greeting(8_000) } }, async (door, e2e) => {
      const caller = door.call();
      await caller.until('some of the greeting', () => caller.playedMs >= 300);
      const vanishedMs = performance.now();
      caller.vanish();
      await vi.waitFor(() => expect(e2e.server.calls.live).toBe(0), { ...PATIENT, interval: 5 });
      // A second, and what the machine may be late.
      expect(performance.now() - vanishedMs).toBeLessThan(2_000);
      const record = await e2e.record(caller.callSid);
      expect(record.end).toMatchObject({ reason: 'caller_hung_up', by: 'caller' });
      expect(caller.state.end).toEqual({ by: 'server', why: 'socket_lost' });
    }));

  test('who hangs up before anybody answers leaves nothing behind', () =>
    withBrowser({ simulator: { script: greeting(500) } }, async (door, e2e) => {
      const caller = door.call();
      await caller.until('the ringing', () => caller.state.phase === 'ringing');
      caller.line.hangUp();
      await caller.until('the close', () => caller.closeCode !== null);
      await vi.waitFor(() => expect([door.phones.live, e2e.server.calls.live]).toEqual([0, 0]), PATIENT);
      expect(door.warnings).toEqual([]);
    }));

  test('calls under the name that was given; a guest under that of the link, and as nobody else', () =>
    withBrowser({ simulator: { script: greeting(100) } }, async (door, e2e) => {
      const operator = door.call({ name: 'front desk' });
      await operator.connected();
      const guests = await new BrowserDoor(e2e, { who: GUEST }).open();
      const guest = guests.call({ name: 'front desk' });
      await guest.connected();
      const names = e2e.admitted.map(({ incoming }) => incoming.from);
      expect(names).toEqual([
        { kind: 'client', value: 'front-desk' },
        { kind: 'client', value: 'guest-Grace' },
      ]);
      for (const caller of [operator, guest]) caller.line.hangUp();
      await guests.close();
    }));

  test('reaches an agent by a word that it answers, and is told what an agent that is full says', () =>
    withBrowser(
      {
        agent: ({ limits }) => ({ answers: ['frontdesk'], limits: { ...limits, maxConcurrentCalls: 1 } }),
        simulator: { script: greeting(500) },
      },
      async (door, e2e) => {
        const first = door.call({ to: 'frontdesk' });
        await first.connected();
        expect(e2e.admitted[0]?.incoming.to).toMatchObject({ kind: 'sip' });
        const second = door.call({ to: 'frontdesk' });
        await second.ended();
        expect(second.state.end).toEqual({ by: 'server', why: 'busy' });
        const nobody = door.call({ to: '+15005550999' });
        await nobody.ended();
        expect(nobody.state.end?.by).toBe('server');
        expect(e2e.admitted).toHaveLength(1);
        first.line.hangUp();
        await first.ended();
      },
    ));
});

describe.concurrent('where a browser cannot follow', () => {
  const agent = errandAgent({ transfer: { reception: target('cold') } });
  const script: Script = {
    fallback: farewell,
    turns: [calls('transfer_to', { target: 'reception', summary: 'Wants a person.' }, 300), farewell],
    afterTool: { transfer_to: says(300) },
  };

  test.for([
    { who: 'an operator is told the number', door: {}, words: DESK },
    { who: 'a guest is not', door: { who: GUEST }, words: 'a person' },
  ])('it says so, and the call goes back to the agent: $who', ({ door: options, words }) =>
    withBrowser({ agent, simulator: { script }, door: options }, async (door, e2e) => {
      const caller = door.call();
      await caller.connected();
      caller.say(interruption());
      await caller.until('the second stream', () => caller.count('stream') === 2, 30_000);
      expect(caller.state.notices).toMatchObject([
        { kind: 'dial', text: `The agent would now connect you to ${words}; a browser cannot follow there.` },
      ]);
      expect(caller.state.phase).toBe('connected');
      caller.say(interruption());
      await caller.ended(20_000);
      const record = await e2e.record(caller.callSid);
      expect(record.end.reason).toBe('agent_goodbye');
      expect(record.transfers.map(({ stage }) => stage)).toEqual(['begun', 'missed']);
    }),
  );
});

describe.concurrent('hostile browsers', () => {
  const options = { simulator: { script: greeting(3_000) } };

  test('garbage is counted and ends the socket; nothing of it reaches a call', () =>
    withBrowser(options, async (door, e2e) => {
      const caller = door.call();
      await caller.connected();
      for (let i = 0; i <= 100; i++) caller.socket.send(i % 2 === 0 ? 'garbage' : '[1]');
      await caller.until('the close', () => caller.closeCode !== null);
      expect(caller.closeCode).toBe(1008);
      const record = await e2e.record(caller.callSid);
      expect(record.end.reason).toBe('caller_hung_up');
    }));

  test('a flood ends the call at once', () =>
    withBrowser(options, async (door, e2e) => {
      const caller = door.call();
      await caller.connected();
      const frame = JSON.stringify({ event: 'media', media: { payload: 'AAAA' } });
      for (let i = 0; i < 3_000; i++) caller.socket.send(frame);
      await caller.until('the close', () => caller.closeCode !== null);
      expect(caller.closeCode).toBe(1008);
      await vi.waitFor(() => expect([door.phones.live, e2e.server.calls.live]).toEqual([0, 0]), PATIENT);
    }));

  test('a frame of a megabyte, and one of a binary kind, end or are ignored', () =>
    withBrowser(options, async (door, e2e) => {
      const caller = door.call();
      await caller.connected();
      caller.socket.send(Buffer.alloc(1_000), { binary: true });
      caller.socket.send('x'.repeat(1024 * 1024));
      await caller.until('the close', () => caller.closeCode !== null);
      expect(caller.closeCode).toBe(1009);
      await vi.waitFor(() => expect(e2e.server.calls.live).toBe(0), PATIENT);
    }));

  test('a dial of half a letter, which no address can hold, is garbage and ends nothing', () =>
    withBrowser(options, async (door, e2e) => {
      for (const to of ['a\\ud800', '\\udc00', 'a\\u0000b']) {
        const socket = door.socket();
        await once(socket, 'open');
        socket.send(`{"event":"dial","to":"${to}"}`);
        // It is still waited for one that can be dialled.
        socket.send(JSON.stringify({ event: 'dial', to: '+15005550001' }));
        const [ringing] = (await once(socket, 'message')) as [Buffer];
        expect(JSON.parse(ringing.toString())).toMatchObject({ event: 'ringing' });
        socket.close();
      }
      await vi.waitFor(() => expect([door.phones.live, e2e.server.calls.live]).toEqual([0, 0]), PATIENT);
    }));

  test('many bytes in few frames end the call before they hold up everybody else', () =>
    withBrowser(options, async (door) => {
      const [large, many] = [door.call(), door.call()];
      await large.connected();
      await many.connected();
      const nested = (depth: number): string =>
        `{"event":"mark","mark":{"name":"x"},"more":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      large.socket.send(nested(4_100));
      for (let i = 0; i < 200; i++) many.socket.send(nested(3_900));
      for (const caller of [large, many]) {
        await caller.until('the close', () => caller.closeCode !== null);
        expect(caller.closeCode).toBe(1008);
      }
    }));

  test('a second dial, and a dial of nonsense, place no call', () =>
    withBrowser(options, async (door, e2e) => {
      const caller = door.call();
      await caller.connected();
      caller.socket.send(JSON.stringify({ event: 'dial', to: '+15005550002' }));
      caller.socket.send(JSON.stringify({ event: 'dial', to: '', more: 1 }));
      await caller.until('the greeting', () => caller.playedMs > 500);
      expect(e2e.admitted).toHaveLength(1);
      expect(door.phones.live).toBe(1);
      caller.line.hangUp();
      await caller.ended();
    }));

  test('a start for another call, or another account, ends the stream and gets nothing', () =>
    withBrowser(options, async (door, e2e) => {
      const other = door.call();
      await other.connected();
      const socket = door.socket();
      const events: string[] = [];
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      socket.on('open', () => socket.send(JSON.stringify({ event: 'dial', to: '+15005550001' })));
      socket.on('message', (data) => {
        const message = JSON.parse((data as Buffer).toString()) as { event: string; streamSid?: string };
        events.push(message.event);
        if (message.event === 'say') socket.send(JSON.stringify({ event: 'said' }));
        if (message.event !== 'stream') return;
        const start = { callSid: other.callSid, accountSid: 'ACx', streamSid: message.streamSid };
        socket.send(JSON.stringify({ event: 'start', streamSid: message.streamSid, start }));
      });
      socket.on('close', () => resolve());
      await within(10_000, 'the end of the impostor', closed);
      // What a caller hears whose media never began is the apology, read by the carrier.
      expect(events).toEqual(['ringing', 'stream', 'stream_over', 'say', 'ended']);
      expect(other.state.phase).toBe('connected');
      other.line.hangUp();
      await vi.waitFor(() => expect(e2e.server.calls.live).toBe(0), PATIENT);
    }));

  test('twenty calls at a time; the next is told so, and there is room again when one has ended', () =>
    withBrowser({ simulator: { script: greeting(200) } }, async (door) => {
      const callers = Array.from({ length: 20 }, () => door.call());
      await Promise.all(callers.map((caller) => caller.connected()));
      const late = door.call();
      await late.ended();
      expect(late.state.end).toEqual({ by: 'server', why: 'full' });
      callers[0]?.line.hangUp();
      await vi.waitFor(() => expect(door.phones.live).toBe(19), PATIENT);
      const next = door.call();
      await next.connected();
      for (const caller of [...callers, next]) caller.line.hangUp();
      await vi.waitFor(() => expect(door.phones.live).toBe(0), PATIENT);
    }));
});
