// Recorded callers do their business with the sample agents: the real server, the real services as processes of their own, and
// in the end what the caller heard, what the record says and what the database holds are the same.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { startClinic } from '../../agents/clinic/service/start.ts';
import { startOrders } from '../../agents/orders/service/start.ts';
import type { RunningService } from '../../agents/services/child-service.ts';
import type { Fault } from '../../agents/services/faults.ts';
import type { CallRecord } from '../../src/record/call-record.ts';
import { setFaults } from '../businesses/clinic-client.ts';

// Calls speak in real time, but each has a server, a simulator and a service of its own.
vi.setConfig({ maxConcurrency: 4 });

const AGENTS = fileURLToPath(new URL('../../agents', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../src/trunkline.mjs', import.meta.url));
const CALLERS = fileURLToPath(new URL('../fixtures/replay', import.meta.url));
/** A Friday: the first patient's appointment is on the Thursday after, and Dr. Mori is free on the Tuesday before that. */
const TODAY = '2026-11-20';
const THURSDAY = 'mori-20261126-1400';
const TUESDAY = 'mori-20261124-0930';
/**
 * Each conversation takes some forty seconds: two stand for all in the suite, .ci/run and `RECORDED_CALLS=all` play every
 * one.
 */
const ALL = process.env['RECORDED_CALLS'] === 'all';
if (!ALL) console.log('recorded businesses: two of twelve conversations; RECORDED_CALLS=all plays every one');
/** The longest conversation takes 45 s. */
const TIMEOUT = { timeout: 120_000 };

type Printed = Error & { stdout: string };

interface Played {
  record: CallRecord;
  /** Of the service's database. */
  rows: (sql: string) => Record<string, unknown>[];
}

/**
 * Lets a recorded caller call, with services that fail once as told. The call has met all the expectations of its caller file
 * when `check` looks at what is left of it.
 */
async function play(
  caller: string,
  faults: Fault['kind'][],
  check: (played: Played) => void | Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-businesses-'));
  const running: RunningService[] = [];
  try {
    const clinic = await startClinic({ database: join(folder, 'clinic.db'), today: TODAY });
    running.push(clinic);
    const orders = await startOrders({ database: join(folder, 'orders.db'), today: TODAY });
    running.push(orders);
    const business = caller.startsWith('orders') ? orders : clinic;
    const operation = caller.startsWith('orders') ? 'open_return' : 'bookAppointment';
    await setFaults(
      business,
      faults.map((kind) => ({ kind, operation, times: 1 })),
    );

    const env = {
      PATH: process.env['PATH'] ?? '',
      AGENTS_DIR: AGENTS,
      DATA_DIR: join(folder, 'data'),
      CLINIC_URL: clinic.origin,
      CLINIC_TOKEN: clinic.token,
      ORDERS_URL: orders.origin,
      ORDERS_TOKEN: orders.token,
    };
    const args = [PROGRAM, 'replay', join(CALLERS, `${caller}.yaml`), '--out', join(folder, 'kept')];
    // Rejects with all that it printed when an expectation was not met.
    await promisify(execFile)(process.execPath, args, { cwd: folder, env, timeout: 110_000 }).catch(
      (error: Printed) => {
        throw new Error(`${error.message}\n${error.stdout}`);
      },
    );
    // Every fault that was set has happened, or the test would prove nothing.
    for (const { kind, struck } of await setFaults(business, [])) expect({ kind, struck }).toEqual({ kind, struck: 1 });
    const record = JSON.parse(await readFile(join(folder, 'kept', caller, 'record.json'), 'utf8')) as CallRecord;
    const db = new DatabaseSync(join(folder, business === clinic ? 'clinic.db' : 'orders.db'), { readOnly: true });
    try {
      // Plain objects: node's have no prototype, which makes them unequal to all others.
      await check({
        record,
        rows: (sql) =>
          db
            .prepare(sql)
            .all()
            .map((row) => ({ ...row })),
      });
    } finally {
      db.close();
    }
  } finally {
    await Promise.all(running.map((service) => service.close()));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The recorded patient's appointments, in the order of their making. */
const APPOINTMENTS = `SELECT a.number, a.slot, a.status FROM appointments a JOIN patients p ON p.id = a.patient
  WHERE p.number = '1000190210' ORDER BY a.number`;

const booked = (slot: string) => ({ number: expect.any(Number) as number, slot, status: 'booked' });

/** What a tool of the call answered the last time it succeeded. */
function answerOf({ record }: Played, name: string): Record<string, unknown> {
  const tool = record.tools.findLast((one) => one.name === name && one.status === 'ok');
  return JSON.parse(tool?.output ?? 'null') as Record<string, unknown>;
}

/** What the caller has heard, in lower case. */
const heard = ({ record }: Played): string =>
  record.turns
    .map((turn) => (turn.who === 'agent' ? turn.heardText : ''))
    .join(' ')
    .toLowerCase();

describe.concurrent('the clinic', () => {
  test('a recorded caller books: the caller, the record and the database say the same', TIMEOUT, () =>
    play('clinic-book', [], (played) => {
      const appointments = played.rows(APPOINTMENTS);
      expect(appointments).toEqual([booked(THURSDAY), booked(TUESDAY)]);
      expect(answerOf(played, 'book_appointment')).toMatchObject({
        id: `A${String(appointments[1]?.['number'])}`,
        status: 'booked',
        starts: '2026-11-24T09:30',
      });
      expect(heard(played)).toContain('it is booked');
    }),
  );

  test.skipIf(!ALL).each(['lost', 'cut'] as const)(
    'the answer is %s after the booking: it is booked once, and the caller is told',
    TIMEOUT,
    (kind) =>
      play('clinic-book', [kind], (played) => {
        expect(played.rows(APPOINTMENTS)).toEqual([booked(THURSDAY), booked(TUESDAY)]);
        // Once over the wire twice: the second time under the key of the first.
        expect(played.rows('SELECT count(*) AS n FROM answers')).toEqual([{ n: 1 }]);
        expect(heard(played)).toContain('it is booked');
      }),
  );

  test.skipIf(!ALL)(
    'a recorded caller moves: the same appointment at another time, the old time is free',
    TIMEOUT,
    () =>
      play('clinic-move', [], (played) => {
        expect(played.rows(APPOINTMENTS)).toEqual([booked(TUESDAY)]);
        expect(
          played.rows(`SELECT count(*) AS n FROM appointments WHERE slot = '${THURSDAY}' AND status = 'booked'`),
        ).toEqual([{ n: 0 }]);
        expect(answerOf(played, 'move_appointment')).toMatchObject({ starts: '2026-11-24T09:30', status: 'booked' });
        expect(heard(played)).toContain('it is moved');
      }),
  );

  test('a recorded caller cancels: only after the read-back and the yes', TIMEOUT, () =>
    play('clinic-cancel', [], (played) => {
      expect(played.rows(APPOINTMENTS)).toEqual([{ ...booked(THURSDAY), status: 'cancelled' }]);
      const [first, second] = played.record.tools.filter(({ name }) => name === 'cancel_appointment');
      const [readBackMs = Number.NaN] = played.record.turns.flatMap((turn) =>
        turn.who === 'agent' && /I will cancel/.test(turn.heardText) ? [turn.startAtMs] : [],
      );
      expect(first?.arguments).toBe(second?.arguments);
      expect(first?.atMs).toBeLessThan(readBackMs);
      expect(second?.atMs).toBeGreaterThan(readBackMs);
      expect(heard(played)).toContain('it is cancelled');
    }),
  );

  test.skipIf(!ALL)(
    'the caller is not so sure, the model tries to cancel all the same: nothing is cancelled',
    TIMEOUT,
    () =>
      play('clinic-cancel-refused', [], (played) => {
        expect(played.rows(APPOINTMENTS)).toEqual([booked(THURSDAY)]);
        expect(played.rows('SELECT count(*) AS n FROM answers')).toEqual([{ n: 0 }]);
        expect(heard(played)).toContain('i have not changed anything');
      }),
  );

  test.skipIf(!ALL)('a wrong date of birth, twice: nothing is told, and the service has counted it', TIMEOUT, () =>
    play('clinic-wrong-birth', [], (played) => {
      expect(played.rows(APPOINTMENTS)).toEqual([booked(THURSDAY)]);
      expect(played.rows('SELECT number, tries FROM wrong_tries')).toEqual([{ number: '1000190210', tries: 2 }]);
      const outputs = played.record.tools.map(({ output }) => output ?? '').join(' ');
      expect(outputs).not.toMatch(/Dana|pt_|A\d{3}|mori/);
    }),
  );
});

describe.concurrent('reception', () => {
  test.skipIf(!ALL)('takes the caller: the record says who, and that it worked', TIMEOUT, () =>
    play('clinic-reception', [], ({ record }) => {
      expect(record.transfers.map(({ target, stage }) => `${target} ${stage}`)).toEqual([
        'reception begun',
        'reception taken',
      ]);
      expect(record.tools.at(-1)).toMatchObject({ name: 'transfer_to', output: 'reception took the call.' });
    }),
  );

  test.skipIf(!ALL)('does not answer: the caller is back with the agent, which knows', TIMEOUT, () =>
    play('clinic-reception-away', [], ({ record }) => {
      expect(record.transfers.map(({ target, stage }) => `${target} ${stage}`)).toEqual([
        'reception begun',
        'reception missed',
      ]);
      expect(record.end.reason).toBe('agent_goodbye');
    }),
  );
});

describe.concurrent('the orders', () => {
  test.skipIf(!ALL)('a recorded caller has an order traced over HTTP: nothing changes', TIMEOUT, () =>
    play('orders-trace', [], (played) => {
      expect(answerOf(played, 'trace_order')).toMatchObject({ order: '10001', status: 'delivered' });
      expect(played.rows('SELECT * FROM returns')).toEqual([]);
    }),
  );

  test.skipIf(!ALL)('a recorded caller opens a return over MCP: one, of the order that was traced', TIMEOUT, () =>
    play('orders-return', [], (played) => {
      expect(played.rows('SELECT "order", item, reason FROM returns')).toEqual([
        { order: '10001', item: 1, reason: 'wrong colour' },
      ]);
      expect(answerOf(played, 'open_return')).toMatchObject({ id: 'R1001', name: 'desk lamp' });
      expect(heard(played)).toContain('your return is open');
    }),
  );

  test.skipIf(!ALL)('the answer of the MCP server is lost after the return was opened: at most one', TIMEOUT, () =>
    play('orders-return-lost', ['lost'], (played) => {
      expect(played.rows('SELECT "order", item FROM returns')).toEqual([{ order: '10001', item: 1 }]);
      // Nobody knows: the caller is not told that it is open.
      expect(heard(played)).not.toContain('your return is open');
    }),
  );
});
