// Agent files in folders of their own: defaults, every fault with its place, clips, tools, and the documentation's examples.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Agent } from '../../src/agent/agent.ts';
import { loadAgents } from '../../src/agent/load.ts';
import { agentSchema } from '../../src/agent/schema.ts';
import { keysAt } from '../../src/yaml/check.ts';
import { writeWav } from '../../src/audio/wav.ts';
import { readConfig } from '../../src/config.ts';
import { TrunklineError } from '../../src/errors.ts';
import { createToolRunner } from '../../src/tools/runner.ts';
import { realClock } from '../../src/clock.ts';

const REPOSITORY = new URL('../../', import.meta.url);
const SILENCE = writeWav([new Uint8Array(800).fill(0xff)]);
const CONFIG = readConfig({});

const TOOL = `export default {
  name: 'lookup_account', description: 'Looks up an account.',
  parameters: { type: 'object', properties: { account: { type: 'string' } } },
  run: ({ account }: { account: string }) => ({ account }),
};`;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A folder of its own with these files; `agent.yaml` is short for one agent. */
function folder(files: Record<string, string | Buffer>): string {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-agents-'));
  folders.push(dir);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(dir, name, '..'), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
  return dir;
}

const MINIMAL = 'answers: ["*"]\ninstructions: Be brief.\n';

async function load(yaml: string, files: Record<string, string | Buffer> = {}): Promise<Agent> {
  const [agent] = await loadAgents(folder({ 'agent.yaml': yaml, ...files }), CONFIG);
  return agent as Agent;
}

/** The faults of a folder, without the folder's name. */
async function faultsOf(files: Record<string, string | Buffer>, config = CONFIG): Promise<string[]> {
  const dir = folder(files);
  try {
    await loadAgents(dir, config);
  } catch (error) {
    expect(error).toBeInstanceOf(TrunklineError);
    expect((error as TrunklineError).code).toBe('TRK_CONFIG');
    const [title, ...faults] = (error as TrunklineError).message
      .replaceAll(`${dir}/`, '')
      .replaceAll(dir, '')
      .split('\n');
    expect(title).toBe(`The agent files have ${faults.length} fault${faults.length === 1 ? '' : 's'}:`);
    return faults.map((fault) => fault.trim());
  }
  throw new Error('the agent files were accepted');
}

const faultsIn = (yaml: string, files: Record<string, string | Buffer> = {}) => faultsOf({ 'a.yaml': yaml, ...files });

test('two keys make an agent; everything else has a default', async () => {
  const { hash, failure, ...agent } = await load(MINIMAL);
  expect(agent).toEqual({
    name: 'agent',
    file: 'agent.yaml',
    answers: ['*'],
    model: {
      name: 'gpt-realtime-2.1',
      voice: 'marin',
      speed: 1,
      endpoint: null,
      maxSessionMs: 3_600_000,
      reasoningEffort: null,
      maxOutputTokens: 1024,
      noiseReduction: null,
      transcription: { model: 'gpt-transcribe', language: null },
      truncation: { retentionRatio: 0.8, postInstructionTokens: 8000 },
    },
    instructions: 'Be brief.',
    greeting: { text: 'Hello, how can I help you?', clip: null, protected: false },
    turnTaking: {
      detection: { kind: 'server_vad', threshold: 0.5, prefixPaddingMs: 300, silenceMs: 500 },
      interruptsBy: 'model',
      answersBy: 'model',
      interruptAfterMs: 0,
    },
    silence: {
      promptAfterMs: 15_000,
      prompt: 'Are you still there?',
      goodbye: 'I cannot hear you, so I will end this call now. Goodbye.',
    },
    limits: {
      maxCallMs: 3_300_000,
      wrapUp: 'I am sorry, we have reached the time limit of this call. Thank you for calling, and goodbye.',
      modelStallMs: 3500,
      toolMs: 8000,
      maxConcurrentCalls: 100,
    },
    admission: expect.objectContaining({ allow: null, deny: [] }),
    budget: {
      ...{ perCallNanoUsd: null, perCallerDayNanoUsd: null, perDayNanoUsd: null, forwardTo: null },
      nearly: 'Little is left of what this call may cost. Bring the conversation to its end within two short answers.',
      goodbye: 'I am sorry, I have to end our call here. Thank you for calling, and goodbye.',
    },
    tools: [],
    sources: [],
    outbound: { hosts: [], private: [] },
    transfer: {},
    keypad: {},
    consent: { by: 'voice_or_key', yes: expect.arrayContaining(['yes']), no: expect.arrayContaining(['no', 'not']) },
    notes: null,
    sendsDtmf: false,
    sms: null,
    handOff: [],
    guardrails: [],
    filler: { afterMs: 1700, say: null, music: null, musicAfterMs: 2000 },
    endCall: { enabled: true, goodbye: 'Say a short, friendly goodbye.' },
    recording: null,
    retention: { audioDays: null, textDays: null, metadataDays: null },
  });
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(failure).toMatchObject({ holdAfterMs: 1700, fallback: null, voicemail: null });
  expect(failure.hold.length).toBeGreaterThan(4000);
  expect(failure.forwardTo).toBeNull();
  expect(failure.apology.length).toBeGreaterThan(8000);
});

