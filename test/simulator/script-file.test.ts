// A script file as its author meets it: what it makes of a session, and what it says about a mistake.
import { expect, test } from 'vitest';
import { loadScript, parseScript } from '../../src/simulator/script-file.ts';

const parse = (text: string) => parseScript(text, 'model.yaml');

function faultsOf(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    expect(error).toMatchObject({ code: 'TRK_CONFIG' });
    return (error as Error).message.split('\n');
  }
  throw new Error('the script was taken');
}

test('says clips, numbers digit by digit, and stamped audio', () => {
  const { script } = parse(`
greeting: { says: [clinic_greeting] }
turns:
  - hears: my balance, please
    preamble: [clinic_one_moment]
    calls:
      - { tool: lookup_account, with: { account: "100019" } }
      - { tool: note, with: "{not json" }
      - { tool: end_call }
  - says: [account_is, { number: "042" }]
    transcript: Your account number is 0 4 2.
  - says: [{ stamped_ms: 3000 }]
after_tool: { lookup_account: { says: [clinic_balance] } }
when_instructions: [{ contains: goodbye, says: [farewell] }]
on_silence: { says: [still_there] }
out_of_band: { says: [short_ok] }
fallback: { says: [sorry_repeat] }
`)(1);
  expect(script).toEqual({
    greeting: { items: [{ say: ['clinic_greeting'] }] },
    turns: [
      {
        callerTranscript: 'my balance, please',
        items: [
          { say: ['clinic_one_moment'] },
          { tool: 'lookup_account', arguments: { account: '100019' } },
          { tool: 'note', arguments: '{not json' },
          { tool: 'end_call', arguments: {} },
        ],
      },
      {
        items: [{ say: ['account_is', 'digit_0', 'digit_4', 'digit_2'], transcript: 'Your account number is 0 4 2.' }],
      },
      { items: [{ stampedMs: 3000 }] },
    ],
    afterTool: { lookup_account: { items: [{ say: ['clinic_balance'] }] } },
    whenInstructions: [{ contains: 'goodbye', answer: { items: [{ say: ['farewell'] }] } }],
    onSilence: { items: [{ say: ['still_there'] }] },
    outOfBand: { items: [{ say: ['short_ok'] }] },
    fallback: { items: [{ say: ['sorry_repeat'] }] },
  });
});

test('times a session and an answer', () => {
  const options = parse(`
turns:
  - says: [long_story]
    first_delay_ms: 800
    stall: { after_ms: 1000, for_ms: forever }
timing:
  pace: instant
  delta_bytes: [7, 1601]
  first_delay_ms: 0
  transcript_delay_ms: 20
  handshake_delay_ms: 800
  update_delay_ms: 5
  expires_in_seconds: 1.5
  expiry: close
`)(1);
  expect(options).toMatchObject({
    pace: Number.POSITIVE_INFINITY,
    deltaMs: [7, 1601],
    firstDelayMs: 0,
    transcriptDelayMs: 20,
    handshakeDelayMs: 800,
    updateDelayMs: 5,
    expiresInMs: 1500,
    expiry: 'close',
  });
  expect(options.script?.turns[0]).toEqual({
    firstDelayMs: 800,
    items: [{ say: ['long_story'], stallAfterMs: 1000, stallMs: Number.POSITIVE_INFINITY }],
  });
});

test('commits a fault on the connections it names, and on every one when it names none', () => {
  const sessions = parse(`
turns: [{ says: [long_story] }, { says: [short_ok] }]
faults:
  - connection: 1
    refuse_handshake: { status: 429, retry_after: 2 }
  - connection: [2, 3]
    drop: { during: 2, after_ms: 400, code: 1011, reason: oops }
  - connection: 3
    broken_frames: [{ kind: huge, at: response.done }]
  - late_deltas: 2
    broken_frames: [{ kind: duplicate, at: session.created, times: 3 }]
`);
  expect(sessions(1)).toMatchObject({ refuse: { status: 429, retryAfter: 2 }, lateDeltas: 2 });
  expect(sessions(1).script?.turns[1]).not.toHaveProperty('drop');
  expect(sessions(2).refuse).toBeUndefined();
  expect(sessions(2).script?.turns.map(({ drop }) => drop)).toEqual([
    undefined,
    { afterMs: 400, code: 1011, reason: 'oops' },
  ]);
  expect(sessions(3).garbage).toEqual([
    { kind: 'huge', at: 'response.done', times: 1 },
    { kind: 'duplicate', at: 'session.created', times: 3 },
  ]);
  expect(sessions(4)).toMatchObject({ lateDeltas: 2, garbage: [{ kind: 'duplicate' }] });
});

