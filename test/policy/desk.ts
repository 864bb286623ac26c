// The clinic's agent with everything that an agent may have beside its business: people, keypad, messages, notes, another
// agent, guardrails. And its database, which is the same before every case.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { startClinic } from '../../agents/clinic/service/start.ts';
import type { RunningService } from '../../agents/services/child-service.ts';
import type { Agent } from '../../src/agent/agent.ts';
import { loadAgents } from '../../src/agent/load.ts';
import { type BusinessProxy, startProxy } from './business-proxy.ts';

/** A Friday. */
export const TODAY = '2026-11-20';
export const DANA = { number: '1000190210', date_of_birth: '2003-01-08' } as const;
export const SAMUEL = { number: '2000190210', date_of_birth: '1980-06-03' } as const;
export const INGRID = { number: '3000190210', date_of_birth: '1957-11-30' } as const;

export const RECEPTION = '+15005550009';
export const NURSE = '+15005550010';

const AGENTS_DIR = fileURLToPath(new URL('../../agents', import.meta.url));
const BOUNDS = { openaiRealtimeModel: null, maxCallMs: 600_000, idleTimeoutMs: 15_000, maxConcurrentCalls: 100 };

export interface Desk {
  agent: Agent;
  /** Every agent of the folder. */
  others: readonly Agent[];
  clinic: RunningService;
  proxy: BusinessProxy;
  env: Record<string, string>;
  rows: (sql: string) => Record<string, unknown>[];
  /** The database is as it was on its first day, and nothing has been asked. */
  reset: () => void;
  close(): Promise<void>;
}

export async function openDesk(): Promise<Desk> {
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-policy-'));
  const database = join(folder, 'clinic.db');
  const clinic = await startClinic({ database, today: TODAY });
  const proxy = await startProxy(clinic.origin);
  const agents = await loadAgents(AGENTS_DIR, BOUNDS);
  const agent = deskOf(agents.find(({ name }) => name === 'Harbor Clinic') as Agent);
  const db = new DatabaseSync(database, { timeout: 5_000 });
  db.exec('CREATE TABLE first_day AS SELECT * FROM appointments');
  return {
    agent,
    others: agents,
    clinic,
    proxy,
    env: { CLINIC_URL: proxy.origin, CLINIC_TOKEN: clinic.token, ORDERS_TOKEN: 'other' },
    rows: (sql) =>
      db
        .prepare(sql)
        .all()
        .map((row) => ({ ...row })),
    reset() {
      db.exec(
        'BEGIN IMMEDIATE; DELETE FROM appointments; INSERT INTO appointments SELECT * FROM first_day; DELETE FROM wrong_tries; DELETE FROM answers; COMMIT',
      );
      proxy.seen = [];
      proxy.fate = () => null;
    },
    async close() {
      db.close();
      await proxy.close();
      await clinic.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const deskOf = (clinic: Agent): Agent => ({
  ...clinic,
  limits: { ...clinic.limits, toolMs: 6_000 },
  transfer: {
    reception: { to: RECEPTION, how: 'cold', ringSeconds: 20, when: 'The caller asks for a person.' },
    nurse: { to: NURSE, how: 'warm', ringSeconds: 20, when: 'The caller is worried.' },
  },
  keypad: {
    patient_number: { min: 10, max: 10, endKey: '#', timeoutMs: 8_000, sensitive: true, what: 'the patient number' },
    pin: { min: 4, max: 4, endKey: '#', timeoutMs: 8_000, sensitive: true, what: 'the PIN' },
  },
  notes: { dispositions: ['booked', 'cancelled', 'other'] },
  sms: { from: null, perCall: 2 },
  handOff: [{ agent: 'Harbor Goods', when: 'It is about an order.' }],
  guardrails: [
    { name: 'no cards', watch: 'arguments', pattern: '(?:\\d[ -]*){13,19}', instead: 'Never take card numbers.' },
    { name: 'no advice', watch: 'speech', pattern: 'you should take', instead: 'Give no medical advice.' },
  ],
  sources: clinic.sources.map((source) =>
    source.kind !== 'openapi'
      ? source
      : {
          ...source,
          // Of the business tools only the look-up may be given keyed digits, and only those of one field.
          operations: source.operations.map((one) =>
            one.id === 'findPatient' ? { ...one, policy: { ...one.policy, digits: ['patient_number'] } } : one,
          ),
        },
  ),
});
