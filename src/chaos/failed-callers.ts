// Callers who ring just before the one that counts and find the model failing: after them its circuit is open.
import { setTimeout as sleep } from 'node:timers/promises';
import type { PhoneCall } from '../phone/phone.ts';

/** Each counts as one failure; the circuit opens at the fifth. */
const CALLERS = 6;
/** Shorter than the circuit stays open. */
const WAIT_MS = 800;

/** @param place rings the agent whose model fails */
export async function failCallers(place: () => PhoneCall): Promise<void> {
  const phones = Array.from({ length: CALLERS }, place);
  await sleep(WAIT_MS);
  for (const phone of phones) phone.hangUp();
  await Promise.all(phones.map(({ ended }) => ended));
}