test('tells every fault at its line and column, with what was meant', () => {
  expect(
    faultsOf(`greting: { says: [short_ok] }
turns:
  - says: [clinic_greting]
    cals: []
  - says: [{ number: 042 }, nonsense]
timing:
  pace: fast
`),
  ).toEqual([
    'model.yaml:1:1: greting: no such key; did you mean greeting?',
    'model.yaml:3:12: turns[0].says[0]: expected the name of a clip; did you mean clinic_greeting? (found clinic_greting)',
    'model.yaml:4:5: turns[0].cals: no such key; did you mean calls?',
    expect.stringMatching(
      /^model\.yaml:5:\d+: turns\[1\]\.says\[0\]\.number: expected digits in quotes.*quote it: "042"/,
    ),
    expect.stringMatching(
      /^model\.yaml:5:29: turns\[1\]\.says\[1\]: expected the name of a clip; there are: clinic_greeting, /,
    ),
    'model.yaml:7:9: timing.pace: expected instant, or a number from 0.1 to 1000 (found fast)',
  ]);
});

test('tells what only makes sense together', () => {
  expect(
    faultsOf(`turns:
  - says: [clinic_greeting, { stamped_ms: 5 }]
  - says: [short_ok]
    error: { code: server_error }
    reason: content_filter
  - stall: { for_ms: 100 }
faults:
  - drop: { during: 4, after_ms: 0, reason: later }
  - drop: { during: greeting, after_ms: 0 }
`),
  ).toEqual([
    'model.yaml:2:29: turns[0].says[1]: expected stamped audio to stand alone (found a mapping)',
    'model.yaml:4:5: turns[1].error: expected only with status: failed',
    'model.yaml:5:5: turns[1].reason: expected only with status: incomplete',
    'model.yaml:6:5: turns[2].stall: expected only with says or preamble',
    'model.yaml:8:21: faults[0].drop.during: expected a turn of this script, which has 3 (found 4)',
    'model.yaml:8:37: faults[0].drop.reason: expected only with code',
    'model.yaml:9:21: faults[1].drop.during: expected a script with a greeting (found greeting)',
  ]);
});

test('refuses a close code that no server can send', () => {
  const [fault] = faultsOf('faults: [{ drop: { after_ms: 0, code: 1006 } }]');
  expect(fault).toMatch(/^model\.yaml:1:39: faults\[0\]\.drop\.code: expected a close code .* \(found 1006\)$/);
});

test('says what is not YAML, and which file cannot be read', async () => {
  expect(faultsOf('turns: [')[0]).toMatch(/^model\.yaml:1:\d+: not valid YAML/);
  await expect(loadScript('no/such/file.yaml')).rejects.toThrow(
    /^no\/such\/file\.yaml: expected a script file; there is no such file/,
  );
});

test('takes an empty mapping as a script that has nothing to say', () => {
  expect(parse('{}')(1)).toEqual({ script: { turns: [] }, garbage: [] });
  expect(faultsOf('')).toEqual(['model.yaml:1:1: expected a mapping of keys (found nothing)']);
});