test('budgets are dollars in the file and nano-dollars behind it', async () => {
  const { budget } = await load(`${MINIMAL}
budget: {per_call_usd: 0.35, per_day_usd: 120, per_caller_per_day_usd: off, goodbye: Bye., forward_to: "+15551234567"}
`);
  expect(budget).toMatchObject({
    ...{ perCallNanoUsd: 350_000_000, perDayNanoUsd: 120_000_000_000, perCallerDayNanoUsd: null },
    ...{ goodbye: 'Bye.', forwardTo: '+15551234567' },
  });
  await expect(load(`${MINIMAL}budget: {per_call_usd: 0}\n`)).rejects.toThrow(
    /budget\.per_call_usd: expected .*a number of dollars from 0\.01 to 1000000 \(found 0\)/,
  );
});

test('the default words of the apology are those of the shipped clip', async () => {
  const texts = readFileSync(new URL('agents/clips/texts.tsv', REPOSITORY), 'utf8');
  expect(texts).toContain(`apology\t${(await load(MINIMAL)).failure.apologyText}\n`);
});

test('agents cannot be changed', async () => {
  const agent = await load(`${MINIMAL}tools: tools.ts\n`, { 'tools.ts': TOOL });
  for (const part of [
    agent,
    agent.answers,
    agent.model,
    agent.model.truncation,
    agent.turnTaking.detection,
    agent.tools,
  ])
    expect(Object.isFrozen(part)).toBe(true);
  expect(Object.isFrozen(agent.tools[0]?.parameters['properties'])).toBe(true);
});

test('off means without', async () => {
  const agent = await load(`${MINIMAL}
greeting: off
recording: off
failure: {forward_to: off}
model: {reasoning_effort: off, noise_reduction: off, transcription: off, truncation: {post_instruction_tokens: off}}
`);
  expect(agent.greeting).toBeNull();
  expect(agent.recording).toBeNull();
  expect(agent.failure.forwardTo).toBeNull();
  expect(agent.model).toMatchObject({
    reasoningEffort: null,
    noiseReduction: null,
    transcription: null,
    truncation: { retentionRatio: 0.8, postInstructionTokens: null },
  });
  expect((await load(`${MINIMAL}model: {truncation: disabled}\n`)).model.truncation).toBe('disabled');
});

test('the configuration fills in and overrides', async () => {
  const config = readConfig({
    OPENAI_REALTIME_MODEL: 'gpt-realtime-2.1-mini',
    MAX_CALL_SECONDS: '60',
    IDLE_TIMEOUT_SECONDS: '5',
    MAX_CONCURRENT_CALLS: '2',
  });
  const files = {
    'a.yaml': MINIMAL,
    'b.yaml':
      'answers: [desk]\ninstructions: x\nlimits: {max_call_seconds: 30, max_concurrent_calls: 1}\nsilence: {prompt_after_seconds: 2.5}\nmodel: {name: other}\n',
  };
  const [a, b] = await loadAgents(folder(files), config);
  expect(a).toMatchObject({
    model: { name: 'gpt-realtime-2.1-mini' },
    silence: { promptAfterMs: 5000 },
    limits: { maxCallMs: 60_000, maxConcurrentCalls: 2 },
  });
  expect(b).toMatchObject({
    model: { name: 'gpt-realtime-2.1-mini' },
    silence: { promptAfterMs: 2500 },
    limits: { maxCallMs: 30_000, maxConcurrentCalls: 1 },
  });
});

test('an agent cannot ask for more than the configuration allows', async () => {
  expect(
    await faultsIn(`${MINIMAL}limits:
  max_call_seconds: 3301
  max_concurrent_calls: 101
silence: {prompt_after_seconds: 16}
`),
  ).toEqual([
    "a.yaml:4:21: limits.max_call_seconds: expected at most 3300, the server's MAX_CALL_SECONDS: an agent may only ask for less (found 3301)",
    "a.yaml:5:25: limits.max_concurrent_calls: expected at most 100, the server's MAX_CONCURRENT_CALLS: an agent may only ask for less (found 101)",
    "a.yaml:6:33: silence.prompt_after_seconds: expected at most 15, the server's IDLE_TIMEOUT_SECONDS: an agent may only ask for less (found 16)",
  ]);
});

