// The caller's side: the line's sound, tracks, cues, and the demo caller in a conversation without sockets.
import { describe, expect, test } from 'vitest';
import { writeWav } from '../../src/audio/wav.ts';
import { CallerLine } from '../../src/phone/caller-line.ts';
import { CallerScript, type CallerView } from '../../src/phone/caller-script.ts';
import { type Cue, renderTrack, trackFromTimeline, trackFromWav } from '../../src/phone/caller-track.ts';
import { demoCaller } from '../../src/phone/demo-caller.ts';
import { PlaybackBuffer } from '../../src/phone/playback-buffer.ts';

const audio = (ms: number, byte = 0x55): Buffer => Buffer.alloc(ms * 8, byte);

describe('the caller’s line', () => {
  test('places a clip to the sample and flickers like an idle line around it', () => {
    const line = new CallerLine();
    line.say(audio(20), 25);
    const sound = Buffer.concat([line.takeFrame(), line.takeFrame(), line.takeFrame()]);
    expect(sound.indexOf(0x55)).toBe(25 * 8);
    expect(sound.lastIndexOf(0x55)).toBe(45 * 8 - 1);
    expect(new Set(sound.subarray(0, 25 * 8))).toEqual(new Set([0x7e, 0x7f, 0xfe, 0xff]));
  });

  test('is digital silence when asked to be', () => {
    expect(new CallerLine('silence').takeFrame()).toEqual(audio(20, 0xff));
  });

  test('says one clip after the other and never in the past', () => {
    const line = new CallerLine('silence');
    line.takeFrame();
    expect(line.say(audio(30))).toEqual({ atMs: 20, endMs: 50 });
    expect(line.say(audio(10), 0)).toEqual({ atMs: 50, endMs: 60 });
    expect(line.saidUntilMs).toBe(60);
  });
});

describe('a track', () => {
  test('is built from a timeline, keys apart and in order of time', () => {
    const track = trackFromTimeline([
      { atMs: 900, hangup: true },
      { atMs: 100, bytes: audio(20) },
      { atMs: 300, dtmf: '1#' },
    ]);
    expect(track.steps.map(({ cue, action }) => [cue, Object.keys(action)[0]])).toEqual([
      [{ atMs: 100 }, 'say'],
      [{ atMs: 300 }, 'press'],
      [{ atMs: 550 }, 'press'],
      [{ atMs: 900 }, 'hangUp'],
    ]);
  });

  test('reads the left channel of a WAV and renders with 0xFF between clips', () => {
    const wav = writeWav([audio(10, 1), audio(10, 2)]);
    const track = trackFromTimeline([...trackFromWavPoints(wav), { atMs: 30, wav }]);
    const line = renderTrack(track);
    expect(line).toEqual(Buffer.concat([audio(10, 1), audio(20, 0xff), audio(10, 1)]));
    expect(renderTrack(trackFromWav(wav, 5)).length).toBe(15 * 8);
  });

  const trackFromWavPoints = (wav: Buffer) => [{ atMs: 0, wav }];
});

