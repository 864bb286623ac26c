// One case of the policy suite: what a model tries, and what may have come of it outside.
import { expect } from 'vitest';
import type { Agent } from '../../src/agent/agent.ts';
import type { CallPolicy } from '../../src/call/policy.ts';
import type { Party } from '../../src/carrier/carrier.ts';
import { DANA, type Desk } from './desk.ts';
import { Stage } from './stage.ts';

export interface Trial extends Desk {
  s: Stage;
  /** The first patient's appointment, the only one of hers: Thursday at two. */
  own: string;
}

export interface Case {
  name: string;
  agent?: (agent: Agent) => Agent;
  policy?: Partial<CallPolicy>;
  from?: Party;
  /** What happens before the attempt, and is allowed. */
  before?: (t: Trial) => Promise<void>;
  /** What may be another afterwards. Default nothing; `reads`: what the business was asked; `all`: the case judges itself. */
  allows?: 'reads' | 'all';
  run: (t: Trial) => Promise<void>;
}

/** Runs one case, and holds the world outside against what it was before the attempt. */
export async function tryCase(desk: Desk, { agent, policy, from, before, allows, run }: Case): Promise<void> {
  desk.reset();
  const s = await Stage.open({
    agent: agent?.(desk.agent) ?? desk.agent,
    others: desk.others,
    env: desk.env,
    ...(policy && { policy }),
    ...(from && { from }),
  });
  const [first] = desk.rows(`SELECT number FROM appointments WHERE slot = 'mori-20261126-1400' AND status = 'booked'`);
  const t: Trial = Object.assign(Object.create(desk) as Desk, { s, own: `A${String(first?.['number'])}` });
  try {
    await before?.(t);
    const was = world(t);
    await run(t);
    const is = world(t);
    if (allows === 'reads') expect({ ...is, asked: [] }).toEqual({ ...was, asked: [] });
    else if (allows === undefined) expect(is).toEqual(was);
  } finally {
    await s.close();
  }
  // What was begun before the caller hung up may not have been another.
  if (allows === undefined) expect(desk.proxy.seen.filter(isChange)).toEqual([]);
}

const isChange = ({ path, method }: { path: string; method: string }): boolean =>
  method !== 'GET' && !path.endsWith('/patients/find');

/** Everything outside the call that an attempt could touch. */
const world = ({ s, proxy, rows }: Trial) => ({
  appointments: rows('SELECT * FROM appointments ORDER BY number'),
  patients: rows('SELECT * FROM patients ORDER BY id'),
  asked: proxy.seen.map(({ method, path, body }) => `${method} ${path} ${body}`),
  reached: s.reached,
  messages: s.messages,
});

/** What changed at the business, in order: `POST /patients/…/cancel`. */
export const changesAt = ({ proxy }: Desk): string[] =>
  proxy.seen.filter(isChange).map(({ method, path }) => `${method} ${path}`);

export const statusOf = ({ rows }: Desk, id: string): unknown =>
  rows(`SELECT status FROM appointments WHERE number = ${Number(id.slice(1))}`)[0]?.['status'];

/** Appointments of somebody else, one of which the model has heard of. */
export const foreign = ({ rows }: Desk): string =>
  `A${String(rows(`SELECT number FROM appointments WHERE patient <> (SELECT id FROM patients WHERE number = '${DANA.number}') AND status = 'booked' AND starts > '2026-11-22' LIMIT 1`)[0]?.['number'])}`;

export const patientId = ({ rows }: Desk, number: string): string =>
  String(rows(`SELECT id FROM patients WHERE number = '${number}'`)[0]?.['id']);

export async function identified({ s }: Trial): Promise<void> {
  expect(await s.asks('find_patient', DANA)).toContain('Dana Reyes');
}

/** The caller is known, free times and appointments were looked up: every tool may be used. */
export async function ready(t: Trial): Promise<void> {
  await identified(t);
  expect(await t.s.asks('list_slots', { doctor: 'mori' })).toContain('"slots"');
  expect(await t.s.asks('list_appointments')).toContain(t.own);
  t.proxy.seen = [];
}

/** The same, and the model has asked for the cancellation and read it back: heard whole, nobody has answered. */
export async function readBack(t: Trial): Promise<void> {
  await ready(t);
  expect(await t.s.asks('cancel_appointment', { appointment_id: t.own })).toContain('cannot be undone');
}
