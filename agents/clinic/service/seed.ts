// What the clinic's database holds on its first day, and the times that each further day brings. All of it is made up and
// follows from the day alone, so that a test and a demo know what they will find.
import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { dayAfter, weekdayOf } from '../../services/days.ts';
import { seededRandom } from '../../../src/phone/seeded-random.ts';
import { WRONG_TRIES } from '../../services/wrong-tries.ts';

export const SCHEMA = `
CREATE TABLE IF NOT EXISTS doctors (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, specialty TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS patients (
  id TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, born TEXT NOT NULL, name TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS slots (
  id TEXT PRIMARY KEY, doctor TEXT NOT NULL REFERENCES doctors, starts TEXT NOT NULL,
  UNIQUE (doctor, starts)
) STRICT;
CREATE INDEX IF NOT EXISTS slots_by_time ON slots (starts);
CREATE TABLE IF NOT EXISTS appointments (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  patient TEXT NOT NULL REFERENCES patients,
  slot TEXT NOT NULL REFERENCES slots,
  starts TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('booked', 'cancelled')),
  reason TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS appointments_of_a_patient ON appointments (patient, starts);
-- What no race can get round: a time has one patient, and a patient is in one place at a time.
CREATE UNIQUE INDEX IF NOT EXISTS one_patient_at_a_time ON appointments (slot) WHERE status = 'booked';
CREATE UNIQUE INDEX IF NOT EXISTS one_place_at_a_time ON appointments (patient, starts) WHERE status = 'booked';
CREATE TABLE IF NOT EXISTS answers (
  key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS answers_by_age ON answers (at_ms);
${WRONG_TRIES}`;

/** How far ahead times are offered. */
const DAYS_AHEAD = 28;
/** Share of the times that other patients have taken. */
const TAKEN = 0.4;

interface Doctor {
  id: string;
  name: string;
  specialty: string;
  /** 0 is Sunday. */
  days: readonly number[];
  times: readonly string[];
}

const MORNING = ['09:00', '09:30', '10:00', '10:30', '11:00', '11:30'];
const AFTERNOON = ['13:30', '14:00', '14:30', '15:00', '15:30', '16:00'];

const DOCTORS: readonly Doctor[] = [
  { id: 'mori', name: 'Dr. Mori', specialty: 'general', days: [2, 4], times: [...MORNING, ...AFTERNOON] },
  { id: 'okafor', name: 'Dr. Okafor', specialty: 'cardiology', days: [1, 3, 5], times: MORNING },
  { id: 'lindt', name: 'Dr. Lindt', specialty: 'dermatology', days: [1, 2, 3, 4, 5], times: AFTERNOON },
  { id: 'sato', name: 'Dr. Sato', specialty: 'pediatrics', days: [1, 2, 4, 5], times: MORNING },
];

/**
 * The patients that scripts and tests speak for. The recorded callers say the first one's number and date of birth
 * ("zero one eight zero three": January 8, 2003).
 */
export const PATIENTS = [
  { number: '1000190210', born: '2003-01-08', name: 'Dana Reyes' },
  { number: '2000190210', born: '1980-06-03', name: 'Samuel Okoye' },
  { number: '3000190210', born: '1957-11-30', name: 'Ingrid Vale' },
] as const;

/** Those who have taken the other times. Nobody knows their dates of birth. */
const OTHERS = 40;

/** Same number, same id, in every database. */
export const patientId = (number: string): string =>
  `pt_${createHash('sha256').update(`patient ${number}`).digest('hex').slice(0, 16)}`;

/** Doctors and patients, where there are none yet, and the first patient's appointment: the next Thursday at two with Dr. Mori. */
export function seed(db: DatabaseSync, today: string): void {
  const doctor = db.prepare('INSERT OR IGNORE INTO doctors (id, name, specialty) VALUES (?, ?, ?)');
  for (const { id, name, specialty } of DOCTORS) doctor.run(id, name, specialty);
  const patient = db.prepare('INSERT OR IGNORE INTO patients (id, number, born, name) VALUES (?, ?, ?, ?)');
  for (let i = 0; i < OTHERS; i++) patient.run(patientId(`other ${i}`), `other ${i}`, '', `Patient ${i}`);
  let first = false;
  for (const { number, born, name } of PATIENTS)
    first = patient.run(patientId(number), number, born, name).changes > 0 || first;
  addDays(db, today);
  if (!first) return;
  let thursday = dayAfter(today, 1);
  while (weekdayOf(thursday) !== 'thursday') thursday = dayAfter(thursday, 1);
  const slot = slotId('mori', thursday, '14:00');
  db.prepare('DELETE FROM appointments WHERE slot = ?').run(slot);
  db.prepare(
    `INSERT INTO appointments (patient, slot, starts, status, reason) VALUES (?, ?, ?, 'booked', 'yearly check-up')`,
  ).run(patientId(PATIENTS[0].number), slot, `${thursday}T14:00`);
}

const slotId = (doctor: string, day: string, time: string): string =>
  `${doctor}-${day.replaceAll('-', '')}-${time.replace(':', '')}`;

/** The times of the coming weeks that are not there yet, some of them taken. */
export function addDays(db: DatabaseSync, today: string): void {
  const insert = db.prepare('INSERT OR IGNORE INTO slots (id, doctor, starts) VALUES (?, ?, ?)');
  const book = db.prepare(
    `INSERT OR IGNORE INTO appointments (patient, slot, starts, status) VALUES (?, ?, ?, 'booked')`,
  );
  for (let ahead = 1; ahead <= DAYS_AHEAD; ahead++) {
    const day = dayAfter(today, ahead);
    const weekday = new Date(`${day}T00:00:00Z`).getUTCDay();
    for (const doctor of DOCTORS.filter(({ days }) => days.includes(weekday)))
      for (const time of doctor.times) {
        const id = slotId(doctor.id, day, time);
        if (insert.run(id, doctor.id, `${day}T${time}`).changes === 0) continue;
        const other = takenBy(id);
        if (other !== null) book.run(patientId(`other ${other}`), id, `${day}T${time}`);
      }
  }
}

/** Which of the others has taken a time, by its id alone. Dr. Mori's nine o'clock always is, half past nine never. */
function takenBy(slot: string): number | null {
  if (/^mori-\d{8}-0930$/.test(slot)) return null;
  const random = seededRandom(createHash('sha256').update(slot).digest().readUInt32LE());
  if (random() >= TAKEN && !/^mori-\d{8}-0900$/.test(slot)) return null;
  return Math.floor(random() * OTHERS);
}