describe('cues', () => {
  const view = (nowMs: number, rest: Partial<CallerView> = {}): CallerView => ({
    nowMs,
    untilMs: nowMs,
    saidUntilMs: 0,
    spurt: undefined,
    heardMs: 0,
    ...rest,
  });
  const press = (cue: Cue, digit = '1') => ({ cue, action: { press: digit } });
  const script = (...cues: Cue[]) => new CallerScript({ steps: cues.map((cue) => press(cue)) });
  const due = (of: CallerScript, at: CallerView) => of.takeDue(at) !== undefined;

  test('a fixed time is due in the frame that contains it', () => {
    const fixed = script({ atMs: 110 });
    expect(due(fixed, view(110))).toBe(false);
    expect(fixed.takeDue(view(120))).toEqual({ action: { press: '1' }, atMs: 110 });
    expect(fixed.done).toBe(true);
  });

  test('agent_speaking is due so many ms into a talk spurt', () => {
    const cue = script({ after: 'agent_speaking', forMs: 300 });
    const spurt = { startMs: 1000, endMs: 5000 };
    expect(due(cue, view(1280, { spurt }))).toBe(false);
    expect(due(cue, view(1300, { spurt }))).toBe(true);
  });

  test('agent_silent waits until the agent has spoken and stopped', () => {
    const cue = script({ after: 'agent_silent', forMs: 500 });
    expect(due(cue, view(3000))).toBe(false);
    expect(due(cue, view(5000, { spurt: { startMs: 3000, endMs: 6000 }, heardMs: 2000 }))).toBe(false);
    expect(due(cue, view(6480, { spurt: { startMs: 3000, endMs: 6000 }, heardMs: 3000 }))).toBe(false);
    expect(due(cue, view(6500, { spurt: { startMs: 3000, endMs: 6000 }, heardMs: 3000 }))).toBe(true);
  });

  test('agent_silent with a minimum lets a filler pass', () => {
    const cue = script({ after: 'agent_silent', forMs: 500, minHeardMs: 4000 });
    expect(due(cue, view(5000, { spurt: { startMs: 1000, endMs: 2500 }, heardMs: 1500 }))).toBe(false);
    expect(due(cue, view(12_500, { spurt: { startMs: 6000, endMs: 12_000 }, heardMs: 7500 }))).toBe(true);
  });

  test('a relative cue counts from the end of the clip before it, not from what the agent said earlier', () => {
    const steps = new CallerScript({
      steps: [{ cue: { atMs: 0 }, action: { say: audio(1000) } }, press({ after: 'agent_silent', forMs: 200 })],
    });
    expect(due(steps, view(20, { saidUntilMs: 0 }))).toBe(true);
    const spurt = { startMs: 0, endMs: 500 };
    expect(due(steps, view(900, { saidUntilMs: 1000, spurt, heardMs: 500 }))).toBe(false);
    expect(due(steps, view(1500, { saidUntilMs: 1000, spurt, heardMs: 500 }))).toBe(false);
    const answer = { startMs: 2000, endMs: 3000 };
    expect(due(steps, view(3200, { saidUntilMs: 1000, spurt: answer, heardMs: 1500 }))).toBe(true);
  });

  test('after enough dead air the caller goes on anyway', () => {
    const cue = script({ after: 'agent_speaking', forMs: 300, patienceMs: 4000 });
    expect(due(cue, view(3980))).toBe(false);
    expect(due(cue, view(4000))).toBe(true);
  });

  test('long talk of the agent is not dead air', () => {
    const cue = script({ after: 'agent_silent', forMs: 500, patienceMs: 4000 });
    expect(due(cue, view(60_000, { spurt: { startMs: 0, endMs: 61_000 }, heardMs: 60_000 }))).toBe(false);
  });

  test('previous waits after the step before', () => {
    const cue = script({ atMs: 100 }, { after: 'previous', waitMs: 250 });
    expect(due(cue, view(120))).toBe(true);
    expect(due(cue, view(120))).toBe(false);
    expect(due(cue, view(360))).toBe(false);
    expect(due(cue, view(370))).toBe(true);
  });
});

describe('a pause', () => {
  const seen = (nowMs: number, rest: Partial<CallerView> = {}): CallerView => ({
    nowMs,
    untilMs: nowMs,
    saidUntilMs: 0,
    spurt: undefined,
    heardMs: 0,
    ...rest,
  });
  const pauseThen = (pause: Cue, next: Cue) =>
    new CallerScript({
      steps: [
        { cue: { atMs: 0 }, action: { press: '1' } },
        { cue: pause, action: { pause: true } },
        { cue: next, action: { press: '2' } },
      ],
    });

  test('lets the next step count from its end', () => {
    const steps = pauseThen({ after: 'previous', waitMs: 500 }, { after: 'previous', waitMs: 300 });
    expect(steps.takeDue(seen(20))).toBeDefined();
    expect(steps.takeDue(seen(20))).toBeUndefined();
    expect(steps.takeDue(seen(520))).toBeUndefined();
    expect(steps.takeDue(seen(800))).toBeUndefined();
    expect(steps.takeDue(seen(820))).toEqual({ action: { press: '2' } });
    expect(steps.done).toBe(true);
  });

  test('of a fixed time is over at that time', () => {
    const steps = pauseThen({ atMs: 1_000 }, { after: 'previous', waitMs: 0 });
    steps.takeDue(seen(20));
    expect(steps.takeDue(seen(1_000))).toBeUndefined();
    expect(steps.takeDue(seen(1_020))).toEqual({ action: { press: '2' } });
  });

  test('does not forget what the agent said during it', () => {
    const steps = pauseThen({ after: 'previous', waitMs: 3_000 }, { after: 'agent_silent', forMs: 200 });
    steps.takeDue(seen(20));
    expect(steps.takeDue(seen(20))).toBeUndefined();
    const spurt = { startMs: 1_000, endMs: 2_000 };
    expect(steps.takeDue(seen(3_020, { spurt, heardMs: 1_000 }))).toBeUndefined();
    expect(steps.takeDue(seen(3_220, { spurt, heardMs: 1_000 }))).toEqual({ action: { press: '2' } });
  });
});

