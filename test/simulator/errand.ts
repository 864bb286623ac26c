// A scripted session with tools, played by a client that runs them the way Trunkline does: all outputs, then one request.
import { parseScript } from '../../src/simulator/script-file.ts';
import { phoneSession } from './socket-client.ts';
import type { ServerEvent, SocketClient } from './socket-client.ts';

export const fast = { pace: Number.POSITIVE_INFINITY, firstDelayMs: 0, transcriptDelayMs: 1 };

/** Options of every session that speaks this script, without any waiting. */
export const scripted = (text: string) => {
  const sessions = parseScript(text, 'errand.yaml');
  return (n: number) => ({ ...sessions(n), ...fast });
};

/** What a tool answers: always the same, or by its arguments. */
export type Tools = Record<string, string | ((args: string) => string)>;

interface Called {
  type: string;
  id: string;
  name: string;
  call_id: string;
  arguments: string;
  status: string;
}

type Response = ServerEvent['response'];

export class Errand {
  readonly client: SocketClient;
  /** Every call that was made, in order. */
  readonly calls: [tool: string, args: string][] = [];
  #tools: Tools;

  constructor(client: SocketClient, tools: Tools) {
    this.client = client;
    this.#tools = tools;
  }

  /** The caller says something; the tools that are called then run, until the model says something. */
  caller(): Promise<string[]> {
    return this.#settled(() => this.client.say('q-weather-short'));
  }

  /** The client asks for a response. */
  asks(response: object = {}): Promise<string[]> {
    return this.#settled(() => this.client.send({ type: 'response.create', response }));
  }

  /** A text from outside, and the request to answer it. */
  told(text: string, role: 'user' | 'system' = 'user'): Promise<string[]> {
    const content = [{ type: 'input_text', text }];
    this.client.send({ type: 'conversation.item.create', item: { type: 'message', role, content } });
    return this.asks();
  }

  /** The response that `work` brings about. */
  async response(work: () => void): Promise<Response> {
    const count = this.client.of('response.done').length + 1;
    work();
    return (await this.client.seen('response.done', count)).response;
  }

  /** The output of one call. */
  output(call_id: string, output: string): void {
    this.client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id, output } });
  }

  async #settled(work: () => void): Promise<string[]> {
    const said: string[] = [];
    for (let next = work; ; next = () => this.client.send({ type: 'response.create' })) {
      const { output } = await this.response(next);
      said.push(...output.flatMap(({ content }) => content?.map((part) => part.transcript ?? part.text ?? '') ?? []));
      const calls = callsIn({ output });
      for (const { name, call_id, arguments: args } of calls) {
        this.calls.push([name, args]);
        const tool = this.#tools[name] ?? '{}';
        this.output(call_id, typeof tool === 'string' ? tool : tool(args));
      }
      if (calls.length === 0) return said;
    }
  }
}

/** The calls of a response. */
export const callsIn = ({ output }: Pick<Response, 'output'>): Called[] =>
  (output as unknown as Called[]).filter(({ type }) => type === 'function_call');

/** As the session is told of tools. */
export const declared = (names: readonly string[]): object[] =>
  names.map((name) => ({ type: 'function', name, parameters: { type: 'object' } }));

/** A session with this script and these tools. */
export async function errand(script: string, tools: Tools = {}, session: object = {}): Promise<Errand> {
  const client = await phoneSession(scripted(script), {}, { tools: declared(Object.keys(tools)), ...session });
  return new Errand(client, tools);
}