test('every fault of every file is told at once, where it stands and from top to bottom', async () => {
  expect(
    await faultsOf({
      'a.yaml': `answers: ["*"]
model:
  speed: 9
  spede: 1
greeting:
  protected: yes
turn_taking: {interrupts_by: model, interrupt_after_ms: 200}
`,
      'b.yaml': 'answers: [\n',
      'c.yaml': '',
    }),
  ).toEqual([
    'a.yaml:1:1: instructions: expected a text: who the agent is and what it does (found nothing)',
    'a.yaml:3:10: model.speed: expected a number from 0.25 to 1.5 (found 9)',
    'a.yaml:4:3: model.spede: no such key; did you mean speed?',
    'a.yaml:6:14: greeting.protected: expected true or false (found yes)',
    'a.yaml:7:30: turn_taking.interrupts_by: expected trunkline: interrupt_after_ms waits for more than the first sound, while the model stops by itself at the first sound (found model)',
    expect.stringMatching(/^b\.yaml:[12]:\d+: not valid YAML: /),
    'c.yaml:1:1: expected a mapping of keys (found nothing)',
  ]);
});

test('a phone number without quotes is a number to YAML: says to quote it', async () => {
  const faults = await faultsIn(
    'answers: [+15551234567]\ninstructions: x\nname: 42\nfailure:\n  forward_to: +15557654321\n',
  );
  expect(faults).toHaveLength(3);
  expect(faults[0]).toMatch(
    /^a\.yaml:1:11: answers\[0\]: expected a phone number .* quote it: "\+15551234567" \(found \+15551234567\)$/,
  );
  expect(faults[1]).toMatch(/^a\.yaml:3:7: name: .* quote it: "42"/);
  expect(faults[2]).toMatch(/^a\.yaml:5:15: failure\.forward_to: .* quote it: "\+15557654321"/);
});

test('a lone asterisk without quotes is an alias to YAML: says to quote it', async () => {
  expect(await faultsIn('answers: [*]\ninstructions: x\n')).toEqual([
    'a.yaml:1:11: not valid YAML: Alias cannot be an empty string; a lone * must be quoted: "*"',
  ]);
});

test('an agent does not forward to a number that it answers itself: the call would come back for ever', async () => {
  const refused = ['denied', 'limited', 'full', 'draining', 'budget'].map((group) => `${group}: {forward_to: *own}`);
  const yaml = `answers: [&own "+15551234567", desk]
instructions: x
failure: {forward_to: *own}
budget: {forward_to: *own}
admission: {refused: {${refused.join(', ')}}}
`;
  const told = await faultsIn(yaml);
  const places = told.map(
    (fault) => /^a\.yaml:\d+:\d+: (\S+): expected another number than those that this agent/.exec(fault)?.[1],
  );
  expect(places).toEqual([
    ...['failure.forward_to', 'budget.forward_to'],
    ...['denied', 'limited', 'full', 'draining', 'budget'].map((group) => `admission.refused.${group}.forward_to`),
  ]);
  await expect(load(yaml.replaceAll('*own', '"+15557654321"'))).resolves.toMatchObject({
    answers: ['+15551234567', 'desk'],
  });
});

test.each([
  '5551234567',
  '555-123-4567',
  '(555)1234567',
  '030/1234567',
  '+1 555 123 4567',
  '+0155512345',
  '+1555',
  '0049 30 1234567',
  'front desk',
  '',
])('"%s" is neither a number nor a SIP user', async (number) => {
  const [fault] = await faultsIn(`answers: ["${number}"]\ninstructions: x\n`);
  expect(fault).toMatch(/^a\.yaml:1:11: answers\[0\]: expected a phone number in E\.164, quoted/);
});

test('SIP users, extensions and numbers are answered', async () => {
  const agent = await load('answers: ["+4930123456", frontdesk, "1001", front.desk-2]\ninstructions: x\n');
  expect(agent.answers).toEqual(['+4930123456', 'frontdesk', '1001', 'front.desk-2']);
});

test('a number is answered once in a folder, and a name is used once', async () => {
  const a = 'name: Desk\nanswers: ["*", "+15551234567"]\ninstructions: x\n';
  const b = 'answers: ["+15551234567", "*", "+15551234567"]\ninstructions: x\nname: Desk\n';
  expect(await faultsOf({ 'a.yaml': a, 'b.yml': b })).toEqual([
    'b.yml:1:11: answers[0]: expected each number once; it is answered at a.yaml:2:16 (found "+15551234567")',
    'b.yml:1:27: answers[1]: expected each number once; it is answered at a.yaml:2:11 (found "*")',
    'b.yml:1:32: answers[2]: expected each number once; it is answered at a.yaml:2:16 (found "+15551234567")',
    'b.yml:3:7: name: expected a name of its own; "Desk" is taken at a.yaml:1:7 (found Desk)',
  ]);
});

test('a folder without agents, or no folder, is a fault', async () => {
  expect(await faultsOf({ 'readme.md': 'x', 'clips/a.yaml': MINIMAL, '.hidden.yaml': MINIMAL })).toEqual([
    ': expected at least one agent file (*.yaml); see docs/agent-file.md',
  ]);
  await expect(loadAgents('/nonexistent/agents', CONFIG)).rejects.toThrow(
    '/nonexistent/agents: expected a folder of agent files (no such file or folder)',
  );
  expect(await faultsOf({ 'a.yaml/b': '' })).toEqual(['a.yaml:1:1: cannot be read: expected a file; this is a folder']);
});

