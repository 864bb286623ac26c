// The first second of a call: the webhook, the model session that is opened meanwhile, the greeting, and the caller's first
// words while the model still connects.
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { FRAME_BYTES, msToBytes } from '../../src/audio/mulaw.ts';
import { readWav } from '../../src/audio/wav.ts';
import { cutClip, readClip } from '../../src/phone/caller-track.ts';
import { clip } from '../../src/simulator/clips.ts';
import type { Script } from '../../src/simulator/script.ts';
import { mediaUrl, post, question, webhookParams, within, withE2e } from '../support/e2e.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

const script: Script = {
  greeting: { items: [{ say: ['clinic_greeting'] }] },
  turns: [{ items: [{ say: ['short_ok'] }, { tool: 'end_call', arguments: {} }] }],
};

describe.concurrent('answering', () => {
  test('answers 20 webhooks in a row quickly, each with a session that opens beside it', async ({ annotate }) => {
    await withE2e({ simulator: { script } }, async (e2e) => {
      const tookMs: number[] = [];
      for (let i = 0; i < 20; i++) {
        const phone = e2e.call();
        await phone.once('firstAudio');
        phone.hangUp();
        tookMs.push((await phone.ended).webhookMs);
      }
      tookMs.sort((a, b) => a - b);
      await annotate(`webhook answered: p50 ${tookMs[9]?.toFixed(1)} ms, max ${tookMs.at(-1)?.toFixed(1)} ms`);
      // 50 ms is the aim; a machine that runs everything else at once gets more.
      expect(tookMs[9]).toBeLessThan(50);
      expect(e2e.simulator.sessions).toHaveLength(20);
    });
  });

  test('says a greeting that the model has ready as soon as the media starts', { timeout: 20_000 }, () =>
    withE2e({ simulator: { script } }, async (e2e) => {
      // The carrier takes a while to start its stream; the model has spoken by then.
      const startsAfterMs = 600;
      const phone = e2e.call({ network: { toServerMs: startsAfterMs } });
      const { atMs } = await phone.once('firstAudio');
      expect(atMs - startsAfterMs).toBeLessThan(50);
      phone.hangUp();
      await phone.ended;
      const { turns } = await e2e.record(phone.callSid);
      const [greeting] = turns;
      if (greeting?.who !== 'agent') throw new Error('the agent did not speak first');
      expect(greeting.startAtMs).toBeLessThan(0);
      expect(greeting.soundAtMs).toBeLessThan(50);
    }),
  );

  test('plays a recorded greeting at once while the model connects, and tells the model what was said', {
    timeout: 20_000,
  }, () => {
    const shipped = readClip(fileURLToPath(new URL('../../agents/clips/greeting.wav', import.meta.url)));
    const greeting = cutClip(shipped, 0, 1_500);
    const text = 'Thank you for calling Harbor Clinic.';
    return withE2e(
      { agent: { greeting: { text, clip: greeting, protected: false } }, simulator: { script, handshakeDelayMs: 800 } },
      async (e2e) => {
        const phone = e2e.call();
        expect((await phone.once('firstAudio')).atMs).toBeLessThan(100);
        const session = await e2e.session();
        const told = await session.next('client_event', ({ type }) => type === 'conversation.item.create');
        expect(told).toMatchObject({ item: { role: 'assistant', content: [{ text }] } });
        phone.say(question());
        const { heard } = await phone.ended;
        expect(heard[0]?.bytes.subarray(0, greeting.length).equals(greeting)).toBe(true);
        const record = await e2e.record(phone.callSid);
        expect(record.turns[0]).toMatchObject({ who: 'agent', answer: null, outcome: 'heard', heardText: text });
        expect(record.end.reason).toBe('agent_goodbye');
      },
    );
  });

  test.for([
    { what: 'a handshake of 600 ms', options: { handshakeDelayMs: 600 } },
    { what: 'a slow configuration', options: { updateDelayMs: 600 } },
    // Long enough for the caller to be asked for a moment.
    { what: 'a handshake of 3 s', options: { handshakeDelayMs: 3_000 }, holds: ['clip:hold#1'] },
  ])('$what costs the caller no sample', { timeout: 20_000 }, ({ options, holds = [] }) =>
    withE2e({ agent: { greeting: null }, simulator: { script, ...options } }, async (e2e) => {
      const phone = e2e.call();
      await phone.once('streaming');
      // On the line from the first frame on, wherever that lies in the stream.
      const { atMs } = phone.say(question());
      const session = await e2e.session();
      await phone.ended;
      const [caller = new Uint8Array()] = readWav(phone.stereoWav()).channels;
      const sent = caller.subarray(msToBytes(atMs));
      const heard = session.heardAudio();
      expect(heard.length).toBeGreaterThan(msToBytes(2_000));
      // What was on its way when the call ended is all that may be missing.
      expect(sent.length - heard.length).toBeLessThanOrEqual(10 * FRAME_BYTES);
      expect(heard.equals(sent.subarray(0, heard.length))).toBe(true);
      const record = await e2e.record(phone.callSid);
      expect(record.audio.filledMs).toEqual({ gap: 0, stall: 0 });
      expect(record.end.reason).toBe('agent_goodbye');
      // The word that began before the model was there was heard and answered.
      const turns = record.turns.map((turn) => (turn.who === 'caller' ? turn.who : turn.utterance));
      expect(turns).toEqual([...holds, 'caller', 'u1']);
    }),
  );

  test('fills frames that the carrier lost with silence, so that the model keeps its time', { timeout: 20_000 }, () =>
    withE2e({ agent: { greeting: null }, simulator: { script } }, async (e2e) => {
      const phone = e2e.call();
      const session = await e2e.session();
      await phone.once('streaming');
      await session.next('audio', ({ totalBytes }) => totalBytes >= msToBytes(300));
      phone.skipFrames(25);
      phone.duplicateFrame();
      await session.next('audio', ({ totalBytes }) => totalBytes >= msToBytes(1_000));
      phone.duplicateFrame();
      phone.say(question());
      const { framesSent } = await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.audio.filledMs).toEqual({ gap: 500, stall: 0 });
      expect(Math.abs(session.appendedBytes / FRAME_BYTES - (framesSent + 25))).toBeLessThanOrEqual(10);
      expect(record.ignored).toMatchObject({ frame_repeated: 2 });
      expect(record.end.reason).toBe('agent_goodbye');
    }),
  );

  test('opens a session with the webhook and gives it up when no media comes', { timeout: 20_000 }, () =>
    withE2e({ simulator: { script } }, async (e2e) => {
      const params = webhookParams();
      const startMs = performance.now();
      const answer = await post(e2e, '/voice', params);
      e2e.secrets.add(mediaUrl(answer.body).split('/').at(-1) as string);
      const session = await e2e.session();
      expect(performance.now() - startMs).toBeLessThan(1_000);
      await within(12_000, 'the end of a session that nobody adopted', session.next('closed'));
      expect(performance.now() - startMs).toBeGreaterThan(9_900);
      const { end, durations } = await e2e.record(params.CallSid as string);
      expect(end).toMatchObject({ reason: 'media_never_started', by: 'carrier', result: 'failure' });
      expect(durations.mediaMs).toBeNull();
      const reason = { reason: 'media_never_started' };
      expect(await e2e.metric('trunkline_sessions_closed_total', reason)).toBe(1);
      expect(await e2e.metric('trunkline_sessions_timed_out_total', reason)).toBe(1);
    }),
  );

  test('waits for the caller where no greeting is wanted', { timeout: 20_000 }, () =>
    withE2e({ agent: { greeting: null }, simulator: { script } }, async (e2e) => {
      const phone = e2e.call({ track: { steps: [{ cue: { atMs: 1_000 }, action: { say: question() } }] } });
      const { heard } = await phone.ended;
      // One answer, whole; a busy machine may leave a gap between its two utterances.
      const bytes = Buffer.concat(heard.map((segment) => segment.bytes));
      expect(bytes.subarray(0, clip('short_ok').audio.length).equals(clip('short_ok').audio)).toBe(true);
      expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
    }),
  );
});
