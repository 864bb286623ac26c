// The sample clinic's appointment service, as a process of its own: what it answers, whom, and that nothing is booked twice.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startClinic } from '../../agents/clinic/service/start.ts';
import { ClinicClient, DANA, readOperations, SAMUEL, setFaults, TODAY } from './clinic-client.ts';
import { clinicHere, type Here } from './here.ts';

let folder: string;
let service: Here;
let database: string;
let client: ClinicClient;
let operations: Awaited<ReturnType<typeof readOperations>>;
const seen = new Set<string>();
let nth = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trunkline-clinic-'));
  operations = await readOperations();
});
afterAll(async () => {
  await service?.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const answer of client?.seen ?? []) seen.add(answer);
  await service?.close();
  database = join(folder, `${++nth}.db`);
  service = await clinicHere({ database, today: TODAY });
  client = new ClinicClient(service, operations);
});

/** What the database itself says. */
function rows(sql: string, ...values: string[]): Record<string, unknown>[] {
  const db = new DatabaseSync(database, { readOnly: true });
  try {
    // Plain objects: node's have no prototype, which makes them unequal to all others.
    return db
      .prepare(sql)
      .all(...values)
      .map((row) => ({ ...row }));
  } finally {
    db.close();
  }
}

const booked = (slot: string) => rows(`SELECT patient FROM appointments WHERE slot = ? AND status = 'booked'`, slot);

describe('who is asking', () => {
  test('number and date of birth together are a patient; a wrong pair does not tell which one is wrong', async () => {
    expect(await client.ask('findPatient', DANA)).toMatchObject({ status: 200, body: { name: 'Dana Reyes' } });
    const wrongBirth = await client.ask('findPatient', { ...DANA, date_of_birth: '2003-01-09' });
    const wrongNumber = await client.ask('findPatient', { ...DANA, number: '9999999999' });
    expect(wrongBirth.status).toBe(404);
    expect(wrongNumber).toEqual(wrongBirth);
  });

  test('five wrong tries lock a number, also one that there is not, and also for the right date', async () => {
    for (const number of [DANA.number, '9999999999']) {
      for (let i = 0; i < 5; i++)
        expect(await client.refusal('findPatient', { number, date_of_birth: `1990-01-0${i + 1}` })).toBe(
          '404 patient_not_found',
        );
      expect(await client.refusal('findPatient', { number, date_of_birth: DANA.date_of_birth })).toBe('423 locked');
    }
    expect((await client.ask('findPatient', SAMUEL)).status).toBe(200);
  });

  test('a right try ends the count', async () => {
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 4; i++) await client.refusal('findPatient', { ...DANA, date_of_birth: '1990-01-01' });
      await client.patient();
    }
  });

  test('the other patients, who have no date of birth, cannot be found', async () => {
    expect(await client.refusal('findPatient', { number: 'other 0', date_of_birth: '' })).toBe('400 invalid_request');
    expect(await client.refusal('findPatient', { ...DANA, date_of_birth: '2003-02-30' })).toBe('400 invalid_request');
  });

  test('without its token nothing is answered, and its faults have a token of their own', async () => {
    for (const name of operations.keys())
      expect(await client.refusal(name, { patient_id: 'x', appointment_id: 'y' }, { token: 'wrong' })).toBe(
        '401 unauthorized',
      );
    for (const token of [service.token, 'wrong']) {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const answer = await fetch(`${service.origin}/_faults`, { method: 'POST', headers, body: '{"faults":[]}' });
      expect(answer.status).toBe(404);
    }
  });

  test('another patient’s appointments are as if they were not there', async () => {
    const dana = await client.patient();
    const samuel = await client.patient(SAMUEL);
    const { body } = await client.ask('listAppointments', { patient_id: dana });
    const id = body.appointments[0].id as string;
    const [slot = ''] = await client.slots();
    expect((await client.ask('listAppointments', { patient_id: samuel })).body).toEqual({ appointments: [] });
    const theirs = { patient_id: samuel, appointment_id: id };
    expect(await client.refusal('cancelAppointment', theirs)).toBe('404 appointment_not_found');
    expect(await client.refusal('moveAppointment', { ...theirs, slot_id: slot })).toBe('404 appointment_not_found');
    expect((await client.ask('listAppointments', { patient_id: dana })).body).toEqual(body);
  });

  test.each([
    ['listAppointments', {}, '404 patient_not_found'],
    ['bookAppointment', { slot_id: 'mori-20261124-0930' }, '404 patient_not_found'],
    ['moveAppointment', { appointment_id: 'A1', slot_id: 'mori-20261124-0930' }, '404 patient_not_found'],
    ['cancelAppointment', { appointment_id: 'A1' }, '404 patient_not_found'],
  ])('%s refuses a patient that nobody found, and an id that is none', async (name, rest, expected) => {
    expect(await client.refusal(name, { patient_id: 'pt_0123456789abcdef', ...rest })).toBe(expected);
    for (const patient of [`' OR 1=1 --`, '../slots', 'PT_0123456789ABCDEF'])
      expect(await client.refusal(name, { patient_id: patient, ...rest })).toBe('400 invalid_request');
  });
});