test('an unknown key is answered with the nearest known one, or with all of them', async () => {
  expect(
    await faultsIn(`${MINIMAL}
turn-taking: {}
greating: {}
model:
  transcription: {lang: en}
limits: {colour: red}
`),
  ).toEqual([
    'a.yaml:4:1: turn-taking: no such key; did you mean turn_taking?',
    'a.yaml:5:1: greating: no such key; did you mean greeting?',
    'a.yaml:7:19: model.transcription.lang: no such key; did you mean language?',
    'a.yaml:8:10: limits.colour: no such key; known here: max_call_seconds, wrap_up, model_stall_ms, tool_ms, max_concurrent_calls',
  ]);
});

test('of a value that is neither off nor a mapping, both are told', async () => {
  expect(await faultsIn(`${MINIMAL}greeting: false\nrecording: on\nmodel: {truncation: 3}\n`)).toEqual([
    'a.yaml:3:11: greeting: expected off, or a mapping with text, clip and protected (found false)',
    'a.yaml:4:12: recording: expected off, or a mapping with disclosure: the sentence that tells the caller about the recording (found on)',
    'a.yaml:5:21: model.truncation: expected auto, disabled, or a mapping with retention_ratio and post_instruction_tokens (found 3)',
  ]);
});

test('anchors are followed, also to faults', async () => {
  const agent = await load('x: &n "+15551234567"\nanswers: [*n]\ninstructions: x\n'.replace('x: &n', 'name: &n'));
  expect(agent.answers).toEqual(['+15551234567']);
  expect(await faultsIn('name: &n [a]\nanswers: *n\ninstructions: *n\n')).toContain(
    'a.yaml:3:15: instructions: expected a text: who the agent is and what it does (found a list)',
  );
});

test('a duplicate key, a tag and a second document are faults', async () => {
  expect((await faultsIn(`${MINIMAL}name: a\nname: b\n`))[0]).toMatch(
    /^a\.yaml:4:1: not valid YAML: Map keys must be unique/,
  );
  expect((await faultsIn(`${MINIMAL}name: !!js/function a\n`))[0]).toMatch(/^a\.yaml:3:7: not valid YAML/);
  expect((await faultsIn(`${MINIMAL}---\n${MINIMAL}`))[0]).toMatch(/not valid YAML/);
});

test('voices of other vendors need another endpoint', async () => {
  const [fault] = await faultsIn(`${MINIMAL}model: {voice: rex}\n`);
  expect(fault).toMatch(/^a\.yaml:3:16: model\.voice: expected one of alloy, .* \(found rex\)$/);
  expect((await load(`${MINIMAL}model: {voice: voice_abc}\n`)).model.voice).toBe('voice_abc');
  const { model } = await load(`${MINIMAL}model: {voice: rex, endpoint: "https://api.x.ai/v1/"}\n`);
  expect(model).toMatchObject({ voice: 'rex', endpoint: 'https://api.x.ai/v1' });
  expect(await faultsIn(`${MINIMAL}model: {endpoint: "api.x.ai"}\n`)).toHaveLength(1);
});

test('an interruption that we must judge is ours to make', async () => {
  for (const yaml of [
    'turn_taking: {interrupt_after_ms: 200}',
    'greeting: {protected: true}',
    'turn_taking: {detection: none}',
  ])
    expect((await load(`${MINIMAL}${yaml}\n`)).turnTaking.interruptsBy, yaml).toBe('trunkline');
  const [fault] = await faultsIn(`${MINIMAL}turn_taking: {interrupts_by: model}\ngreeting: {protected: true}\n`);
  expect(fault).toContain('turn_taking.interrupts_by: expected trunkline: greeting.protected must not be interrupted');
});

test('without turn detection we ask for the answers', async () => {
  expect((await load(`${MINIMAL}turn_taking: {detection: none}\n`)).turnTaking).toEqual({
    detection: { kind: 'none' },
    interruptsBy: 'trunkline',
    answersBy: 'trunkline',
    interruptAfterMs: 0,
  });
  const faults = await faultsIn(
    `${MINIMAL}turn_taking: {detection: none, answers_by: model, interrupts_by: model, interrupt_after_ms: 5}\n`,
  );
  expect(faults.map((fault) => fault.split(': ')[1])).toEqual([
    'turn_taking.answers_by',
    'turn_taking.interrupts_by',
    'turn_taking.interrupt_after_ms',
  ]);
});

