// The sample agents' tools as they are declared, run by the product against the real services: what a model can make of them,
// and what it cannot.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DANA, SAMUEL, setFaults, TODAY } from './clinic-client.ts';
import { type DeclaredCall, openDeclared } from './declared-tools.ts';
import { clinicHere, type Here, ordersHere } from './here.ts';

let folder: string;
let database: string;
let service: Here;
let call: DeclaredCall;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trunkline-agents-'));
  database = join(folder, 'service.db');
});
afterEach(async () => {
  await call.opened.close();
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

function rows(sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(database, { readOnly: true });
  try {
    return db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    db.close();
  }
}

/** What a tool that succeeded told the model. */
async function told(name: string, args: Record<string, unknown> = {}, agreed = false) {
  const { status, output } = await call.ask(name, args, agreed);
  expect([name, status, output]).toEqual([name, 'ok', output]);
  // oxlint-disable-next-line no-explicit-any
  return JSON.parse(output) as any;
}

const statusOf = async (name: string, args: Record<string, unknown> = {}, agreed = false) =>
  (await call.ask(name, args, agreed)).status;

describe('the clinic', () => {
  const dana = `SELECT slot, status FROM appointments WHERE patient = (SELECT id FROM patients WHERE number = '${DANA.number}') ORDER BY number`;
  const thursday = { slot: 'mori-20261126-1400', status: 'booked' };

  beforeEach(async () => {
    service = await clinicHere({ database, today: TODAY });
    call = await openDeclared('clinic', { CLINIC_URL: service.origin, CLINIC_TOKEN: service.token });
  });

  test('the model sees six tools, none of which asks who the patient is or under which key', () => {
    const tools = call.opened.tools();
    expect(tools.map(({ name, policy }) => [name, policy?.effect])).toEqual([
      ['find_patient', 'reads'],
      ['list_slots', 'reads'],
      ['list_appointments', 'reads'],
      ['book_appointment', 'writes'],
      ['move_appointment', 'writes'],
      ['cancel_appointment', 'irreversible'],
    ]);
    const argumentsOf = ({ parameters, policy }: (typeof tools)[number]) =>
      Object.keys(parameters['properties'] as object).filter((name) => !(name in (policy?.fill ?? {})));
    expect(tools.map(argumentsOf)).toEqual([
      ['number', 'date_of_birth'],
      ['doctor', 'specialty', 'from', 'to', 'weekday', 'part_of_day'],
      [],
      ['slot_id', 'reason'],
      ['appointment_id', 'slot_id'],
      ['appointment_id'],
    ]);
    for (const { description } of tools) expect(description.length).toBeGreaterThan(20);
  });

  test('finds, books, moves and cancels, and the database agrees', async () => {
    expect(await told('find_patient', DANA)).toEqual({ name: 'Dana Reyes' });
    const { slots } = await told('list_slots', { doctor: 'mori', weekday: 'tuesday' });
    expect(Object.keys(slots[0])).toEqual(['id', 'starts', 'weekday', 'doctor']);
    const made = await told('book_appointment', { slot_id: slots[0].id, reason: 'cough' });
    expect(rows(dana)).toEqual([thursday, { slot: slots[0].id, status: 'booked' }]);
    const { appointments } = await told('list_appointments');
    expect(appointments).toHaveLength(2);
    await told('move_appointment', { appointment_id: made.id, slot_id: slots[1].id });
    expect(rows(dana)).toEqual([thursday, { slot: slots[1].id, status: 'booked' }]);
    expect(await statusOf('cancel_appointment', { appointment_id: made.id })).toBe('unconfirmed');
    expect(rows(dana)).toEqual([thursday, { slot: slots[1].id, status: 'booked' }]);
    expect(await told('cancel_appointment', { appointment_id: made.id }, true)).toMatchObject({ status: 'cancelled' });
    expect(rows(dana)).toEqual([thursday, { slot: slots[1].id, status: 'cancelled' }]);
  });

  test('booked, asked twice, cancelled and booked again in one call: what the caller was told is what the database holds', async () => {
    await told('find_patient', DANA);
    const slot_id = 'mori-20261124-0930';
    await told('list_slots', { doctor: 'mori' });
    await told('list_appointments');
    const first = await told('book_appointment', { slot_id });
    const again = await call.ask('book_appointment', { slot_id });
    expect([again.status, again.output]).toEqual(['ok', expect.stringContaining(first.id)]);
    expect(rows(dana)).toEqual([thursday, { slot: slot_id, status: 'booked' }]);
    await told('cancel_appointment', { appointment_id: first.id }, true);
    const anew = await call.ask('book_appointment', { slot_id });
    const booked = { slot: slot_id, status: 'booked' };
    expect(anew.status).toBe('ok');
    expect(rows(dana)).toEqual([thursday, { slot: slot_id, status: 'cancelled' }, booked]);
  });

  test('nothing about appointments before the patient is known, and nothing of another patient afterwards', async () => {
    const samuel = rows(`SELECT id FROM patients WHERE number = '${SAMUEL.number}'`)[0]?.['id'];
    const tries: [name: string, args: Record<string, unknown>][] = [
      ['list_appointments', {}],
      ['list_appointments', { patient_id: samuel }],
      ['book_appointment', { slot_id: 'mori-20261124-0930' }],
      ['cancel_appointment', { appointment_id: 'A1' }],
    ];
    for (const [name, args] of tries) expect([name, await statusOf(name, args)]).not.toEqual([name, 'ok']);
    expect(await statusOf('find_patient', { ...DANA, date_of_birth: '1990-01-01' })).toBe('failed');
    expect(await statusOf('list_appointments')).toBe('refused');
    await told('find_patient', DANA);
    const [other] = rows(
      `SELECT number FROM appointments WHERE patient <> (SELECT id FROM patients WHERE number = '${DANA.number}')`,
    );
    await told('list_appointments');
    const theirs = { appointment_id: `A${String(other?.['number'])}` };
    expect(await statusOf('cancel_appointment', theirs, true)).toBe('failed');
    expect(await statusOf('move_appointment', { ...theirs, slot_id: 'mori-20261124-0930' })).toBe('failed');
    // Whose they are is not taken from the model.
    const named = await call.ask('list_appointments', { patient_id: samuel });
    expect([named.status, named.output]).toEqual(['refused', expect.stringContaining('patient_id')]);
    expect(rows(dana)).toEqual([thursday]);
    call.nextCall();
    expect(await statusOf('list_appointments')).toBe('refused');
  });

  test('an answer that is lost after the booking: tried again under the same key, booked once', async () => {
    await told('find_patient', DANA);
    const { slots } = await told('list_slots', { doctor: 'mori' });
    for (const [i, kind] of (['lost', 'cut'] as const).entries()) {
      await setFaults(service, [{ kind, operation: 'bookAppointment', times: 1 }]);
      expect(await told('book_appointment', { slot_id: slots[i].id })).toMatchObject({ status: 'booked' });
      expect(await setFaults(service, [])).toEqual([{ kind, struck: 1 }]);
    }
    expect(rows(dana)).toEqual([
      thursday,
      { slot: slots[0].id, status: 'booked' },
      { slot: slots[1].id, status: 'booked' },
    ]);
  });

  test.each(['error', 'html', 'huge', 'hang', 'latency'] as const)(
    'a service that only knows %s: a short answer within the deadline, and nothing booked',
    async (kind) => {
      await told('find_patient', DANA);
      const { slots } = await told('list_slots', { doctor: 'mori' });
      await setFaults(service, [{ kind, operation: 'bookAppointment', ms: 30_000 }]);
      const before = performance.now();
      const { status, output } = await call.ask('book_appointment', { slot_id: slots[0].id });
      expect(performance.now() - before).toBeLessThan(4_000);
      expect(['failed', 'timed_out', 'unavailable']).toContain(status);
      expect(output.length).toBeLessThan(400);
      expect(output).not.toMatch(/<html|xxxx|demo|Bearer/i);
      if (kind !== 'huge') expect(rows(dana)).toEqual([thursday]);
    },
  );
});

describe('the orders', () => {
  beforeEach(async () => {
    service = await ordersHere({ database, today: TODAY });
    call = await openDeclared('orders', { ORDERS_URL: service.origin, ORDERS_TOKEN: service.token });
  });

  test('traces an order, lists and opens returns of that order, once', async () => {
    expect(call.opened.waiting).toEqual([]);
    expect(call.opened.tools().map(({ name }) => name)).toEqual([
      'trace_order',
      'latest_orders',
      'list_returns',
      'open_return',
    ]);
    expect(await statusOf('open_return', { item: 1, reason: 'broken' })).toBe('refused');
    expect(await told('trace_order', { order: '10001', postcode: '90210' })).toMatchObject({ status: 'delivered' });
    expect(await told('list_returns')).toEqual({ returns: [] });
    expect(await told('open_return', { item: 1, reason: 'broken' })).toEqual({
      id: 'R1001',
      name: 'desk lamp',
      send_back_by: '2026-12-19',
    });
    expect(rows('SELECT "order", item FROM returns')).toEqual([{ order: '10001', item: 1 }]);
    expect(await told('latest_orders', { phone: '+15005550006', postcode: '90210' })).toHaveProperty(
      'orders.length',
      3,
    );
  });

  test('an order that was not traced in this call cannot be returned', async () => {
    expect(await statusOf('trace_order', { order: '20001', postcode: '90210' })).toBe('failed');
    await told('trace_order', { order: '10001', postcode: '90210' });
    expect(await statusOf('open_return', { order: '20001', item: 1, reason: 'not mine' })).toBe('refused');
    expect(rows('SELECT "order" FROM returns')).toEqual([]);
    expect(await statusOf('trace_order', { order: '../../mcp', postcode: '90210' })).toBe('invalid');
  });
});
