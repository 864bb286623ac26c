// One fault script at work: a simulator that follows it, and what every test of a fault does with its clients.
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { SessionOptions } from '../../src/simulator/options.ts';
import { loadScript } from '../../src/simulator/script-file.ts';
import type { Simulator } from '../../src/simulator/server.ts';
import { ManualClock } from './manual-clock.ts';
import { connect, simulate } from './socket-client.ts';
import type { SocketClient } from './socket-client.ts';

export const FOLDER = new URL('../fixtures/scripts/faults/', import.meta.url);
export const fast = { pace: Number.POSITIVE_INFINITY, firstDelayMs: 0, transcriptDelayMs: 1 };
const tools = ['lookup_account', 'end_call'].map((name) => ({
  type: 'function',
  name,
  parameters: { type: 'object' },
}));

/** A simulator that commits one fault. */
export class Played {
  readonly clock = new ManualClock();
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  async simulator(timing: SessionOptions = fast, clock?: ManualClock): Promise<Simulator> {
    const sessions = await loadScript(fileURLToPath(new URL(`${this.#name}.yaml`, FOLDER)));
    return simulate({ session: (n) => ({ ...sessions(n), ...timing }), ...(clock && { clock }) });
  }

  /** A connected client, configured for the telephone. */
  async client(timing?: SessionOptions, clock?: ManualClock): Promise<SocketClient> {
    return configured(await connect(await this.simulator(timing, clock)));
  }
}

export async function greeted(client: SocketClient): Promise<SocketClient> {
  client.send({ type: 'response.create' });
  await client.seen('response.done');
  return client;
}

export async function turn(client: SocketClient): Promise<void> {
  const done = client.of('response.done').length + 1;
  client.say('q-weather-short');
  await client.seen('response.done', done);
}

/** The whole conversation: greeting, an answer, the farewell with its tool call. */
export async function whole(client: SocketClient): Promise<void> {
  await greeted(client);
  await turn(client);
  await turn(client);
  await client.seen('conversation.item.input_audio_transcription.completed', 2);
  expect(client.session.responses.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed']);
}

/** Configures a client for the telephone, as the server does. */
export async function configured(client: SocketClient): Promise<SocketClient> {
  await client.update({ transcription: { model: 'gpt-transcribe' } }, { tools });
  return client;
}

/** What a client sees of a fault. */
export type Check = (played: Played) => Promise<void>;
