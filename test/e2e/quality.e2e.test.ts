// How a call was for its caller, as record, metrics and log say it, against what the phone really heard.
import { describe, expect, test, vi } from 'vitest';
import { trackFromTimeline } from '../../src/phone/caller-track.ts';
import type { Script } from '../../src/simulator/script.ts';
import { question, withE2e } from '../support/e2e.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

const farewell = { items: [{ say: ['clinic_goodbye'] }, { tool: 'end_call', arguments: {} }] };
const asks = { cue: { after: 'agent_silent', forMs: 500, patienceMs: 20_000 }, action: { say: question() } } as const;

describe.concurrent('the quality of a call', () => {
  test('is high where nothing was wrong, and in record, log and metrics the same', { timeout: 30_000 }, () =>
    withE2e(
      { simulator: { script: { greeting: { items: [{ say: ['short_ok'] }] }, turns: [farewell] } } },
      async (e2e) => {
        const phone = e2e.call({ track: { steps: [asks] } });
        await phone.ended;
        const { quality, end } = await e2e.record(phone.callSid);
        expect(end.reason).toBe('agent_goodbye');
        expect(quality.score).toBe(100 - quality.deductions.reduce((sum, { points }) => sum + points, 0));
        // A busy machine may cost a point or two; nothing else may.
        expect(quality.score).toBeGreaterThanOrEqual(90);
        expect(quality).toMatchObject({
          deadAir: { count: 0, beyondMs: 0 },
          answers: { count: 1 },
          sessions: { opened: 1, fallback: 0, lost: 0, rolledOver: 0 },
          media: { started: true, lost: 0, awayMs: 0 },
          failures: { answers: 0, tools: 0 },
        });
        expect(quality.frames.received).toBeGreaterThan(100);
        expect(await e2e.metric('trunkline_call_quality_score_count')).toBe(1);
        expect(await e2e.metric('trunkline_call_quality_score_sum')).toBe(quality.score);
        expect(await e2e.metric('trunkline_first_word_seconds_count')).toBe(1);
        expect(e2e.logLines.find(({ msg }) => msg === 'call record')).toMatchObject({ quality: quality.score });
        expect(e2e.logLines.find(({ msg }) => msg === 'call ended')).toMatchObject({
          reason: 'agent_goodbye',
          why: '',
        });
      },
    ),
  );

  test('names the silence that the caller heard', { timeout: 30_000 }, () => {
    const script: Script = {
      greeting: { items: [{ say: ['short_ok'] }] },
      turns: [{ ...farewell, firstDelayMs: 3_200 }],
    };
    return withE2e(
      {
        // Without "one moment", and with a longer patience than the model's delay.
        agent: ({ failure, limits }) => ({
          failure: { ...failure, hold: new Uint8Array() },
          limits: { ...limits, modelStallMs: 10_000 },
        }),
        simulator: { script },
      },
      async (e2e) => {
        const phone = e2e.call({ track: { steps: [asks] } });
        const { heard } = await phone.ended;
        const { quality } = await e2e.record(phone.callSid);
        // The longest silence of the phone began with the end of the greeting, before the caller's words.
        const silences = heard.map(({ atMs }, i) => atMs - (heard[i - 1] ? endOf(heard[i - 1]) : 0));
        expect(quality.deadAir).toMatchObject({ count: 1 });
        expect(quality.deadAir.longestMs).toBeGreaterThanOrEqual(3_100);
        expect(quality.deadAir.longestMs).toBeLessThan(Math.max(...silences));
        expect(quality.deadAir.beyondMs).toBe(quality.deadAir.longestMs - 2_000);
        expect(quality.deductions).toContainEqual({
          part: 'dead_air',
          points: Math.round(quality.deadAir.beyondMs / 200),
          why: expect.stringMatching(/^\d+\.\d s of silence beyond 2 s, in 1 wait$/),
        });
        expect(await e2e.metric('trunkline_calls_marked_down_total', { part: 'dead_air' })).toBe(1);
        expect(await e2e.metric('trunkline_quality_seconds_total', { what: 'dead_air' })).toBeCloseTo(
          quality.deadAir.beyondMs / 1_000,
          3,
        );
      },
    );
  });

  test('counts the frames that a stalling network made late', { timeout: 30_000 }, () =>
    withE2e(
      { simulator: { script: { greeting: { items: [{ say: ['clinic_support_long'] }] }, turns: [] } } },
      async (e2e) => {
        const phone = e2e.call({
          network: { toServerMs: 40, burstMs: 400, burstEveryMs: 1_000, seed: 7 },
          track: trackFromTimeline([{ atMs: 6_000, hangup: true }]),
        });
        await phone.ended;
        const { quality } = await e2e.record(phone.callSid);
        const { frames } = quality;
        // Some four holds of 400 ms, of which all but the last 60 ms are late.
        expect(frames.late).toBeGreaterThan(30);
        expect(frames.late).toBeLessThan(frames.received / 2);
        expect(quality.deductions.map(({ part }) => part)).toContain('late_audio');
        expect(await e2e.metric('trunkline_frames_total', { path: 'late' })).toBe(frames.late);
      },
    ),
  );

  test('takes points for a model session that was lost under the call', { timeout: 30_000 }, () => {
    const script: Script = { greeting: { items: [{ say: ['short_ok'] }] }, turns: [farewell] };
    const dropped = { script, dropAfterMs: 1_000, dropCode: 1011 };
    return withE2e({ simulator: (n) => (n === 1 ? dropped : { script }) }, async (e2e) => {
      const phone = e2e.call({ track: { steps: [asks] } });
      await phone.ended;
      const { quality, end, troubles } = await e2e.record(phone.callSid);
      expect(end.reason).toBe('agent_goodbye');
      expect(quality).toMatchObject({ sessions: { opened: 2, fallback: 0, lost: 1, rolledOver: 0 } });
      const why = '1011: the server met a fault of its own';
      expect(troubles).toEqual([{ atMs: expect.any(Number), what: 'session_lost', why }]);
      expect(e2e.warnings()).toContainEqual(
        expect.objectContaining({ msg: 'model session lost', cause: 'lost', why, callId: expect.any(String) }),
      );
      expect(quality.deductions).toContainEqual({
        part: 'lost_session',
        points: 5,
        why: '1 model session lost and replaced',
      });
    });
  });

  test('of a call that the model refused says so in words, in record and log', { timeout: 30_000 }, () =>
    withE2e({ simulator: { refuse: { status: 401 } } }, async (e2e) => {
      const phone = e2e.call();
      await phone.ended;
      const { quality, end } = await e2e.record(phone.callSid);
      const words = 'HTTP 401: the API key is not valid';
      expect(end).toMatchObject({ reason: 'model_refused', detail: words });
      expect(e2e.logLines.find(({ msg }) => msg === 'call ended')).toMatchObject({ why: words });
      expect(quality.deductions[0]).toEqual({ part: 'unfinished', points: 30, why: 'the call ended by a failure' });
    }),
  );
});

const endOf = (piece: { atMs: number; durationMs: number } | undefined): number =>
  piece ? piece.atMs + piece.durationMs : 0;