describe('free times', () => {
  test('the earliest five from tomorrow on, with the day of the week, and which day it is', async () => {
    const { body } = await client.ask('listSlots');
    expect(body).toMatchObject({ today: TODAY, weekday: 'friday', more: true });
    const starts = (body.slots as { starts: string }[]).map((slot) => slot.starts);
    expect(starts).toHaveLength(5);
    expect(starts).toEqual(starts.toSorted());
    expect(starts[0]! > TODAY).toBe(true);
  });

  test('by doctor, specialty, weekday, part of the day and days', async () => {
    const mori = await client.ask('listSlots', { doctor: 'mori', weekday: 'tuesday' });
    expect(mori.body.slots[0]).toEqual({
      id: 'mori-20261124-0930',
      starts: '2026-11-24T09:30',
      weekday: 'tuesday',
      doctor: 'Dr. Mori',
      specialty: 'general',
    });
    const skin = await client.ask('listSlots', { specialty: 'dermatology', part_of_day: 'morning' });
    expect(skin.body).toMatchObject({ slots: [], more: false });
    const oneDay = await client.ask('listSlots', { from: '2026-11-25', to: '2026-11-25', doctor: 'okafor' });
    expect(oneDay.body.slots.length).toBeGreaterThan(0);
    for (const { starts } of oneDay.body.slots as { starts: string }[]) expect(starts.slice(0, 10)).toBe('2026-11-25');
    const past = await client.ask('listSlots', { from: '2020-01-01', to: '2020-02-01' });
    expect(past.body.slots).toEqual([]);
  });

  test.each([
    { from: '2026-13-01' },
    { from: '2026-02-30' },
    { from: 'tomorrow' },
    { from: '2026-12-02', to: '2026-12-01' },
    { doctor: 'who' },
    { doctor: "mori' OR '1'='1" },
    { unknown: 'x' },
  ])('refuses %o', async (query) => {
    expect(await client.refusal('listSlots', query as unknown as Record<string, string>)).toBe('400 invalid_request');
  });

  test('two services on the same day know the same', async () => {
    const other = await startClinic({ today: TODAY });
    try {
      const query = { doctor: 'sato' };
      expect(await new ClinicClient(other, operations).ask('listSlots', query)).toEqual(
        await client.ask('listSlots', query),
      );
    } finally {
      await other.close();
    }
  });

  test('the next day adds the times of a further day and brings nothing back that was cancelled', async () => {
    const patient = await client.patient();
    const before = rows('SELECT count(*) AS n FROM slots')[0]?.['n'];
    const { appointments } = (await client.ask('listAppointments', { patient_id: patient })).body;
    await client.ask('cancelAppointment', { patient_id: patient, appointment_id: appointments[0].id });
    await service.close();
    service = await startClinic({ database, today: '2026-11-23' });
    client = new ClinicClient(service, operations);
    expect(Number(rows('SELECT count(*) AS n FROM slots')[0]?.['n'])).toBeGreaterThan(Number(before));
    expect((await client.ask('listAppointments', { patient_id: patient })).body).toEqual({ appointments: [] });
    expect((await client.ask('listSlots')).body.slots[0].starts >= '2026-11-24').toBe(true);
  });
});

