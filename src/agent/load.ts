// Agent files from disk to Agents, once at boot: YAML, recorded clips and tool modules are read and checked here, and every
// fault of every file is told at once. Behind this everything trusts an Agent.
import { createHash } from 'node:crypto';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { readWav } from '../audio/wav.ts';
import { TrunklineError } from '../errors.ts';
import { checkTool } from '../tools/declaration.ts';
import { BUILT_IN_TOOLS } from '../tools/built-in.ts';
import { checkToolNames, readToolSources } from '../tools/source-checks.ts';
import type { ToolSource } from '../tools/sources.ts';
import type { Tool, ToolPolicy } from '../tools/tool.ts';
import { checkYaml } from '../yaml/check.ts';
import { YamlSource } from '../yaml/source.ts';
import type { Agent } from './agent.ts';
import { agentSchema, TOOL_FILE, VOICES } from './schema.ts';
import {
  admissionOf,
  budgetOf,
  consentOf,
  failureOf,
  fillerOf,
  greetingOf,
  handOffOf,
  holds,
  keypadOf,
  retentionOf,
  smsOf,
  transferOf,
  turnTakingOf,
  withoutSlash,
} from './sections.ts';

/** What the configuration says about all agents; a `Config` fits. */
export interface AgentBounds {
  /** Replaces every file's model; null = the file decides. */
  readonly openaiRealtimeModel: string | null;
  /** The most an agent may ask for, and what it gets when it asks for nothing. */
  readonly maxCallMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConcurrentCalls: number;
}

/** Longest recorded clip. */
const MAX_CLIP_MS = 120_000;

const SHIPPED_HOLD = fileURLToPath(new URL('../../agents/clips/hold.wav', import.meta.url));
const SHIPPED_APOLOGY = fileURLToPath(new URL('../../agents/clips/apology.wav', import.meta.url));

/**
 * Every `*.yaml` and `*.yml` file of a folder as an agent, frozen, in order of file names.
 * @throws TrunklineError TRK_CONFIG with one line per fault: `file:line:column: path: what was expected (found …)`
 */
export async function loadAgents(dir: string, bounds: AgentBounds): Promise<Agent[]> {
  let names: string[];
  try {
    names = await agentFiles(dir);
  } catch (error) {
    throw refusal([`${dir}: expected a folder of agent files (${reasonOf(error)})`], error);
  }
  if (names.length === 0) throw refusal([`${dir}: expected at least one agent file (*.yaml); see docs/agent-file.md`]);

  const faults: string[] = [];
  const agents: Agent[] = [];
  const sources: YamlSource[] = [];
  for (const name of names) {
    const shown = join(dir, name);
    let text: string;
    try {
      text = await readFile(shown, 'utf8');
    } catch (error) {
      faults.push(`${shown}:1:1: cannot be read: ${reasonOf(error)}`);
      continue;
    }
    const source = new YamlSource(name, shown, text);
    if (source.at('openapi') !== undefined) {
      const folder = 'put it beside the agent into a folder of their own, whose agent file is agent.yaml';
      faults.push(`${shown}:1:1: expected an agent file; this is an OpenAPI document: ${folder}`);
      continue;
    }
    const agent = await loadAgent(source, text, resolve(dir), bounds);
    if (agent) agents.push(agent);
    sources.push(source);
  }
  findRivals(sources);
  checkHandOffs(sources);
  faults.push(...sources.flatMap((source) => source.faults));
  if (faults.length > 0) throw refusal(faults);
  return agents;
}

/** `*.yaml` of the folder, and `agent.yaml` of the folders in it: an agent with files of its own. */
async function agentFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const files = entries.flatMap((entry) => (/^[^.].*\.ya?ml$/i.test(entry.name) ? [entry.name] : []));
  for (const { name } of entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))) {
    const inside = (await readdir(join(dir, name))).filter((file) => /^agent\.ya?ml$/i.test(file));
    files.push(...inside.map((file) => join(name, file)));
  }
  return files.sort();
}

