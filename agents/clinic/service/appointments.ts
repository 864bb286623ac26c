// Free times and appointments. What two callers may want at once is decided by the database's unique indexes, never by what
// was read before; callers of this file give it a transaction.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { Refusal } from '../../services/refusal.ts';
import { WEEKDAYS, weekdayOf } from '../../services/days.ts';

export interface Slot {
  id: string;
  /** Wall clock of the clinic, `2026-11-24T09:30`. */
  starts: string;
  weekday: string;
  doctor: string;
  specialty: string;
}

export interface Appointment {
  id: string;
  status: 'booked' | 'cancelled';
  starts: string;
  weekday: string;
  doctor: string;
  reason?: string;
}

export interface SlotQuery {
  doctor?: string;
  specialty?: string;
  from?: string;
  to?: string;
  weekday?: string;
  part_of_day?: 'morning' | 'afternoon';
}

/** Every slot is read out to somebody. */
const MAX_SLOTS = 5;
/** Coming appointments of one patient. */
const MAX_APPOINTMENTS = 10;

type Row = Record<string, SQLOutputValue>;

/** The earliest free times from tomorrow on. */
export function listSlots(db: DatabaseSync, query: SlotQuery, today: string) {
  const where = [
    's.starts >= ?',
    `NOT EXISTS (SELECT 1 FROM appointments a WHERE a.slot = s.id AND a.status = 'booked')`,
  ];
  const values: string[] = [later(today, query.from)];
  const also = (condition: string, value: string | undefined) => {
    if (value === undefined) return;
    where.push(condition);
    values.push(value);
  };
  also('s.doctor = ?', query.doctor);
  also('d.specialty = ?', query.specialty);
  also('s.starts <= ?', query.to && `${query.to}T24`);
  also(`strftime('%w', s.starts) = ?`, query.weekday && String(WEEKDAYS.findIndex((day) => day === query.weekday)));
  if (query.part_of_day) where.push(`substr(s.starts, 12) ${query.part_of_day === 'morning' ? '<' : '>='} '12:00'`);
  const rows = db
    .prepare(
      `SELECT s.id, s.starts, d.name AS doctor, d.specialty FROM slots s JOIN doctors d ON d.id = s.doctor
       WHERE ${where.join(' AND ')} ORDER BY s.starts, s.id LIMIT ${MAX_SLOTS + 1}`,
    )
    .all(...values);
  const slots = rows.slice(0, MAX_SLOTS).map(slotOf);
  return { today, weekday: weekdayOf(today), slots, more: rows.length > MAX_SLOTS };
}

/** Nothing is offered, booked or changed on the very day: that is the desk's. */
const later = (today: string, from = '') => (from > today ? from : `${today}T24`);
const isOver = (starts: string, today: string) => starts.slice(0, 10) <= today;

/** @throws Refusal 404 for an id that is nobody's */
export function listAppointments(db: DatabaseSync, patient: string, today: string) {
  knownPatient(db, patient);
  const rows = db
    .prepare(`${APPOINTMENT} WHERE a.patient = ? AND a.status = 'booked' AND a.starts >= ? ORDER BY a.starts LIMIT ?`)
    .all(patient, today, MAX_APPOINTMENTS);
  return { appointments: rows.map(appointmentOf) };
}

/** @throws Refusal 404 without such a patient or time, 409 when it cannot be had */
export function book(db: DatabaseSync, patient: string, slot: string, reason: string | undefined, today: string) {
  knownPatient(db, patient);
  const starts = freeSlot(db, patient, slot, today);
  const { n } = db
    .prepare(`SELECT count(*) AS n FROM appointments WHERE patient = ? AND status = 'booked' AND starts > ?`)
    .get(patient, today) as { n: number };
  if (n >= MAX_APPOINTMENTS)
    throw new Refusal(409, 'too_many_appointments', 'This patient already has as many appointments as can be booked.');
  const added = taking(() =>
    db
      .prepare(`INSERT INTO appointments (patient, slot, starts, status, reason) VALUES (?, ?, ?, 'booked', ?)`)
      .run(patient, slot, starts, reason ?? null),
  );
  return ownAppointment(db, patient, `A${added.lastInsertRowid}`);
}

