// Reads the written line for every field that must not be in it.
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { TrunklineError } from '../../src/errors.ts';
import { callLogger, CENSORED_FIELDS, createLogger, URL_FIELDS } from '../../src/log.ts';

function logged(level = 'trace') {
  const lines: string[] = [];
  const log = createLogger({ level, destination: { write: (line) => void lines.push(line) } });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
}

describe.each([...CENSORED_FIELDS])('the field %s', (field) => {
  test('is censored at the top level and one level deep', () => {
    const { log, lines } = logged();
    log.info({ [field]: 'private-1', kept: 1, nested: { [field]: { deep: 'private-2' }, kept: 2 } }, 'step');
    expect(JSON.parse(lines[0]!)).toMatchObject({
      [field]: '[censored]',
      kept: 1,
      nested: { [field]: '[censored]', kept: 2 },
      msg: 'step',
    });
    expect(lines[0]).not.toContain('private');
  });

  test('is censored in what a child logger carries', () => {
    const { log, lines } = logged();
    callLogger(log, 'c1')
      .child({ [field]: 'private-1', nested: { [field]: 'private-2' } })
      .info('step');
    expect(lines[0]).toContain('"callId":"c1"');
    expect(lines[0]).not.toContain('private');
  });
});

test.each([...URL_FIELDS])('the field %s keeps the address but not its token, query or credentials', (field) => {
  const { log, lines } = logged();
  log.info({ [field]: 'wss://me:private@calls.example.com/media/private-token?private=1' }, 'step');
  log.info({ req: { method: 'GET', [field]: '/media/private-token#private' } }, 'step');
  log.info({ [field]: 'sip:private@example.com' }, 'step');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { [field]: 'wss://calls.example.com/media/[censored]' },
    { req: { method: 'GET', [field]: '/media/[censored]' } },
    { [field]: '[censored]' },
  ]);
  expect(lines.join('')).not.toContain('private');
});

test('what is logged is not changed', () => {
  const { log } = logged();
  const event = { from: '+15551234567', leg: { to: '+15557654321' } };
  log.info(event, 'step');
  expect(event).toEqual({ from: '+15551234567', leg: { to: '+15557654321' } });
});

test('a line has its level by name, an ISO time, constant text and the call it is about', () => {
  const { log, last } = logged();
  callLogger(log, 'c1').warn({ heardMs: 320 }, 'barge-in');
  const { time, ...rest } = last();
  expect(rest).toEqual({ level: 'warn', callId: 'c1', heardMs: 320, msg: 'barge-in' });
  expect(time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test('lines below the level are not written', () => {
  const { log, lines } = logged('warn');
  log.info('quiet');
  expect(lines).toEqual([]);
});

test('a foreign error is logged by kind, code and place, never by what it says', () => {
  const { log, lines } = logged();
  const error = Object.assign(new Error('the caller said private words'), { code: 'ECONNRESET', syscall: 'read' });
  log.error({ err: error }, 'socket failed');
  log.error(error);
  log.error({ err: error }, error.message);
  log.error({ error }, 'socket failed');
  log.error({ err: new SyntaxError('Unexpected token in "private"') }, 'not JSON');
  log.error({ err: new TrunklineError('TRK_LISTEN', 'port 3000 is taken', { cause: error }) }, 'cannot listen');
  log.error({ err: 'private' }, 'thrown text');
  log.error({ err: new Error('two lines\n    at private') }, 'several lines');
  expect(lines.join('')).not.toContain('private');
  const lineOf = (i: number) => JSON.parse(lines[i]!) as { msg: string; err: Record<string, unknown> };
  expect(lineOf(0)).toMatchObject({
    msg: 'socket failed',
    err: {
      type: 'Error',
      code: 'ECONNRESET',
      syscall: 'read',
      frames: expect.arrayContaining([expect.stringMatching(/^at /)]),
    },
  });
  expect(lineOf(1).msg).toBe('error');
  expect(lineOf(2).msg).toBe('error');
  expect(lineOf(5).err).toMatchObject({
    type: 'TrunklineError',
    code: 'TRK_LISTEN',
    explanation: 'port 3000 is taken',
    cause: { type: 'Error', code: 'ECONNRESET' },
  });
});

test('a bug of ours is logged with the engine’s explanation', () => {
  const { log, last } = logged();
  log.error({ err: new TypeError('state.phase is undefined') }, 'internal error');
  expect(last()).toMatchObject({ err: { explanation: 'state.phase is undefined' } });
});

test('without a destination lines go to standard output and survive an immediate exit', () => {
  const program = `
    import { createLogger } from ${JSON.stringify(new URL('../../src/log.ts', import.meta.url).href)};
    const log = createLogger({ level: 'info' });
    for (let i = 0; i < 500; i++) log.info({ i }, 'step');
    process.exit(0);`;
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(out.trim().split('\n')).toHaveLength(500);
});
