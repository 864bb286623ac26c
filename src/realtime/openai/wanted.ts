// Responses that we want and have not asked for yet. Pure.
import { type Draft, notice, set, type Wanted } from './dialogue-state.ts';

/** More than a call ever waits for. */
const MAX_WAITING = 64;

/** Queues a response to be asked for when it is our move. */
export function want(d: Draft, wanted: Wanted): void {
  const last = d.s.queue.at(-1);
  const queue = last ? [...d.s.queue.slice(0, -1), ...joined(last, wanted)] : [wanted];
  if (queue.length > MAX_WAITING) notice(d, 'answer_dropped');
  set(d, { queue: queue.slice(-MAX_WAITING) });
}

/** Plain answers that wait together are one answer. */
export const joined = (a: Wanted, b: Wanted): Wanted[] =>
  a.say === null && b.say === null ? [{ ...b, ...a, outputs: [...a.outputs, ...b.outputs] }] : [a, b];