/** @throws Refusal as `book`, and 404 for an appointment of somebody else */
export function move(db: DatabaseSync, patient: string, id: string, slot: string, today: string): Appointment {
  const now = changeable(db, patient, id, today);
  if (now.status === 'cancelled')
    throw new Refusal(409, 'appointment_cancelled', 'This appointment has been cancelled; book a new one instead.');
  const { slot: old } = db.prepare('SELECT slot FROM appointments WHERE number = ?').get(numberOf(id)) as {
    slot: string;
  };
  if (old === slot) return now;
  const starts = freeSlot(db, patient, slot, today);
  taking(() =>
    db.prepare('UPDATE appointments SET slot = ?, starts = ? WHERE number = ?').run(slot, starts, numberOf(id)),
  );
  return ownAppointment(db, patient, id);
}

/** Cancels; one that is cancelled already stays so. @throws Refusal as `move` */
export function cancel(db: DatabaseSync, patient: string, id: string, today: string): Appointment {
  if (changeable(db, patient, id, today).status === 'booked')
    db.prepare(`UPDATE appointments SET status = 'cancelled' WHERE number = ?`).run(numberOf(id));
  return ownAppointment(db, patient, id);
}

const APPOINTMENT = `SELECT 'A' || a.number AS id, a.status, a.starts, a.reason, d.name AS doctor
  FROM appointments a JOIN slots s ON s.id = a.slot JOIN doctors d ON d.id = s.doctor`;

const numberOf = (id: string) => Number(id.slice(1));

function knownPatient(db: DatabaseSync, patient: string): void {
  if (db.prepare('SELECT 1 FROM patients WHERE id = ?').get(patient) === undefined)
    throw new Refusal(404, 'patient_not_found', 'There is no such patient.');
}

/** An appointment that is another patient's is one that there is not. */
function ownAppointment(db: DatabaseSync, patient: string, id: string): Appointment {
  const row = db.prepare(`${APPOINTMENT} WHERE a.number = ? AND a.patient = ?`).get(numberOf(id), patient);
  if (!row) throw new Refusal(404, 'appointment_not_found', 'This patient has no such appointment.');
  return appointmentOf(row);
}

function changeable(db: DatabaseSync, patient: string, id: string, today: string): Appointment {
  knownPatient(db, patient);
  const appointment = ownAppointment(db, patient, id);
  if (isOver(appointment.starts, today))
    throw new Refusal(409, 'too_late', 'Appointments can be changed until the day before; please call the desk.');
  return appointment;
}

/** When it starts. That it is free is only a reading: what counts is whether the index lets it in. */
function freeSlot(db: DatabaseSync, patient: string, slot: string, today: string): string {
  const row = db.prepare('SELECT starts FROM slots WHERE id = ?').get(slot);
  if (!row) throw new Refusal(404, 'slot_not_found', 'There is no such time; ask for free times again.');
  const starts = String(row['starts']);
  if (isOver(starts, today)) throw new Refusal(409, 'too_late', 'This time has passed; ask for free times again.');
  const taken = db.prepare(`SELECT patient FROM appointments WHERE slot = ? AND status = 'booked'`).get(slot);
  if (taken?.['patient'] === patient)
    throw new Refusal(409, 'already_booked', 'This patient already has an appointment at this very time.');
  if (taken) throw new Refusal(409, 'slot_taken', 'Somebody else has taken this time; ask for free times again.');
  return starts;
}

/** Runs what takes a time; that another one was faster, or that the patient is elsewhere then, is a refusal. */
function taking<T>(change: () => T): T {
  try {
    return change();
  } catch (error) {
    const text = error instanceof Error ? error.message : '';
    if (!text.includes('UNIQUE constraint failed')) throw error;
    throw text.includes('appointments.slot')
      ? new Refusal(409, 'slot_taken', 'Somebody else has taken this time; ask for free times again.')
      : new Refusal(409, 'elsewhere', 'This patient has another appointment at the same time.');
  }
}

function slotOf(row: Row): Slot {
  const starts = String(row['starts']);
  return {
    id: String(row['id']),
    starts,
    weekday: weekdayOf(starts),
    doctor: String(row['doctor']),
    specialty: String(row['specialty']),
  };
}

function appointmentOf(row: Row): Appointment {
  const starts = String(row['starts']);
  return {
    id: String(row['id']),
    status: row['status'] === 'booked' ? 'booked' : 'cancelled',
    starts,
    weekday: weekdayOf(starts),
    doctor: String(row['doctor']),
    ...(row['reason'] === null ? {} : { reason: String(row['reason']) }),
  };
}
