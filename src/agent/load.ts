// Agent files from disk to Agents, once at boot: YAML, recorded clips and tool modules are read and checked here, and every
// fault of every file is told at once. Behind this everything trusts an Agent.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { TrunklineError } from '../errors.ts';
import { BUILT_IN_TOOLS } from '../tools/built-in.ts';
import { checkToolNames, readToolSources } from '../tools/source-checks.ts';
import { checkYaml } from '../yaml/check.ts';
import { YamlSource } from '../yaml/source.ts';
import type { Agent } from './agent.ts';
import { type AgentBounds, checkFile, checkTogether, checkTools, nameOf } from './checks.ts';
import { agentFiles, inside, readClip, readTools, reasonOf, SHIPPED_APOLOGY, SHIPPED_HOLD, sha256 } from './files.ts';
import { agentSchema } from './schema.ts';
import {
  admissionOf,
  budgetOf,
  consentOf,
  failureOf,
  fillerOf,
  greetingOf,
  handOffOf,
  keypadOf,
  retentionOf,
  smsOf,
  transferOf,
  turnTakingOf,
  withoutSlash,
} from './sections.ts';

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
      // There is no call yet that this could hold up, and to wait for a thousand small files takes longer than to read them.
      text = readFileSync(shown, 'utf8');
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
  checkTogether(sources);
  faults.push(...sources.flatMap((source) => source.faults));
  if (faults.length > 0) throw refusal(faults);
  return agents;
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
  checkFile(source, bounds);
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
  checkTools(source, tools, declared.sources);
  if (!file || source.faults.length > 0) return undefined;

  const { model } = file;
  return deepFreeze<Agent>({
    name: nameOf(file.name, source.file),
    file: source.file,
    hash: hashOf([
      ...[Buffer.from(text), ...code, ...declared.files].map(sha256),
      ...[greetingClip, hold, apology, music].map((clip) => clip?.hash),
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

/** SHA-256 over the hashes of the parts that make an agent, so that their borders count. */
const hashOf = (parts: readonly (string | undefined)[]): string => sha256(parts.map((part) => part ?? '-').join('\n'));

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