/** Two agents that want the same number, or have the same name: a fault of the second. */
function findRivals(sources: readonly YamlSource[]): void {
  const numbers = new Map<unknown, string>();
  const names = new Map<unknown, string>();
  for (const source of sources) {
    const answers = source.at('answers');
    for (const [i, number] of (Array.isArray(answers) ? answers : []).entries()) {
      if (typeof number !== 'string') continue;
      const first = numbers.get(number.trim());
      if (first) source.fault(['answers', i], `expected each number once; it is answered at ${first}`);
      else numbers.set(number.trim(), source.where(['answers', i]));
    }
    const name = nameOf(source.at('name'), source.file);
    const first = names.get(name);
    if (first) source.fault(['name'], `expected a name of its own; "${name}" is taken at ${first}`);
    else names.set(name, source.where(['name']));
  }
}

/** Without a name of its own an agent is called like its file, or like the folder that is all its own. */
const nameOf = (name: unknown, file: string) =>
  (typeof name === 'string' && name.trim()) || file.replace(/[/\\]agent\.\w+$/, '').replace(/\.\w+$/, '');

/** An agent can be handed to those of the same folder, and not to itself. */
function checkHandOffs(sources: readonly YamlSource[]): void {
  const names = sources.map((source) => nameOf(source.at('name'), source.file));
  for (const source of sources) {
    const own = nameOf(source.at('name'), source.file);
    const handOff = source.at('hand_off');
    if (typeof handOff !== 'object' || handOff === null) continue;
    for (const name of Object.keys(handOff))
      if (name === own || !names.includes(name))
        source.fault(
          ['hand_off', name],
          `expected the name of another agent: ${names.filter((one) => one !== own).join(', ') || 'there is none'}`,
          'key',
        );
  }
}

/** One agent, or undefined with the reasons in `source.faults`. */
async function loadAgent(
  source: YamlSource,
  text: string,
  dir: string,
  bounds: AgentBounds,
): Promise<Agent | undefined> {
  if (source.faults.length > 0) return undefined;
  const file = checkYaml(source, agentSchema);
  // These look at raw values, so that they are told together with the faults above.
  checkTurnTaking(source);
  checkSpokenTexts(source);
  checkBounds(source, bounds);
  checkRetention(source);
  checkForwards(source);
  // What an agent file names lies beside it.
  const own = dirname(join(dir, source.file));
  const read = async (named: string): Promise<Buffer> => {
    try {
      return await readFile(await inside(dir, own, named));
    } catch (error) {
      throw new Error(reasonOf(error), { cause: error });
    }
  };
  const greetingClip = await readClip(source, ['greeting', 'clip'], dir);
  const hold = await readClip(source, ['failure', 'hold'], dir, SHIPPED_HOLD);
  const apology = await readClip(source, ['failure', 'apology'], dir, SHIPPED_APOLOGY);
  const music = await readClip(source, ['filler', 'music'], dir);
  const { tools, code } = await readTools(source, dir, own);
  const declared = await readToolSources(source, read);
  checkToolNames(source, declared.sources, [...tools.map(({ name }) => name), ...BUILT_IN_TOOLS]);
  checkTargets(source);
  const policies = [...tools.map(({ policy }) => policy ?? {}), ...declared.sources.flatMap(policiesIn)];
  checkConsent(source, policies);
  checkDigits(source, policies);
  if (!file || source.faults.length > 0) return undefined;

  const { model } = file;
  return deepFreeze<Agent>({
    name: nameOf(file.name, source.file),
    file: source.file,
    hash: hashOf([
      Buffer.from(text),
      ...code,
      ...declared.files,
      greetingClip?.file,
      hold!.file,
      apology!.file,
      music?.file,
    ]),
    answers: file.answers,
    model: {
      name: bounds.openaiRealtimeModel ?? model.name,
      voice: model.voice,
      speed: model.speed,
      endpoint: withoutSlash(model.endpoint),
      maxSessionMs: model.max_session_seconds * 1000,
      reasoningEffort: model.reasoning_effort === 'off' ? null : model.reasoning_effort,
      maxOutputTokens: model.max_output_tokens,
      noiseReduction: model.noise_reduction === 'off' ? null : model.noise_reduction,
      transcription:
        model.transcription === 'off'
          ? null
          : { model: model.transcription.model, language: model.transcription.language ?? null },
      truncation:
        typeof model.truncation === 'string'
          ? model.truncation
          : {
              retentionRatio: model.truncation.retention_ratio,
              postInstructionTokens:
                model.truncation.post_instruction_tokens === 'off' ? null : model.truncation.post_instruction_tokens,
            },
    },
    instructions: file.instructions,
    greeting: greetingOf(file, greetingClip?.audio ?? null),
    turnTaking: turnTakingOf(file),
    silence: {
      promptAfterMs: msOf(file.silence.prompt_after_seconds) ?? bounds.idleTimeoutMs,
      prompt: file.silence.prompt,
      goodbye: file.silence.goodbye,
    },
    limits: {
      maxCallMs: msOf(file.limits.max_call_seconds) ?? bounds.maxCallMs,
      wrapUp: file.limits.wrap_up,
      modelStallMs: file.limits.model_stall_ms,
      toolMs: file.limits.tool_ms,
      maxConcurrentCalls: file.limits.max_concurrent_calls ?? bounds.maxConcurrentCalls,
    },
    admission: admissionOf(file),
    budget: budgetOf(file),
    tools,
    sources: declared.sources,
    outbound: declared.outbound,
    transfer: transferOf(file),
    keypad: keypadOf(file),
    consent: consentOf(file),
    notes: file.notes === 'off' ? null : file.notes,
    sendsDtmf: file.send_dtmf,
    sms: smsOf(file),
    handOff: handOffOf(file),
    guardrails: file.guardrails,
    filler: fillerOf(file, music?.audio ?? null),
    endCall: file.end_call,
    failure: failureOf(file, hold!.audio, apology!.audio),
    recording: file.recording === 'off' ? null : file.recording,
    retention: retentionOf(file),
  });
}

