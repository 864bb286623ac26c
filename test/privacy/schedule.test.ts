// The retention inside a server: when it runs, that it never runs twice at once, and that it goes on after a failure.
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startRetention } from '../../src/privacy/schedule.ts';
import { TrunklineError } from '../../src/errors.ts';
import type { Store } from '../../src/store/store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { ADMITTED_MS, DAY_MS, FOR_EVER, KeptFolder } from './kept.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let kept: KeptFolder;
beforeEach(async () => {
  kept = await KeptFolder.make();
});
afterEach(() => kept.remove());

interface Started {
  clock: FakeClock;
  stop: () => Promise<void>;
  lines: object[];
  /** Names of the questions, as they come. */
  asked: string[];
  /** Settles at the next question of that name. */
  next: (name: string) => Promise<void>;
}

/** @param ask what the store does with a question */
function started({ random = 0, ask = (answer: () => Promise<unknown>, _name: string) => answer() } = {}): Started {
  const clock = new FakeClock(ADMITTED_MS + 10 * DAY_MS);
  const lines: object[] = [];
  const asked: string[] = [];
  const waiting: { name: string; resolve: () => void }[] = [];
  const stop = startRetention({
    ...{ dataDir: kept.dataDir, agents: [{ retention: FOR_EVER }], clock, random: () => random },
    store: {
      ask: ((name: never, question: never) => {
        asked.push(name);
        for (const one of waiting) if (one.name === name) one.resolve();
        return ask(() => kept.store.ask(name, question), name);
      }) as unknown as Store['ask'],
    },
    log: {
      info: (fields, msg) => void lines.push({ level: 'info', msg, ...fields }),
      warn: (fields, msg) => void lines.push({ level: 'warn', msg, ...fields }),
    },
  });
  const next = (name: string) => new Promise<void>((resolve) => void waiting.push({ name, resolve }));
  return { clock, stop, lines, asked, next };
}

test('it runs some minutes after the start, and then every hour', async () => {
  await kept.keep({ callId: 'one', from: '+15551230001', retention: { ...FOR_EVER, audioDays: 1 } });
  const { clock, stop, lines, asked, next } = started({ random: 0.5 });
  clock.advance(5.5 * MINUTE_MS - 1);
  expect(asked).toEqual([]);
  const audited = next('auditPrivacy');
  clock.advance(1);
  await audited;
  await expect
    .poll(() => lines)
    .toEqual([
      {
        level: 'info',
        msg: 'removed what was kept long enough',
        allOf: 0,
        textOf: 0,
        audioOf: 1,
        files: 1,
        bytes: 1_658,
        more: false,
      },
    ]);
  expect(existsSync(kept.path('calls', 'one', 'audio.wav'))).toBe(false);
  await expect.poll(() => clock.pending).toBe(1);
  const before = asked.length;
  clock.advance(HOUR_MS + 2.5 * MINUTE_MS - 1);
  expect(asked).toHaveLength(before);
  const again = next('callsDue');
  clock.advance(1);
  await again;
  await stop();
  expect(clock.pending).toBe(0);
  expect(lines).toHaveLength(1);
});

test('a database that does not answer is told, and asked again in an hour', async () => {
  const down = (): Promise<never> => Promise.reject(new TrunklineError('TRK_STORE', 'the database is away'));
  const { clock, stop, lines, asked } = started({ ask: down });
  clock.advance(3 * MINUTE_MS);
  await expect.poll(() => lines).toMatchObject([{ level: 'warn', err: { code: 'TRK_STORE' } }]);
  await expect.poll(() => clock.pending).toBe(1);
  clock.advance(HOUR_MS);
  await expect.poll(() => lines).toHaveLength(2);
  expect(asked).toEqual(['callsDue', 'callsDue']);
  await stop();
});

test('while a run takes its time no other begins, and who stops waits for its end', async () => {
  await kept.keep({ callId: 'one', from: '+15551230001', retention: { ...FOR_EVER, audioDays: 1 } });
  const slow = Promise.withResolvers<void>();
  const { clock, stop, asked } = started({ ask: (answer) => slow.promise.then(answer) });
  clock.advance(3 * MINUTE_MS);
  clock.advance(5 * HOUR_MS);
  expect(asked).toEqual(['callsDue']);
  let stopped = false;
  const stopping = stop().then(() => {
    stopped = true;
  });
  await Promise.resolve();
  expect(stopped).toBe(false);
  slow.resolve();
  await stopping;
  expect(clock.pending).toBe(0);
  // It was given up before its first call.
  expect(existsSync(kept.path('calls', 'one', 'audio.wav'))).toBe(true);
});

test('what cannot be removed is a line of its own, without a path', async () => {
  await kept.keep({ callId: 'one', from: '+15551230001', retention: { ...FOR_EVER, audioDays: 1 }, inFiles: false });
  await kept.put('calls/one', 'a file where a folder should be');
  const { clock, stop, lines } = started();
  clock.advance(3 * MINUTE_MS);
  await expect
    .poll(() => lines)
    .toEqual([{ level: 'warn', msg: 'kept too long, but cannot be removed', callId: 'one', why: 'it is no folder' }]);
  await stop();
});
