// Every fault of an answer or of a frame that a conversation script can have, from its file, through the real server. A
// fault file without a row here fails.
import { describe, expect, test, vi } from 'vitest';
import {
  answerFaults,
  APOLOGY,
  LONG,
  type Outcome,
  playFault,
  REASSURED_MS,
  WHOLE,
} from '../support/scripted-fault.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 40 });

const stalled = (...before: string[]): Outcome => ({
  reason: 'model_stalled',
  heard: [...before, APOLOGY],
  silentMs: REASSURED_MS,
});
const OUTCOMES: Record<string, Outcome> = {
  'arguments-not-json': { reason: 'agent_goodbye', heard: ['please go on', 'One moment', 'anything else', 'Goodbye'] },
  'failed-insufficient-quota': { reason: 'model_failed', heard: ['please go on', APOLOGY], silentMs: REASSURED_MS },
  'failed-rate-limit': WHOLE,
  'failed-server-error': WHOLE,
  'failed-twice': { reason: 'model_failed', heard: ['please go on', APOLOGY], silentMs: REASSURED_MS },
  'frames-bare': WHOLE,
  'frames-binary': WHOLE,
  'frames-duplicate': WHOLE,
  'frames-huge': WHOLE,
  'frames-malformed-json': WHOLE,
  'frames-not-an-object': WHOLE,
  'frames-nulls': WHOLE,
  'frames-out-of-order': WHOLE,
  'frames-unknown-event': WHOLE,
  'incomplete-content-filter': WHOLE,
  'incomplete-max-tokens': WHOLE,
  'late-deltas': LONG,
  'late-deltas-after-done': LONG,
  mute: stalled(),
  stall: stalled(),
  'stall-mid-answer': stalled('please go on', 'I can help'),
  'stall-pause': LONG,
  'transcription-failed': WHOLE,
};

test('every fault file has a row, and every row a file', () => {
  expect(Object.keys(OUTCOMES).toSorted()).toEqual(answerFaults.toSorted());
});

describe.concurrent('a scripted fault of an answer, through the server', () => {
  test.for(Object.entries(OUTCOMES))('%s', { timeout: 60_000 }, ([name, outcome]) => playFault(name, outcome));
});