test('a key of another kind of detection is a fault', async () => {
  expect(await faultsIn(`${MINIMAL}turn_taking: {detection: semantic_vad, silence_ms: 400}\n`)).toEqual([
    'a.yaml:3:40: turn_taking.silence_ms: expected only with detection: server_vad, not with semantic_vad',
  ]);
  expect(
    (await load(`${MINIMAL}turn_taking: {detection: semantic_vad, eagerness: high}\n`)).turnTaking.detection,
  ).toEqual({
    kind: 'semantic_vad',
    eagerness: 'high',
  });
});

test('the disclosure is said before the greeting, once', async () => {
  const recording = 'recording: {disclosure: This call is recorded.}\n';
  expect(await load(`${MINIMAL}${recording}greeting: {text: Hello.}\n`)).toMatchObject({
    greeting: { text: 'This call is recorded. Hello.' },
    recording: { disclosure: 'This call is recorded.' },
  });
  expect(await load(`${MINIMAL}${recording}greeting: {text: "Hello. This call  is recorded."}\n`)).toMatchObject({
    greeting: { text: 'Hello. This call  is recorded.' },
  });
  expect((await load(MINIMAL + recording)).greeting?.text).toBe('This call is recorded. Hello, how can I help you?');
});

test('audio is not recorded without a word', async () => {
  const recording = 'recording: {disclosure: This call is recorded.}\n';
  expect(await faultsIn(`${MINIMAL}${recording}greeting: off\n`)).toEqual([
    'a.yaml:4:11: greeting: expected a greeting: recording is on, and its disclosure is part of what is said first (found off)',
  ]);
  expect(await faultsIn(`${MINIMAL}${recording}greeting: {text: Hello., clip: g.wav}\n`, { 'g.wav': SILENCE })).toEqual(
    [
      'a.yaml:4:18: greeting.text: expected the words of recording.disclosure in it: the clip is all that is said first (found Hello.)',
    ],
  );
  expect(await faultsIn(`${MINIMAL}recording: {}\n`)).toEqual([
    'a.yaml:3:1: recording.disclosure: expected the sentence that tells the caller about the recording (found nothing)',
  ]);
});

test('retention is a number of days or for ever; what is not named stays as long as the rest of its call', async () => {
  const retentionIn = async (yaml: string) => (await load(`${MINIMAL}retention: {${yaml}}\n`)).retention;
  expect(await retentionIn('audio_days: 0, text_days: 30, metadata_days: 365')).toEqual({
    audioDays: 0,
    textDays: 30,
    metadataDays: 365,
  });
  expect(await retentionIn('metadata_days: 90')).toEqual({ audioDays: 90, textDays: 90, metadataDays: 90 });
  expect(await retentionIn('audio_days: 7')).toEqual({ audioDays: 7, textDays: null, metadataDays: null });
  expect(await retentionIn('text_days: forever')).toEqual({ audioDays: null, textDays: null, metadataDays: null });
});

test('words and audio do not stay longer than what they belong to, and days are whole', async () => {
  expect(await faultsIn(`${MINIMAL}retention: {audio_days: 31, text_days: forever, metadata_days: 30}\n`)).toEqual([
    'a.yaml:3:25: retention.audio_days: expected at most 30, the days of retention.metadata_days (found 31)',
    'a.yaml:3:40: retention.text_days: expected at most 30, the days of retention.metadata_days (found forever)',
  ]);
  expect(
    await faultsIn(`${MINIMAL}retention:\n  audio_days: 1.5\n  text_days: never\n  metadata_days: 0\n  days: 3\n`),
  ).toEqual([
    'a.yaml:4:15: retention.audio_days: expected forever, or a whole number of days from 0 to 36500 (found 1.5)',
    'a.yaml:5:14: retention.text_days: expected forever, or a whole number of days from 0 to 36500 (found never)',
    'a.yaml:6:18: retention.metadata_days: expected a whole number of days from 1 to 36500 (found 0)',
    'a.yaml:7:3: retention.days: no such key; did you mean audio_days?',
  ]);
});

test('clips are read at load, as PCMU', async () => {
  const agent = await load(
    `${MINIMAL}greeting: {text: Hello., clip: clips/g.wav}\nfailure: {apology: clips/a.wav, apology_text: Sorry.}\n`,
    { 'clips/g.wav': SILENCE, 'clips/a.wav': writeWav([new Uint8Array(160).fill(0x7f)]) },
  );
  expect(agent.greeting?.clip).toEqual(new Uint8Array(800).fill(0xff));
  expect(agent.failure).toMatchObject({
    apology: new Uint8Array(160).fill(0x7f),
    apologyText: 'Sorry.',
    forwardTo: null,
  });
});

