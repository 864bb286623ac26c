// The tools of a sample agent file, opened against real services and run as in a call.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { agentSchema } from '../../src/agent/schema.ts';
import { realClock } from '../../src/clock.ts';
import { type OpenedSources, openToolSources } from '../../src/tools/open-sources.ts';
import { readOpenApi } from '../../src/tools/openapi-document.ts';
import { createToolRunner } from '../../src/tools/runner.ts';
import { sourcesOf, type ToolSource } from '../../src/tools/sources.ts';
import type { Tool, ToolOutcome } from '../../src/tools/tool.ts';
import { checkYaml } from '../../src/yaml/check.ts';
import { YamlSource } from '../../src/yaml/source.ts';

const AGENTS = new URL('../../agents/', import.meta.url);

export interface DeclaredCall {
  opened: OpenedSources;
  /** Asks a tool as the model does; `agreed`: the caller has agreed to what cannot be undone. */
  ask(name: string, args?: Record<string, unknown>, agreed?: boolean): Promise<ToolOutcome>;
  /** A further call of the same agent. */
  nextCall(): void;
}

/** Opens what `agents/<name>/agent.yaml` declares. Whoever opened it closes `opened`. */
export async function openDeclared(name: string, env: Record<string, string>): Promise<DeclaredCall> {
  const path = fileURLToPath(new URL(`${name}/agent.yaml`, AGENTS));
  const source = new YamlSource('agent.yaml', path, await readFile(path, 'utf8'));
  const file = checkYaml(source, agentSchema);
  if (!file) throw new Error(source.faults.join('\n'));
  const sources = await Promise.all(
    sourcesOf(file.tools, (at) => source.where(['tools', ...at])).map((one) => described(one, name)),
  );
  const opened = await openToolSources(
    { agent: name, sources, outbound: file.outbound },
    { env, clock: realClock, log: pino({ level: 'silent' }) },
  );
  const functions = await Promise.all(sources.map((one) => functionsOf(one, name)));
  const runner = createToolRunner([...functions.flat(), ...opened.tools()], { clock: realClock, deadlineMs: 3_000 });
  const party = (number: string) => ({ kind: 'number', number }) as never;
  let calls = 0;
  let requests = 0;
  const newCall = () =>
    runner.forCall({
      callId: `call_${++calls}`,
      from: party('+15005550006'),
      to: party('+15550002222'),
      digits: () => null,
    });
  let call = newCall();
  return {
    opened,
    ask: (tool, args = {}, agreed = false) =>
      call.run({
        toolCall: `tool_${++requests}`,
        name: tool,
        arguments: JSON.stringify(args),
        agreed,
        signal: new AbortController().signal,
      }),
    nextCall: () => {
      call = newCall();
    },
  };
}

async function described(source: ToolSource, name: string): Promise<ToolSource> {
  if (source.kind !== 'openapi') return source;
  const text = await readFile(new URL(`${name}/${source.document}`, AGENTS), 'utf8');
  const read = await readOpenApi(text, source.operations, { headers: Object.keys(source.headers), trusted: true });
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return { ...source, described: read.described };
}

async function functionsOf(source: ToolSource, name: string): Promise<Tool[]> {
  if (source.kind !== 'file') return [];
  return ((await import(new URL(`${name}/${source.file}`, AGENTS).href)) as { default: Tool[] }).default;
}