const msOf = (seconds: number | undefined) => (seconds === undefined ? undefined : Math.round(seconds * 1000));

function checkTurnTaking(source: YamlSource): void {
  const turns = (key: string) => source.at('turn_taking', key);
  const chosen = turns('detection') ?? 'server_vad';
  const detection = ['server_vad', 'semantic_vad', 'none'].find((kind) => kind === chosen);
  const after = turns('interrupt_after_ms');
  if (turns('interrupts_by') === 'model') {
    const because = [
      typeof after === 'number' && after > 0 && 'interrupt_after_ms waits for more than the first sound',
      source.at('greeting', 'protected') === true && 'greeting.protected must not be interrupted',
      detection === 'none' && 'with detection: none the model does not hear the caller begin',
    ].filter((reason) => reason !== false);
    if (because.length > 0)
      source.fault(
        ['turn_taking', 'interrupts_by'],
        `expected trunkline: ${because.join(', and ')}, while the model stops by itself at the first sound`,
      );
  }
  if (turns('answers_by') === 'model' && detection === 'none')
    source.fault(
      ['turn_taking', 'answers_by'],
      'expected trunkline: with detection: none the model does not know when a turn ends',
    );
  const needs: Record<string, string> = {
    threshold: 'server_vad',
    prefix_padding_ms: 'server_vad',
    silence_ms: 'server_vad',
    eagerness: 'semantic_vad',
  };
  for (const [key, kind] of Object.entries(needs))
    if (turns(key) !== undefined && detection !== undefined && detection !== kind)
      source.fault(['turn_taking', key], `expected only with detection: ${kind}, not with ${detection}`, 'key');
  if (typeof after === 'number' && after > 0 && detection === 'none')
    source.fault(['turn_taking', 'interrupt_after_ms'], 'expected 0 with detection: none, where speech is not noticed');
}

function checkSpokenTexts(source: YamlSource): void {
  const greeting = source.at('greeting');
  const said = source.at('greeting', 'text');
  const clip = source.at('greeting', 'clip') !== undefined;
  const disclosure = source.at('recording', 'disclosure');
  if (clip && said === undefined)
    source.fault(['greeting', 'text'], 'expected the words of the clip: the model is told what the caller heard');
  if (source.at('failure', 'apology') !== undefined && source.at('failure', 'apology_text') === undefined)
    source.fault(['failure', 'apology_text'], 'expected the words of the clip');
  if (typeof disclosure === 'string' && greeting === 'off')
    source.fault(
      ['greeting'],
      'expected a greeting: recording is on, and its disclosure is part of what is said first',
    );
  if (typeof disclosure === 'string' && clip && typeof said === 'string' && !holds(said, disclosure))
    source.fault(
      ['greeting', 'text'],
      'expected the words of recording.disclosure in it: the clip is all that is said first',
    );
  const voice = source.at('model', 'voice');
  const known = (name: string) => name.startsWith('voice_') || VOICES.some((v) => v === name);
  if (typeof voice === 'string' && source.at('model', 'endpoint') === undefined && !known(voice.trim()))
    source.fault(
      ['model', 'voice'],
      `expected one of ${VOICES.join(', ')}, or the id of a custom voice (voice_…); other names only with model.endpoint`,
    );
}