test('a faulty clip is a fault at its key', async () => {
  const pcm = Buffer.from(SILENCE);
  pcm.writeUInt16LE(1, 20);
  pcm.writeUInt16LE(16, 34);
  pcm.writeUInt32LE(24_000, 24);
  const yaml = (clip: string) => `${MINIMAL}greeting:\n  text: Hello.\n  clip: ${clip}\n`;
  const faults: [string, RegExp][] = [
    ['none.wav', /expected a file|no such file or folder/],
    ['pcm.wav', /pcm\.wav is 24000 Hz 16-bit PCM, 1 channel\(s\); expected 8000 Hz mu-law; convert it with: sox/],
    ['text.wav', /text\.wav is not a WAV file/],
    ['empty.wav', /expected a clip with sound in it/],
    ['long.wav', /expected a clip of at most 120 s/],
    ['/etc/passwd', /expected a path inside the agents folder, relative to the agent file/],
  ];
  for (const [clip, expected] of faults) {
    const found = await faultsIn(yaml(clip), {
      'pcm.wav': pcm,
      'text.wav': 'RIFF',
      'empty.wav': writeWav([new Uint8Array(0)]),
      'long.wav': writeWav([new Uint8Array(960_008)]),
    });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^a\.yaml:5:9: greeting\.clip: /);
    expect(found[0]).toMatch(expected);
  }
});

test('a clip needs its words beside it', async () => {
  const files = { 'g.wav': SILENCE };
  expect(await faultsIn(`${MINIMAL}greeting: {clip: g.wav}\nfailure: {apology: g.wav}\n`, files)).toEqual([
    'a.yaml:3:1: greeting.text: expected the words of the clip: the model is told what the caller heard (found nothing)',
    'a.yaml:4:1: failure.apology_text: expected the words of the clip (found nothing)',
  ]);
});

test('a tool file exports one tool or several', async () => {
  const one = await load(`${MINIMAL}tools: tools.ts\n`, { 'tools.ts': TOOL });
  expect(one.tools.map(({ name }) => name)).toEqual(['lookup_account']);
  const two = await load(`${MINIMAL}tools: code/tools.mjs\n`, {
    'code/tools.mjs': `class Counter { name = 'count'; description = 'Counts.'; parameters = { type: 'object' }; #n = 0; run() { return ++this.#n; } }
      export default [new Counter(), { name: 'b', description: 'B.', parameters: { type: 'object' }, run: () => 1 }];`,
  });
  const runner = createToolRunner(two.tools, { clock: realClock, deadlineMs: 1000 });
  const caller = { kind: 'withheld', value: '' } as const;
  const run = (toolCall: string, name: string) => {
    const tools = runner.forCall({ callId: toolCall, from: caller, to: caller, digits: () => null });
    return tools.run({ toolCall, name, arguments: '', agreed: false, signal: new AbortController().signal });
  };
  expect(await run('t', 'count')).toMatchObject({ status: 'ok', output: '1' });
  expect(await run('u', 'count')).toMatchObject({ status: 'ok', output: '2' });
});

test('every fault of a tool file is told', async () => {
  const faults = await faultsIn(`${MINIMAL}tools: tools.mjs\n`, {
    'tools.mjs': `const good = { description: 'x', parameters: { type: 'object' }, run() {} };
      export default [
        { ...good, name: 'end_call' },
        { ...good, name: 'look up' },
        { ...good, name: 'a', description: '', run: 1, parameters: { type: 'string' } },
        { ...good, name: 'b', parameters: { type: 'object', properties: { x: { type: 'text' } } } },
        { ...good, name: 'c' }, { ...good, name: 'c' },
        null,
      ];`,
  });
  expect(faults.map((fault) => fault.replace(/^a\.yaml:3:8: tools: (.*) \(found tools\.mjs\)$/, '$1'))).toEqual([
    'tool end_call: the name is taken by a built-in tool',
    'tool look up: expected a name of 1 to 64 letters, digits, _ and - (found "look up")',
    'tool a: expected a description that tells the model when to use it',
    'tool a: expected run to be a function (found number)',
    'tool a: expected parameters to be a JSON Schema of type object',
    expect.stringMatching(
      /^tool b: parameters are not a JSON Schema \(2020-12\) that can be checked: schema is invalid/,
    ),
    'tool c: expected each name once',
    'expected a tool: an object with name, description, parameters, run (found null)',
  ]);
});

test.each([
  ['missing.ts', {}, 'no such file or folder'],
  ['t.mjs', { 't.mjs': 'export const tool = 1;' }, 'expected a file whose default export is a tool or a list of tools'],
  ['t.mjs', { 't.mjs': 'throw new Error("no database");' }, 'no database'],
  ['../t.ts', {}, 'expected a path inside the agents folder'],
  ['x/../../t.ts', {}, 'expected a path inside the agents folder'],
  ['tools.py', {}, 'expected the path of a tool file'],
])('the tool file %s is a fault', async (name, files, expected) => {
  const faults = await faultsIn(`${MINIMAL}tools: ${name}\n`, files);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(/^a\.yaml:3:8: tools: /);
  expect(faults[0]).toContain(expected);
});

test('a link does not lead out of the agents folder', async () => {
  const outside = folder({ 't.ts': TOOL });
  const dir = folder({ 'a.yaml': `${MINIMAL}tools: t.ts\n` });
  symlinkSync(join(outside, 't.ts'), join(dir, 't.ts'));
  await expect(loadAgents(dir, CONFIG)).rejects.toThrow('expected a path inside the agents folder');
});

