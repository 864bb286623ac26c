// Every fault of a connection or a session that a conversation script can have, from its file, through the real server. A
// fault file without a row here fails.
import { describe, expect, test, vi } from 'vitest';
import {
  APOLOGY,
  connectionFaults,
  LONG,
  type Outcome,
  playFault,
  REASSURED_MS,
  WHOLE,
} from '../support/scripted-fault.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 40 });

const refused: Outcome = { reason: 'model_refused', heard: [APOLOGY], silentMs: REASSURED_MS };
const unreachable: Outcome = { reason: 'model_unreachable', heard: [APOLOGY], silentMs: REASSURED_MS };
/** Each session is lost in the same way; what each said before is heard. */
const lost = (...before: string[]): Outcome => ({ reason: 'model_lost', heard: [...before, APOLOGY], once: false });

const OUTCOMES: Record<string, Outcome> = {
  // A matter of policy: no further session is tried.
  'drop-1008': lost('please go on'),
  'drop-before-greeting': { ...lost(), silentMs: REASSURED_MS },
  'drop-mid-answer-1001': lost('please go on', 'I can help with that'),
  'drop-mid-answer-1006': lost('please go on', 'I can help with that'),
  'drop-mid-answer-1011': lost('please go on', 'I can help with that'),
  // The next session takes up the thought, here with the whole of its text.
  'drop-once': LONG,
  'handshake-401': refused,
  'handshake-429': refused,
  'handshake-429-once': WHOLE,
  'handshake-500': refused,
  'handshake-500-once': WHOLE,
  'handshake-503': refused,
  'handshake-503-once': WHOLE,
  'handshake-hangs': unreachable,
  'handshake-slow': WHOLE,
  'session-expired': lost('please go on'),
  'session-expired-close': lost('please go on'),
  'update-never-confirmed': unreachable,
  'update-refused': refused,
  'update-slow': WHOLE,
};

test('every fault file has a row, and every row a file', () => {
  expect(Object.keys(OUTCOMES).toSorted()).toEqual(connectionFaults.toSorted());
});

describe.concurrent('a scripted fault of the connection, through the server', () => {
  test.for(Object.entries(OUTCOMES))('%s', { timeout: 60_000 }, ([name, outcome]) => playFault(name, outcome));
});