test('the demo caller says five trimmed clips, numbers as one turn, and hangs up only as a last resort', () => {
  const { steps } = demoCaller();
  const lengths = steps.flatMap(({ action }) => ('say' in action ? [action.say.length / 8] : []));
  expect(lengths).toEqual([2740, 3190, 1820, 1020, 1100]);
  expect(steps.at(-1)?.action).toEqual({ hangUp: true });
  expect(steps.every(({ cue }) => 'after' in cue)).toBe(true);
});

test('the demo caller keeps its place in a conversation with the clinic agent', () => {
  const line = new CallerLine();
  const playback = new PlaybackBuffer();
  const script = new CallerScript(demoCaller());
  // What the agent says, in ms, after each clip of the caller: the third answer is a filler and the offer, without a pause.
  const answers = [[[6000, 0]], [[3300, 0]], [[1200, 0]], [[5900, 0]], [[2100, 0]], [[2000, 0]]];
  const agentEvents: { atMs: number; talkMs?: number }[] = [];
  const answer = (atMs: number) => {
    let startMs = atMs;
    for (const [talkMs = 0, waitMs = 0] of answers.shift() ?? []) {
      startMs += waitMs;
      agentEvents.push({ atMs: startMs, talkMs });
      startMs += talkMs;
    }
  };
  answer(700);
  let hangUpAtMs = 0;
  for (let nowMs = 20; nowMs < 120_000 && hangUpAtMs === 0; nowMs += 20) {
    while (agentEvents[0] && agentEvents[0].atMs <= nowMs) {
      const { atMs, talkMs } = agentEvents.shift() ?? { atMs: 0 };
      if (talkMs === undefined) playback.clear(atMs);
      else playback.push(atMs, audio(talkMs));
    }
    const spurt = playback.talkSpurt(nowMs);
    const heardMs = playback.playedBytes(nowMs) / 8;
    const due = script.takeDue({ nowMs, untilMs: nowMs, saidUntilMs: line.saidUntilMs, spurt, heardMs });
    if (due && 'say' in due.action) {
      const { atMs, endMs } = line.say(due.action.say);
      agentEvents.push({ atMs: atMs + 300 });
      answer(endMs + 900);
    } else if (due) hangUpAtMs = nowMs;
    line.takeFrame();
  }
  const heard = playback.heard(hangUpAtMs);
  const saysMs = line.said.map(({ atMs }) => atMs);
  expect(heard.map(({ durationMs }) => Math.round(durationMs / 100))).toEqual([60, 33, 12, 50, 21, 20]);
  const [greeting, askNumber, askBirth, offer, booked, goodbye] = heard;
  const afterMs = (segment: { atMs: number; durationMs: number } | undefined) =>
    (segment?.atMs ?? 0) + (segment?.durationMs ?? 0);
  const expected = [
    afterMs(greeting) + 600,
    afterMs(askNumber) + 700,
    afterMs(askBirth) + 700,
    (offer?.atMs ?? 0) + 4700,
    afterMs(booked) + 700,
  ];
  saysMs.forEach((atMs, i) => expect(Math.abs(atMs - (expected[i] ?? 0))).toBeLessThanOrEqual(40));
  expect(saysMs).toHaveLength(5);
  expect(hangUpAtMs - afterMs(goodbye)).toBeGreaterThanOrEqual(6000);
});
