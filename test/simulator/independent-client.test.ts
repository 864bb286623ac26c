// A client that is not ours: OpenAI's own agents library holds a conversation with the simulator. What it reports is what
// its users would see; that it is never sent an `error` means that the two agree on the protocol.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from '@openai/agents-realtime';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { silence } from '../../src/audio/mulaw.ts';
import { readWav } from '../../src/audio/wav.ts';
import { clip } from '../../src/simulator/clips.ts';
import { loadScript } from '../../src/simulator/script-file.ts';
import { closeSimulators, isClientEvent, simulate, socketUrl } from './socket-client.ts';

const open: RealtimeSession[] = [];
afterEach(async () => {
  for (const session of open.splice(0)) session.close();
  await closeSimulators();
});

const script = fileURLToPath(new URL('../fixtures/scripts/independent-client.yaml', import.meta.url));
const format = { type: 'audio/pcmu' } as const;

/** The library's session on a simulator of its own, and what it has reported. */
async function conversation() {
  const simulator = await simulate({ session: await loadScript(script) });
  const lookedUp: string[] = [];
  const lookup = tool({
    name: 'lookup_account',
    description: 'Looks up an account.',
    parameters: z.object({ account: z.string() }),
    execute: ({ account }) => {
      lookedUp.push(account);
      return { due: 42.5 };
    },
  });
  const library = new RealtimeSession(new RealtimeAgent({ name: 'Desk', instructions: 'Be brief.', tools: [lookup] }), {
    transport: new OpenAIRealtimeWebSocket({ url: socketUrl(simulator) }),
    model: 'gpt-realtime-2.1',
    config: { audio: { input: { format, transcription: { model: 'gpt-transcribe' } }, output: { format } } },
  });
  open.push(library);
  const reported = { audio: [] as Buffer[], interruptions: 0, errors: [] as unknown[], types: [] as string[] };
  const waiting = new Set<() => void>();
  library.on('audio', ({ data }) => reported.audio.push(Buffer.from(data)));
  library.on('audio_interrupted', () => (reported.interruptions += 1));
  library.on('error', (error) => reported.errors.push(error));
  library.on('transport_event', ({ type }) => {
    reported.types.push(type);
    for (const resolve of waiting) resolve();
  });
  const seen = async (type: string, count: number): Promise<void> => {
    while (reported.types.filter((other) => other === type).length < count)
      await new Promise<void>((resolve) => waiting.add(resolve));
  };
  await library.connect({ apiKey: 'any' });
  await seen('session.updated', 2);
  const [session] = simulator.sessions;
  if (!session) throw new Error('no session');
  return { library, session, reported, lookedUp, seen };
}

/** A recorded caller in 20 ms frames, then a second of silence. */
function say(library: RealtimeSession, recording: string): void {
  const wav = readWav(readFileSync(new URL(`../fixtures/calls/${recording}.wav`, import.meta.url)));
  const audio = Buffer.concat([wav.channels[0] as Uint8Array, silence(8000)]);
  for (let i = 0; i < audio.length; i += 160) library.sendAudio(Uint8Array.from(audio.subarray(i, i + 160)).buffer);
}

const spoken = (library: RealtimeSession): unknown[] =>
  library.history.flatMap((item) =>
    item.type === 'message'
      ? item.content.map((part) => [
          item.role,
          'transcript' in part ? part.transcript : (part as { text: string }).text,
        ])
      : [[item.type, 'name' in item ? item.name : '']],
  );

test("OpenAI's agents library is greeted, asks by voice, runs a tool and hears the answer", async () => {
  const { library, session, reported, lookedUp, seen } = await conversation();
  library.transport.sendEvent({ type: 'response.create' });
  await seen('response.done', 1);
  expect(Buffer.concat(reported.audio.splice(0)).equals(clip('clinic_greeting').audio)).toBe(true);

  say(library, 'q-weather-short');
  await seen('conversation.item.input_audio_transcription.completed', 1);
  await seen('response.done', 3);
  expect(lookedUp).toEqual(['100']);
  const clips = ['clinic_one_moment', 'account_is', 'digit_1', 'digit_0', 'digit_0'].map((name) => clip(name));
  expect(Buffer.concat(reported.audio).equals(Buffer.concat(clips.map(({ audio }) => audio)))).toBe(true);
  expect(spoken(library)).toEqual([
    ['assistant', clip('clinic_greeting').text],
    ['user', 'my account is one zero zero'],
    ['assistant', clip('clinic_one_moment').text],
    ['function_call', 'lookup_account'],
    ['assistant', `${clip('account_is').text} one zero zero`],
  ]);
  expect(session.items.find(({ type }) => type === 'function_call_output')?.output).toBe('{"due":42.5}');
  expect([reported.errors, session.errorsSent]).toEqual([[], []]);
  for (const { event } of session.clientEvents) expect(isClientEvent(event), JSON.stringify(event)).toBe(true);
});

test("OpenAI's agents library is interrupted by its caller and truncates what was not heard", async () => {
  const { library, session, reported, seen } = await conversation();
  say(library, 'q-weather-short');
  await seen('response.done', 2);
  say(library, 'q-weather-short');
  await seen('response.output_audio.delta', reported.audio.length + 3);
  say(library, 'cmd-turn-on-lamp');
  await seen('response.done', 4);
  // The question cut off the answer before, which the library had not played to its end; the command cut off the story.
  expect(reported.interruptions).toBeGreaterThanOrEqual(2);
  const [storyId] = session.responses[2]?.items ?? [];
  const story = session.items.find(({ id }) => id === storyId);
  expect(story).toMatchObject({ role: 'assistant', status: 'incomplete', transcript: null });
  expect(story?.truncatedAtMs).toBeLessThanOrEqual(story?.audioMs ?? 0);
  expect(session.responses.map(({ status }) => status)).toEqual(['completed', 'completed', 'cancelled', 'completed']);
  expect(spoken(library).at(-1)).toEqual(['assistant', clip('lamp_on').text]);
  expect([reported.errors, session.errorsSent]).toEqual([[], []]);
});