test('what a tool file leaves floating while it is loaded is a fault of that file', async () => {
  const floating = `Promise.reject(new Error('nobody waits for me')); export default { name: 'a', description: 'A.', parameters: { type: 'object' }, run: () => 1 };`;
  await expect(load(`${MINIMAL}tools: code/floats.mjs\n`, { 'code/floats.mjs': floating })).rejects.toThrow(
    /tools: nobody waits for me \(found code\/floats\.mjs\)/,
  );
});

test('the hash changes with the file, its tools and its clips, and with nothing else', async () => {
  const yaml = `${MINIMAL}tools: t.ts\ngreeting: {text: Hello., clip: g.wav}\n`;
  const files = { 't.ts': TOOL, 'g.wav': SILENCE };
  const { hash } = await load(yaml, files);
  expect((await load(yaml, { ...files, 'other.txt': 'x' })).hash).toBe(hash);
  expect((await load(`${yaml}# note\n`, files)).hash).not.toBe(hash);
  expect((await load(yaml, { ...files, 't.ts': `${TOOL}\n` })).hash).not.toBe(hash);
  expect((await load(yaml, { ...files, 'g.wav': writeWav([new Uint8Array(800)]) })).hash).not.toBe(hash);
});

test('the sample agent answers every number, discloses the recording and knows its account', async () => {
  const agents = await loadAgents(new URL('agents', REPOSITORY).pathname, CONFIG);
  expect(agents.map(({ file }) => file)).toEqual(['clinic/agent.yaml', 'orders/agent.yaml']);
  const [agent] = agents as [Agent];
  expect(agent.answers).toEqual(['*']);
  expect(agent.greeting?.text).toBe(
    'This call is recorded. Thank you for calling Harbor Clinic. This is the automated front desk. How can I help you today?',
  );
  const runner = createToolRunner(agent.tools, { clock: realClock, deadlineMs: 1000 });
  const ask = async (account: string) => {
    const caller = { kind: 'withheld', value: '' } as const;
    const tools = runner.forCall({ callId: account, from: caller, to: caller, digits: () => null });
    const signal = new AbortController().signal;
    const asked = { toolCall: 't', name: 'lookup_account', arguments: JSON.stringify({ account }), agreed: false };
    const { status, output } = await tools.run({ ...asked, signal });
    return { status, output };
  };
  expect(await ask('100019021001803')).toEqual({ status: 'ok', output: '{"balance_usd":42.5,"due":"June 3"}' });
  expect(await ask('123456')).toEqual({ status: 'failed', output: 'There is no account with this number.' });
  expect((await ask('12-34')).status).toBe('invalid');
});

const DOCS = readFileSync(new URL('docs/agent-file.md', REPOSITORY), 'utf8');

/** What the full example names beside itself. */
const EXAMPLE_FILES = {
  'clinic-tools.ts': TOOL,
  'documents/clinic-api.yaml': readFileSync(new URL('agents/clinic/clinic-api.yaml', REPOSITORY)),
  'clips/greeting.wav': SILENCE,
  'clips/hold.wav': SILENCE,
  'clips/apology.wav': SILENCE,
  'clips/music.wav': SILENCE,
  'pharmacy.yaml': 'name: Harbor Pharmacy\nanswers: [pharmacy]\ninstructions: Refill prescriptions.\n',
};

test('the examples of docs/agent-file.md are valid, and the full one uses every key', async () => {
  const examples = [...DOCS.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => yaml!);
  expect(examples).toHaveLength(2);
  const loaded = await Promise.all(examples.map((yaml) => load(yaml, EXAMPLE_FILES)));
  expect(loaded.map(({ answers }) => answers)).toEqual([['*'], ['+15551234567', 'frontdesk']]);
  expect(loaded[1]?.sources.map(({ kind }) => kind)).toEqual(['file', 'http', 'openapi', 'mcp']);
  const example = parse(examples[1]!) as unknown;
  for (const path of allKeys())
    if (path.at(-1) !== 'eagerness') expect(usesAny(example, path), path.join('.')).toBe(true);
});

test('what is not in an example is missed', () => {
  const example = { transfer: { desk: { to: 'x' } }, tools: [{ mcp: { allow: { a: { needs: [] } } } }] };
  expect(usesAny(example, ['transfer', 'to'])).toBe(true);
  expect(usesAny(example, ['transfer', 'how'])).toBe(false);
  expect(usesAny(example, ['tools', 'http', 'url'])).toBe(false);
  expect(usesAny(example, ['tools', 'mcp', 'url'])).toBe(false);
  // One policy for three kinds of tool.
  expect(usesAny(example, ['tools', 'http', 'needs'])).toBe(true);
  expect(usesAny(example, ['tools', 'http', 'fill'])).toBe(false);
});