function checkBounds(source: YamlSource, bounds: AgentBounds): void {
  const limits: [path: string[], most: number, key: string][] = [
    [['limits', 'max_call_seconds'], bounds.maxCallMs / 1000, 'MAX_CALL_SECONDS'],
    [['limits', 'max_concurrent_calls'], bounds.maxConcurrentCalls, 'MAX_CONCURRENT_CALLS'],
    [['silence', 'prompt_after_seconds'], bounds.idleTimeoutMs / 1000, 'IDLE_TIMEOUT_SECONDS'],
  ];
  for (const [path, most, key] of limits) {
    const asked = source.at(...path);
    if (typeof asked === 'number' && asked > most)
      source.fault(path, `expected at most ${most}, the server's ${key}: an agent may only ask for less`);
  }
}

/** What a call's words and sound belong to does not go before them. */
function checkRetention(source: YamlSource): void {
  const most = source.at('retention', 'metadata_days');
  if (typeof most !== 'number' || most < 1) return;
  for (const key of ['audio_days', 'text_days']) {
    const asked = source.at('retention', key);
    if (asked === 'forever' || (typeof asked === 'number' && asked > most))
      source.fault(['retention', key], `expected at most ${most}, the days of retention.metadata_days`);
  }
}

/** How the tools of a source are run. */
function policiesIn(source: ToolSource): Partial<ToolPolicy>[] {
  if (source.kind === 'http') return [source.policy];
  if (source.kind === 'openapi') return source.operations.map(({ policy }) => policy);
  return source.kind === 'mcp' ? source.allow.map(({ policy }) => policy) : [];
}

/** Where no words are known, any turn of the caller would count as a yes. */
function checkConsent(source: YamlSource, policies: readonly Partial<ToolPolicy>[]): void {
  const irreversible = policies.some(({ effect }) => effect === 'irreversible');
  if (!irreversible || source.at('model', 'transcription') !== 'off' || source.at('consent', 'by') === 'key') return;
  source.fault(
    ['consent', 'by'],
    'expected key: with model.transcription off nobody knows whether a caller said yes to what cannot be undone',
  );
}

/** A reference to digits that nobody collects could never be used. */
function checkDigits(source: YamlSource, policies: readonly Partial<ToolPolicy>[]): void {
  const fields = source.at('keypad');
  const known = typeof fields === 'object' && fields !== null ? Object.keys(fields) : [];
  for (const field of new Set(policies.flatMap(({ digits = [] }) => digits)))
    if (!known.includes(field))
      source.fault(
        ['tools'],
        `expected digits to name a field under keypad: ${known.join(', ') || 'there is none'} (found ${field})`,
      );
}

/** A caller who is transferred to the agent's own number is back where they were. */
function checkTargets(source: YamlSource): void {
  const answers = source.at('answers');
  const targets = source.at('transfer');
  if (typeof targets !== 'object' || targets === null || !Array.isArray(answers)) return;
  for (const name of Object.keys(targets))
    if (answers.includes(source.at('transfer', name, 'to')))
      source.fault(['transfer', name, 'to'], 'expected another number than those that this agent answers');
}

/** Where a file says to whom a caller is forwarded. */
const FORWARDS = [
  ['failure', 'forward_to'],
  ['budget', 'forward_to'],
  ...['denied', 'limited', 'full', 'draining', 'budget'].map((group) => ['admission', 'refused', group, 'forward_to']),
];

/** A caller who is forwarded to the agent's own number comes in again and is forwarded again, without an end. */
function checkForwards(source: YamlSource): void {
  const answers = source.at('answers');
  const own = (Array.isArray(answers) ? answers : []).map((number) =>
    typeof number === 'string' ? number.trim() : null,
  );
  for (const path of FORWARDS) {
    const to = source.at(...path);
    if (typeof to === 'string' && own.includes(to))
      source.fault(
        path,
        'expected another number than those that this agent answers: the call would come back for ever',
      );
  }
}