test('takes what a model with tools needs, in every part of the script', () => {
  const { script } = parse(`
turns:
  - calls: [{ tool: find, force: true, call_id: "call_{{n}}", times: 2, pause_ms: 5 }]
    says: [short_ok, { number: "{{find.phone}}" }, "slot_{{find.slot}}"]
    calls_first: true
    after: [{ when: { tool: find, output: /ok/i }, says: [go_on] }, { never: ended }]
after_tool: { find: [{ when: { output: gone }, says: [lamp_on] }, { says: [go_on] }] }
on_keys: [{ keys: "1 #", says: [short_ok] }]
on_text: [{ says: [short_ok] }]
out_of_band: [{ metadata: { a: b }, contains: c, input: d, text: e, status: failed }]
unruly: true
sessions: [{ match: { instructions: billing, tools: [refund], model: m }, greeting: { says: [short_ok] } }]
`)(1);
  const say = (name: string) => ({ items: [{ say: [name] }] });
  expect(script).toEqual({
    turns: [
      {
        items: [
          { tool: 'find', arguments: {}, force: true, callId: 'call_{{n}}', times: 2, pauseMs: 5 },
          { say: ['short_ok', { number: '{{find.phone}}' }, 'slot_{{find.slot}}'] },
        ],
        after: [
          { when: { tool: 'find', output: '/ok/i' }, answer: say('go_on') },
          { answer: { items: [], never: 'ended' } },
        ],
      },
    ],
    afterTool: { find: [{ when: { output: 'gone' }, answer: say('lamp_on') }, { answer: say('go_on') }] },
    onKeys: [{ contains: '1 #', answer: say('short_ok') }],
    onText: [{ answer: say('short_ok') }],
    outOfBand: [
      { metadata: { a: 'b' }, contains: 'c', input: 'd', answer: { items: [{ text: 'e' }], status: 'failed' } },
    ],
    unruly: true,
    sessions: [
      {
        match: { instructions: 'billing', tools: ['refund'], model: 'm' },
        part: { turns: [], greeting: say('short_ok') },
      },
    ],
  });
});

test('tells faults in answers to tools, keys, texts, out-of-band responses and other sessions', () => {
  expect(
    faultsOf(`turns:
  - calls: [{ tool: find, times: 1000 }]
    after: [{ when: { output: "/(/" }, says: [short_ok] }, { whn: {} }]
after_tool: { find: [{ says: [nonsense_clip] }] }
on_keys: [{ keys: one }]
out_of_band: [{ metadata: { n: 5 } }]
sessions: [{ turns: [{ sys: [] }] }]
`),
  ).toEqual([
    'model.yaml:2:34: turns[0].calls[0].times: expected a whole number from 1 to 256 (found 1000)',
    expect.stringMatching(
      /^model\.yaml:3:\d+: turns\[0\]\.after\[0\]\.when\.output: expected a text, or a regular expression/,
    ),
    'model.yaml:3:62: turns[0].after[1].whn: no such key; did you mean when?',
    expect.stringMatching(/^model\.yaml:4:31: after_tool\.find\[0\]\.says\[0\]: expected the name of a clip; /),
    expect.stringMatching(
      /^model\.yaml:5:19: on_keys\[0\]\.keys: expected keys in quotes, such as "1" .* \(found one\)$/,
    ),
    expect.stringMatching(/^model\.yaml:6:\d+: out_of_band\[0\]\.metadata\.n: expected a text; .*quote it: "5"/),
    'model.yaml:7:12: sessions[0].match: expected a mapping of keys (found nothing)',
    'model.yaml:7:24: sessions[0].turns[0].sys: no such key; did you mean says?',
  ]);
  expect(
    faultsOf(`out_of_band: [{ text: words, says: [short_ok] }]
turns:
  - after: [{ status: incomplete, reason: turn_detected }]
sessions:
  - match: {}
    on_keys: [{ says: [short_ok], error: {} }, { calls_first: true }]
`),
  ).toEqual([
    'model.yaml:1:17: out_of_band[0].text: expected only with no says: the words of says are its transcript',
    'model.yaml:3:35: turns[0].after[0].reason: expected only with status: cancelled',
    'model.yaml:6:35: sessions[0].on_keys[0].error: expected only with status: failed',
    'model.yaml:6:50: sessions[0].on_keys[1].calls_first: expected only with calls',
  ]);
});
