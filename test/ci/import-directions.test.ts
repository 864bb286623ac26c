// The import table on small samples: each way to write an import, refused and allowed, and the rows most easily broken.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { refusedImports, TABLE } from '../../.ci/import-directions.ts';
import { importsOf } from '../../.ci/imports.ts';

const refused = (path: string, source: string) => refusedImports(new Map([[`src/${path}`, source]]));
const MACHINE = 'call/machine.ts';

describe('every form of import is seen', () => {
  test.each([
    ["import { a } from '../log.ts';", false],
    ["import '../log.ts';", false],
    ["import * as log from '../log.ts';", false],
    ["import type { A } from '../log.ts';", true],
    ["import { type A } from '../log.ts';", false],
    ["export { a } from '../log.ts';", false],
    ["export * from '../log.ts';", false],
    ["export type { A } from '../log.ts';", true],
    ["export type * from '../log.ts';", true],
    ["const a = await import('../log.ts');", false],
    ["let a: import('../log.ts').A;", true],
    ["let a: typeof import('../log.ts');", true],
  ])('%s', (source, typeOnly) => {
    expect(importsOf(source, 'a.ts')).toEqual([{ from: '../log.ts', typeOnly, line: 1 }]);
    expect(refused('audio/mulaw.ts', source)).toHaveLength(1);
    expect(refused('call/call.ts', source)).toEqual([]);
  });

  test('words in comments, strings and templates are not imports', () => {
    const source = "// import a from '../log.ts'\nconst s = `import b from '../log.ts'`;\nexport { s };";
    expect(importsOf(source, 'a.ts')).toEqual([]);
  });

  test('a computed import is refused, because nobody can tell where it goes', () => {
    expect(refused('tools/runner.ts', 'await import(name);')).toEqual([
      'src/tools/runner.ts:1: a computed import cannot be checked; write the path',
    ]);
  });
});

describe('the call core', () => {
  test.each([
    "import { a } from './playback.ts';",
    "import { a } from '../audio/mulaw.ts';",
    "import { a } from '../carrier/carrier.ts';",
    "import { a } from '../realtime/session.ts';",
    "import type { Agent } from '../agent/agent.ts';",
  ])('may %s', (source) => {
    expect(refused(MACHINE, source)).toEqual([]);
  });

  test.each([
    "import { a } from '../agent/agent.ts';",
    "import type { A } from '../agent/greeting.ts';",
    "import type { Clock } from '../clock.ts';",
    "import type { Log } from '../log.ts';",
    "import type { Call } from './call.ts';",
    "import type { Tool } from '../tools/tool.ts';",
    "import { setTimeout } from 'node:timers/promises';",
    "import type { Logger } from 'pino';",
    "import fs from 'fs';",
  ])('may not %s', (source) => {
    expect(refused(MACHINE, source)).toHaveLength(1);
  });

  test('a file that the shell list does not name is held to be pure', () => {
    expect(refused('call/brand-new.ts', "import { realClock } from '../clock.ts';")).toHaveLength(1);
    expect(refused('call/call.ts', "import { realClock } from '../clock.ts';")).toEqual([]);
  });

  test('names no vendor in code, but may in a comment', () => {
    expect(refused(MACHINE, '// Twilio returns marks after a clear.\nexport const a = 1;')).toEqual([]);
    expect(refused(MACHINE, "export const vendor = 'twilio';")).toHaveLength(1);
    expect(refused(MACHINE, 'export const openaiItem = 1;')).toHaveLength(1);
  });
});

describe('vendors and the call', () => {
  test('a carrier never imports the call, even when a row would let it', () => {
    const open = [{ area: 'all', files: ['carrier/', 'call/'], may: ['*'] }];
    const files = new Map([['src/carrier/twilio/leg.ts', "import type { A } from '../../call/event.ts';"]]);
    expect(refusedImports(files, open)).toEqual([
      "src/carrier/twilio/leg.ts:1: '../../call/event.ts': a carrier reports to the call, it never knows it",
    ]);
  });

  test('the shell of a call sees the leg and the session, not who is behind them', () => {
    expect(refused('call/call.ts', "import type { A } from '../carrier/carrier.ts';")).toEqual([]);
    expect(refused('call/call.ts', "import type { A } from '../carrier/twilio/leg.ts';")).not.toEqual([]);
    expect(refused('call/call.ts', "import type { A } from '../realtime/openai/connect.ts';")).not.toEqual([]);
  });
});

describe('those who watch, and those who play the world outside', () => {
  test('metrics take types of the call and nothing that runs', () => {
    expect(refused('metrics/latency.ts', "import type { A } from '../call/event.ts';")).toEqual([]);
    expect(refused('metrics/latency.ts', "import type { A } from '../call/feed.ts';")).toEqual([]);
    expect(refused('metrics/latency.ts', "import { a } from '../call/event.ts';")).toHaveLength(1);
    expect(refused('metrics/latency.ts', "import type { A } from '../call/call.ts';")).toHaveLength(1);
  });

  test('the phone cannot agree with our bugs, the rest of replay sees everything', () => {
    const carrier = "import type { A } from '../carrier/twilio/messages.ts';";
    expect(refused('phone/phone.ts', carrier)).toHaveLength(1);
    expect(refused('replay/replay.ts', carrier)).toEqual([]);
    expect(refused('phone/phone.ts', "import { a } from './playback-buffer.ts';")).toEqual([]);
    expect(refused('phone/phone.ts', "import { a } from '../replay/replay.ts';")).toHaveLength(1);
    expect(refused('simulator/server.ts', "import { a } from '../realtime/openai/messages.ts';")).toHaveLength(1);
  });
});

describe('ways round the table', () => {
  test.each(["import a from '#log';", "import a from '/etc/a.ts';", "import a from '../../bench/a.ts';"])(
    '%s',
    (source) => {
      expect(refused('tools/http.ts', source)).toHaveLength(1);
    },
  );

  test('a file that no row owns has to be given one', () => {
    expect(refused('utils.ts', '')).toEqual([
      'src/utils.ts: no row of the table owns this file; add one to .ci/import-directions.ts',
    ]);
  });

  test('each name that a row uses is an area or a file of some area', () => {
    const areas = new Set(TABLE.map((row) => row.area));
    const names = TABLE.flatMap((row) => row.may.map((name) => name.replace(/^type /, '')));
    expect(names.filter((name) => name !== '*' && !areas.has(name) && !name.endsWith('.ts'))).toEqual([]);
  });

  test('the launcher itself is read, shebang and all', () => {
    const source = readFileSync(new URL('../../src/trunkline.mjs', import.meta.url), 'utf8');
    const own = importsOf(source, 'src/trunkline.mjs').filter(({ from }) => from?.startsWith('node:') !== true);
    expect(own).toEqual([{ from: './cli.ts', typeOnly: false, line: expect.any(Number) }]);
  });
});

describe('a pure file', () => {
  const inCore = (code: string) => refusedImports(new Map([['src/call/machine.ts', code]]));
  const inDialogue = (code: string) => refusedImports(new Map([['src/realtime/openai/responses.ts', code]]));

  test.each(['Date.now()', 'Math.random()', 'setTimeout(f, 1)', 'process.env', "console.log('x')"])(
    'knows nothing of %s',
    (code) => {
      expect(inCore(`export const x = () => ${code};`)).toHaveLength(1);
      expect(inDialogue(`export const x = () => ${code};`)).toHaveLength(1);
    },
  );

  test('may compute', () => {
    expect(inCore('export const x = (a: number) => Math.floor(a);')).toEqual([]);
  });
});
