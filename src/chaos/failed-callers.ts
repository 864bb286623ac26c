// Callers who ring just before the one that counts and find the model failing: after them its circuit is open.
import { setTimeout as sleep } from 'node:timers/promises';
import type { PhoneCall } from '../phone/phone.ts';

/** Each of them fails twice at least while they wait; the circuit opens at the fifth failure. */
const CALLERS = 4;
/** Shorter than the circuit stays open. */
const WAIT_MS = 1_800;

/** @param place rings the agent whose model fails */
export async function failCallers(place: () => PhoneCall): Promise<void> {
  const phones = Array.from({ length: CALLERS }, place);
  await sleep(WAIT_MS);
  for (const phone of phones) phone.hangUp();
  await Promise.all(phones.map(({ ended }) => ended));
}
