// What an agent file's keys ask of each other, of other files and of the server: what a schema of one key cannot see. They look
// at raw values, so that their faults are told together with those of the schema.
import type { ToolSource } from '../tools/sources.ts';
import type { Tool, ToolPolicy } from '../tools/tool.ts';
import type { YamlSource } from '../yaml/source.ts';
import { VOICES } from './schema.ts';
import { holds } from './sections.ts';

/** What the configuration says about all agents; a `Config` fits. */
export interface AgentBounds {
  /** Replaces every file's model; null = the file decides. */
  readonly openaiRealtimeModel: string | null;
  /** The most an agent may ask for, and what it gets when it asks for nothing. */
  readonly maxCallMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConcurrentCalls: number;
}

/** Everything that one file can be held against by itself. */
export function checkFile(source: YamlSource, bounds: AgentBounds): void {
  checkTurnTaking(source);
  checkSpokenTexts(source);
  checkBounds(source, bounds);
  checkRetention(source);
  checkForwards(source);
  checkTargets(source);
}

/** What its tools ask of an agent. */
export function checkTools(source: YamlSource, tools: readonly Tool[], sources: readonly ToolSource[]): void {
  const policies = [...tools.map(({ policy }) => policy ?? {}), ...sources.flatMap(policiesIn)];
  checkConsent(source, policies);
  checkDigits(source, policies);
}

/** What files ask of each other. */
export function checkTogether(sources: readonly YamlSource[]): void {
  findRivals(sources);
  checkHandOffs(sources);
}

/** Without a name of its own an agent is called like its file, or like the folder that is all its own. */
export const nameOf = (name: unknown, file: string) =>
  (typeof name === 'string' && name.trim()) || file.replace(/[/\\]agent\.\w+$/, '').replace(/\.\w+$/, '');

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

/** A caller who is transferred to the agent's own number is back where they were. */
function checkTargets(source: YamlSource): void {
  const answers = source.at('answers');
  const targets = source.at('transfer');
  if (typeof targets !== 'object' || targets === null || !Array.isArray(answers)) return;
  for (const name of Object.keys(targets))
    if (answers.includes(source.at('transfer', name, 'to')))
      source.fault(['transfer', name, 'to'], 'expected another number than those that this agent answers');
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