test('a fallback takes from the first model what it does not say itself', async () => {
  const first = 'model: {name: first, endpoint: "https://one.example/v1", voice: voice_1}\n';
  const { failure } = await load(`${MINIMAL}${first}failure: {fallback: {endpoint: "https://two.example/v1/"}}\n`);
  expect(failure.fallback).toEqual({ name: 'first', endpoint: 'https://two.example/v1', voice: 'voice_1' });
  const other = await load(`${MINIMAL}failure: {fallback: {model: other}, voicemail: {}}\n`);
  expect(other.failure.fallback).toEqual({ name: 'other', endpoint: null, voice: 'marin' });
  expect(other.failure.voicemail).toEqual({ prompt: expect.stringContaining('leave a message'), maxSeconds: 120 });
  expect(await faultsIn(`${MINIMAL}failure: {fallback: {voice: marin}}\n`)).toEqual([
    'a.yaml:3:21: failure.fallback: expected a mapping with model, endpoint or both (found a mapping)',
  ]);
});

test('docs/agent-file.md describes every key in its section', () => {
  for (const path of allKeys()) {
    const rows = path.map((_, i) => `| \`${path.slice(i).join('.')}\` `);
    const described = sectionsOf(path).some((text) => rows.some((row) => text.includes(row)));
    const hasItsOwn = path.length === 1 && DOCS.includes(`\n### \`${path[0]}\`\n`);
    expect(described || hasItsOwn, path.join('.')).toBe(true);
  }
});

test('the policy that docs/agent-file.md tells once is that of all three kinds', () => {
  const [, ...rows] = sectionOf('Policy').split('\n| `');
  expect(new Set(rows.map((row) => row.split('`')[0]!))).toEqual(POLICY_KEYS);
});

/** The text below a heading of the page, to the next one. */
function sectionOf(heading: string): string {
  const text = DOCS.split(/^#{2,4} /m).find((part) => part.startsWith(`${heading}\n`));
  if (text === undefined) throw new Error(`docs/agent-file.md has no section ${heading}`);
  return text;
}

/** Where the page may describe a key. */
function sectionsOf(path: string[]): string[] {
  const [first = '', second = ''] = path;
  if (path.length === 1) return [sectionOf('Who')];
  if (first !== 'tools' || path.length === 2) return [sectionOf(`\`${first}\``)];
  return [sectionOf(`\`${second}\``), ...(POLICY_KEYS.has(path.at(-1)!) ? [sectionOf('Policy')] : [])];
}

/** Every key of the schema as a path; names that the operator chooses (of targets, operations, …) are left out of it. */
function allKeys(section: string[] = []): string[][] {
  return keysAt(agentSchema, section).flatMap((key) => {
    const inner = keysAt(agentSchema, [...section, key]);
    const nested = inner.length > 0 && inner.join() !== keysAt(agentSchema, section).join();
    return [[...section, key], ...(nested ? allKeys([...section, key]) : [])];
  });
}

/** Whether an example says something at this path, or at one that has the same keys. */
function usesAny(example: unknown, path: readonly string[]): boolean {
  const [first, second, third, ...rest] = path;
  if (first === 'admission' && second === 'refused' && rest.length > 0)
    return REFUSED.some((group) => uses(example, [first, second, group, ...rest]));
  const isPolicy = first === 'tools' && third !== undefined && POLICY_KEYS.has(path.at(-1)!);
  return isPolicy ? TOOL_POLICIES.some((section) => uses(example, [...section, path.at(-1)!])) : uses(example, path);
}

/** Goes through lists, and through names that the operator chose. */
function uses(value: unknown, path: readonly string[]): boolean {
  const [key, ...rest] = path;
  if (key === undefined) return value !== undefined;
  if (typeof value !== 'object' || value === null) return false;
  if (!Array.isArray(value) && Object.hasOwn(value, key)) return uses((value as Record<string, unknown>)[key], rest);
  const isChosen = !Array.isArray(value) && Object.keys(value).some((name) => ALL_NAMES.has(name));
  return !isChosen && Object.values(value).some((inner) => uses(inner, path));
}

/** The keys of one refusal are those of each. */
const REFUSED = keysAt(agentSchema, ['admission', 'refused']);
/** Sections that hold one tool each, of every kind that is declared. */
const TOOL_POLICIES = [
  ['tools', 'http'],
  ['tools', 'openapi', 'operations'],
  ['tools', 'mcp', 'allow'],
];
const [FIRST_POLICY = [], ...OTHER_POLICIES] = TOOL_POLICIES.map((section) => keysAt(agentSchema, section));
/** What all of them may say of how they run. */
const POLICY_KEYS = new Set(
  FIRST_POLICY.filter(
    (key) => key !== 'name' && key !== 'description' && OTHER_POLICIES.every((keys) => keys.includes(key)),
  ),
);
const ALL_NAMES = new Set(allKeys().flat());
