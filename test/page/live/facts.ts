// Calls, lines and facts of a server as the API tells them, made up by number; some words are hostile, some are Arabic.
import type { LiveCall, LiveEntry, ServerFacts } from '../../../src/dashboard/schemas/live.ts';

export function serverFacts(changes: Partial<ServerFacts> = {}): ServerFacts {
  return {
    ...{ node: 'node-1', version: '0.7.0', startedWallMs: Date.now() - 3_600_000, wallMs: Date.now() },
    ...{ live: 0, maxConcurrentCalls: 120, draining: false, simulated: false, loopDelayMs: 3.1 },
    circuits: [{ name: 'gpt-realtime', state: 'closed' }],
    ...{ spentTodayNanoUsd: 3_412_000_000, dayLimitNanoUsd: 20_000_000_000 },
    store: { state: 'ok', why: '', lagMs: 12 },
    ...changes,
  };
}

const STATES = ['listening', 'caller_speaking', 'thinking', 'speaking', 'tool', 'connecting', 'transferring', 'ending'];
const WORDS = [
  'I would like to book an appointment for next Tuesday, in the afternoon if that is possible',
  'Of course. Doctor Lind has a place at half past two; may I have your name, please?',
  'Yes',
  '<img src=x onerror=alert(1)><script>alert(2)</script> & "quotes"',
  'مرحبا، أريد موعدا',
];

export function liveCall(n: number, changes: Partial<LiveCall> = {}): LiveCall {
  const now = Date.now();
  return {
    callId: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    agent: ['clinic', 'reservations', 'hotline'][n % 3] as string,
    ...{ direction: 'inbound', caller: `•••• ${String(10 + (n % 90))}`, called: `+155501000${String(n % 10)}` },
    ...{ admittedWallMs: now - 600_000 + n * 5_000, mediaStartedWallMs: now - 599_000 + n * 5_000 },
    state: STATES[n % STATES.length] as LiveCall['state'],
    stateSinceWallMs: now - (n % 17) * 700,
    ...{ costNanoUsd: 2_000_000 * (n % 60), unpricedLines: n % 23 === 5 ? 1 : 0 },
    last: n % 11 === 7 ? null : { who: n % 2 === 0 ? 'caller' : 'agent', text: WORDS[n % WORDS.length] as string },
    ...{ turns: n % 30, bargeIns: n % 4, troubles: n % 13 === 3 ? 1 : 0 },
    latencyMs: n % 7 === 6 ? null : 420 + ((n * 137) % 2_100),
    targets: ['reception', 'emergency'],
    ...changes,
  };
}

export function liveEntry(entry: number, changes: Partial<LiveEntry> = {}): LiveEntry {
  const kind = entry % 2 === 0 ? 'agent' : 'caller';
  return {
    ...{ entry, atMs: entry * 2_400, kind, text: `${WORDS[entry % 3] as string} (${entry})` },
    ...(kind === 'agent'
      ? { heard: `${WORDS[entry % 3] as string} (${entry})`, unheard: '' }
      : { heard: null, unheard: null }),
    tool: null,
    ...changes,
  };
}