describe('appointments', () => {
  test('booked, moved and cancelled: each time is free again for others', async () => {
    const patient = await client.patient();
    const [first = '', second = ''] = await client.slots({ doctor: 'mori', weekday: 'tuesday' });
    const made = await client.ask('bookAppointment', { patient_id: patient, slot_id: first, reason: 'back pain' });
    expect(made).toMatchObject({
      status: 201,
      body: { status: 'booked', starts: '2026-11-24T09:30', reason: 'back pain' },
    });
    expect(await client.slots({ doctor: 'mori', weekday: 'tuesday' })).not.toContain(first);
    const own = { patient_id: patient, appointment_id: made.body.id as string };

    const moved = await client.ask('moveAppointment', { ...own, slot_id: second });
    expect(moved).toMatchObject({ status: 200, body: { id: made.body.id, status: 'booked', weekday: 'tuesday' } });
    expect(await client.slots({ doctor: 'mori', weekday: 'tuesday' })).toContain(first);
    expect(booked(first)).toEqual([]);
    expect(booked(second)).toEqual([{ patient }]);
    // Where it already is.
    expect(await client.ask('moveAppointment', { ...own, slot_id: second })).toEqual(moved);

    const cancelled = await client.ask('cancelAppointment', own);
    expect(cancelled).toMatchObject({ status: 200, body: { id: made.body.id, status: 'cancelled' } });
    expect(await client.ask('cancelAppointment', own)).toEqual(cancelled);
    expect(await client.slots({ doctor: 'mori', weekday: 'tuesday' })).toContain(second);
    expect(await client.refusal('moveAppointment', { ...own, slot_id: first })).toBe('409 appointment_cancelled');
  });

  test('what cannot be had is refused, and nothing changes', async () => {
    const patient = await client.patient();
    const samuel = await client.patient(SAMUEL);
    const [slot = ''] = await client.slots({ doctor: 'mori' });
    await client.ask('bookAppointment', { patient_id: samuel, slot_id: slot });
    const before = rows('SELECT * FROM appointments');
    const mine = (slot_id: string) => client.refusal('bookAppointment', { patient_id: patient, slot_id });
    expect(await mine(slot)).toBe('409 slot_taken');
    expect(await mine('mori-20261124-0900')).toBe('409 slot_taken');
    expect(await mine('mori-20261126-1400')).toBe('409 already_booked');
    expect(await mine('lindt-20261126-1400')).toBe(
      rows(`SELECT 1 FROM appointments WHERE slot = 'lindt-20261126-1400'`).length > 0
        ? '409 slot_taken'
        : '409 elsewhere',
    );
    expect(await mine('mori-20991124-0900')).toBe('404 slot_not_found');
    expect(await mine('; DROP TABLE slots')).toBe('400 invalid_request');
    const id = rows('SELECT number FROM appointments WHERE patient = ?', patient)[0]?.['number'];
    const move = { patient_id: patient, appointment_id: `A${String(id)}`, slot_id: slot };
    expect(await client.refusal('moveAppointment', move)).toBe('409 slot_taken');
    expect(rows('SELECT * FROM appointments')).toEqual(before);
  });

  test('a patient cannot fill the calendar', async () => {
    const patient = await client.patient(SAMUEL);
    const said: string[] = [];
    for (let i = 0; i < 12; i++) {
      const [slot = ''] = await client.slots({ doctor: 'lindt' });
      said.push(String((await client.ask('bookAppointment', { patient_id: patient, slot_id: slot })).status));
    }
    expect(said).toEqual([...Array.from({ length: 10 }, () => '201'), '409', '409']);
  });

  test('on the very day nothing is changed', async () => {
    const patient = await client.patient();
    await service.close();
    service = await startClinic({ database, today: '2026-11-26' });
    client = new ClinicClient(service, operations);
    const { appointments } = (await client.ask('listAppointments', { patient_id: patient })).body;
    expect(appointments).toHaveLength(1);
    const own = { patient_id: patient, appointment_id: appointments[0].id as string };
    expect(await client.refusal('cancelAppointment', own)).toBe('409 too_late');
    expect(await client.refusal('bookAppointment', { patient_id: patient, slot_id: 'mori-20261124-0930' })).toBe(
      '409 too_late',
    );
  });

  test('50 at once want the same time: one has it, and 49 are told that it is taken', async () => {
    const patient = await client.patient();
    const samuel = await client.patient(SAMUEL);
    const [slot = ''] = await client.slots({ doctor: 'mori' });
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        client.ask('bookAppointment', { patient_id: i % 2 ? patient : samuel, slot_id: slot }, { key: `race-${i}` }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(49);
    expect(booked(slot)).toHaveLength(1);
  });

  test('two processes of one database, 50 at once, moving and booking: still one', async () => {
    const other = await startClinic({ database, today: TODAY });
    try {
      const second = new ClinicClient(other, operations);
      const patient = await client.patient();
      const samuel = await client.patient(SAMUEL);
      const [slot = ''] = await client.slots({ doctor: 'mori' });
      const { appointments } = (await client.ask('listAppointments', { patient_id: patient })).body;
      const move = { patient_id: patient, appointment_id: appointments[0].id as string, slot_id: slot };
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => {
          const via = i % 2 ? client : second;
          return i % 5 === 0
            ? via.ask('moveAppointment', move, { key: `move-${i}` })
            : via.ask('bookAppointment', { patient_id: samuel, slot_id: slot }, { key: `book-${i}` });
        }),
      );
      expect(new Set(answers.map(({ status }) => status)).size).toBe(2);
      expect(booked(slot)).toHaveLength(1);
      const owner = booked(slot)[0]?.['patient'];
      // The move is idempotent by itself: who has the time is told so every time.
      for (const { status, body } of answers.filter((answer) => answer.status < 300))
        expect([status, body.status, owner]).toEqual(
          owner === patient ? [200, 'booked', patient] : [201, 'booked', samuel],
        );
    } finally {
      await other.close();
    }
  });
});