/** A clip named in the file, or the fallback; undefined when there is none or it is faulty. */
async function readClip(
  source: YamlSource,
  path: string[],
  dir: string,
  fallback?: string,
): Promise<{ file: Buffer; audio: Uint8Array } | undefined> {
  const named = source.at(...path);
  if (named !== undefined && typeof named !== 'string') return undefined;
  try {
    const location = named === undefined ? fallback : await inside(dir, dirname(join(dir, source.file)), named.trim());
    if (location === undefined) return undefined;
    const file = await readFile(location);
    const { channels, durationMs } = readWav(file, basename(location));
    const [audio] = channels;
    if (!audio || audio.length === 0) throw new Fault('expected a clip with sound in it');
    if (durationMs > MAX_CLIP_MS) throw new Fault(`expected a clip of at most ${MAX_CLIP_MS / 1000} s`);
    return { file, audio };
  } catch (error) {
    source.fault(path, reasonOf(error));
    return undefined;
  }
}

/** The functions of every tool file that is named, and the files themselves, which are part of the agent's hash. */
async function readTools(source: YamlSource, dir: string, own: string): Promise<{ tools: Tool[]; code: Buffer[] }> {
  const tools: Tool[] = [];
  const code: Buffer[] = [];
  for (const [path, named] of toolFiles(source.at('tools'))) {
    try {
      const location = await inside(dir, own, named);
      code.push(await readFile(location));
      const module = (await import(pathToFileURL(location).href)) as { default?: unknown };
      if (module.default === undefined)
        throw new Fault('expected a file whose default export is a tool or a list of tools');
      for (const value of Array.isArray(module.default) ? (module.default as unknown[]) : [module.default]) {
        const checked = checkTool(value);
        if ('faults' in checked) for (const fault of checked.faults) source.fault(path, fault);
        else if (tools.some((tool) => tool.name === checked.tool.name))
          source.fault(path, `tool ${checked.tool.name}: expected each name once`);
        else tools.push(checked.tool);
      }
    } catch (error) {
      source.fault(path, reasonOf(error));
    }
  }
  return { tools, code };
}

/** Where tool files are named, in the short form and in the list. */
function toolFiles(section: unknown): [path: (string | number)[], file: string][] {
  const list: [(string | number)[], unknown][] = Array.isArray(section)
    ? section.map((entry, i) => [['tools', i, 'file'], (entry as { file?: unknown } | null)?.file])
    : [[['tools'], section]];
  return list.flatMap(([path, file]) =>
    typeof file === 'string' && TOOL_FILE.test(file.trim()) ? [[path, file.trim()]] : [],
  );
}

/** The absolute path of a file named in an agent file. Neither `..` nor a link leads out of the agents folder. */
async function inside(dir: string, own: string, named: string): Promise<string> {
  const location = resolve(own, named);
  if (isAbsolute(named) || !within(dir, location) || !within(await realpath(dir), await realpath(location)))
    throw new Fault('expected a path inside the agents folder, relative to the agent file');
  return location;
}

function within(dir: string, path: string): boolean {
  const way = relative(dir, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** What is wrong with one value, in words for the operator. */
class Fault extends Error {}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return `it threw ${typeof error}`;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'no such file or folder';
  if (code === 'EISDIR') return 'expected a file; this is a folder';
  if (code === 'EACCES') return 'may not be read by this user';
  return error.message.split('\n', 1)[0]!.slice(0, 300);
}

/** SHA-256 over the parts that make an agent, each by its own hash so that their borders count. */
function hashOf(parts: readonly (Buffer | undefined)[]): string {
  const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
  return sha256(parts.map((part) => (part ? sha256(part) : '-')).join('\n'));
}

function refusal(faults: readonly string[], cause?: unknown): TrunklineError {
  const title = `The agent files have ${faults.length} fault${faults.length === 1 ? '' : 's'}:`;
  return new TrunklineError('TRK_CONFIG', [title, ...faults.map((fault) => `  ${fault}`)].join('\n'), { cause });
}

/** Freezes plain data all the way down. Bytes cannot be frozen; functions are left alone. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