describe('asked twice', () => {
  test('the same key and request have the same answer, also 50 at once and after a restart', async () => {
    const patient = await client.patient();
    const [slot = '', second = ''] = await client.slots({ doctor: 'mori' });
    const request = { patient_id: patient, slot_id: slot, reason: 'check-up' };
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => client.ask('bookAppointment', request, { key: 'k1' })),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.status).toBe(201);
    // Moved meanwhile: the answer is still that of the booking.
    const appointment = answers[0]?.body.id as string;
    await client.ask('moveAppointment', { patient_id: patient, appointment_id: appointment, slot_id: second });
    await service.close();
    service = await startClinic({ database, today: TODAY });
    client = new ClinicClient(service, operations);
    expect(
      await client.ask('bookAppointment', { reason: 'check-up', slot_id: slot, patient_id: patient }, { key: 'k1' }),
    ).toEqual(answers[0]);
    expect(booked(slot)).toEqual([]);
    expect(booked(second)).toEqual([{ patient }]);
  });

  test('the same key with another request is refused: body, patient or operation', async () => {
    const patient = await client.patient();
    const samuel = await client.patient(SAMUEL);
    const [slot = '', second = ''] = await client.slots({ doctor: 'mori' });
    const { body } = await client.ask('bookAppointment', { patient_id: patient, slot_id: slot }, { key: 'k' });
    const reused = '422 idempotency_key_reused';
    const own = { patient_id: patient, appointment_id: body.id as string };
    expect(await client.refusal('bookAppointment', { patient_id: patient, slot_id: second }, { key: 'k' })).toBe(
      reused,
    );
    expect(await client.refusal('bookAppointment', { patient_id: samuel, slot_id: slot }, { key: 'k' })).toBe(reused);
    expect(await client.refusal('cancelAppointment', own, { key: 'k' })).toBe(reused);
    expect(await client.refusal('moveAppointment', { ...own, slot_id: second }, { key: 'k' })).toBe(reused);
    expect(
      await client.refusal('bookAppointment', { patient_id: patient, slot_id: second }, { key: 'x'.repeat(201) }),
    ).toBe('400 invalid_request');
    expect(booked(slot)).toEqual([{ patient }]);
    expect(booked(second)).toEqual([]);
  });

  test('what was refused did nothing and is decided again', async () => {
    const patient = await client.patient();
    const samuel = await client.patient(SAMUEL);
    const [slot = ''] = await client.slots({ doctor: 'mori' });
    const taken = await client.ask('bookAppointment', { patient_id: samuel, slot_id: slot });
    const request = { patient_id: patient, slot_id: slot };
    expect(await client.refusal('bookAppointment', request, { key: 'again' })).toBe('409 slot_taken');
    await client.ask('cancelAppointment', { patient_id: samuel, appointment_id: taken.body.id as string });
    expect((await client.ask('bookAppointment', request, { key: 'again' })).status).toBe(201);
  });

  test('an answer that is lost after the booking, or cut in the middle, is had by asking again', async () => {
    const patient = await client.patient();
    for (const kind of ['lost', 'cut'] as const) {
      const [slot = ''] = await client.slots({ doctor: 'mori' });
      await setFaults(service, [{ kind, operation: 'bookAppointment', times: 1 }]);
      const request = { patient_id: patient, slot_id: slot };
      await expect(client.ask('bookAppointment', request, { key: kind })).rejects.toThrow(/fetch failed|terminated/);
      expect(booked(slot)).toEqual([{ patient }]);
      expect(await client.ask('bookAppointment', request, { key: kind })).toMatchObject({
        status: 201,
        body: { status: 'booked' },
      });
      expect(booked(slot)).toEqual([{ patient }]);
      expect(await setFaults(service, [])).toEqual([{ kind, struck: 1 }]);
    }
  });
});

test('every answer that the document promises was seen in the tests above', () => {
  for (const answer of client.seen) seen.add(answer);
  expect(client.promised.filter((answer) => !seen.has(answer))).toEqual([]);
});
