// Figures that need a measurement of their own: how fast calls can be set up, and how soon a caller hears something when
// the model takes its time to connect.
import { setTimeout as sleep } from 'node:timers/promises';
import { accountToModel, pairs } from './accounts.ts';
import type { CarrierProcess, SetUpRate } from './carrier-process.ts';
import { LONG } from './conversation.ts';
import { EndProcess } from './end-process.ts';
import type { ModelPlan, ModelProcess } from './model-process.ts';
import { type Spread, spreadOf } from './percentiles.ts';
import { Subject } from './subject.ts';
import type { SubjectSpec } from './subject-spec.ts';
import type { Trust } from './trust.ts';

export interface SetUpFigure {
  subject: string;
  /** Webhook, media socket and hang-up, one after the other on each of `AT_ONCE` lines. */
  perSecond: number;
  webhookMs: Spread;
  /** The first refusal or fault; null when there was none. */
  wrong: string | null;
}

export interface FirstAudioFigure {
  subject: string;
  /** From the stream's `start` to the first audio. */
  fromStartMs: Spread;
  /** From the later of `start` and the session's readiness. */
  fromReadyMs: Spread;
  /** Caller frames lost while the model connected, all calls. */
  framesLost: number;
  wrong: string | null;
}

/** The model's opening handshake. */
export const HANDSHAKE_MS = 800;
/** Assumed between TwiML and media socket at a real carrier. */
export const CARRIER_SET_UP_MS = 300;
export const AT_ONCE = 20;
const RATE_SECONDS = 5;
const CALLS = 10;
const PER_SECOND = 4;
const TALK_MS = 3_000;

/** About how long each takes, s. */
export const SET_UP_RATE_TAKES = RATE_SECONDS + 4;
export const FIRST_AUDIO_TAKES = CALLS / PER_SECOND + TALK_MS / 1_000 + 4;

export async function setUpRate(spec: SubjectSpec, trust: Trust | null, seconds = RATE_SECONDS): Promise<SetUpFigure> {
  return withEnds(spec, trust, { handshakeMs: 0 }, async (callee, carrier) => {
    const rate: SetUpRate = await carrier.ask('setUps', { callee, atOnce: AT_ONCE, seconds });
    return {
      subject: spec.name,
      perSecond: rate.done / rate.seconds,
      webhookMs: spreadOf(rate.webhookMs),
      wrong: rate.wrong[0] ?? null,
    };
  });
}

export async function firstAudio(spec: SubjectSpec, trust: Trust | null): Promise<FirstAudioFigure> {
  return withEnds(spec, trust, { handshakeMs: HANDSHAKE_MS }, async (callee, carrier, model) => {
    await carrier.ask('connect', { callee, calls: CALLS, perSecond: PER_SECOND, setUpMs: CARRIER_SET_UP_MS });
    await sleep(TALK_MS);
    await carrier.ask('stopFrames');
    await sleep(200);
    const [firsts, ready] = await Promise.all([carrier.ask('firsts'), model.ask('ready')]);
    const books = { carrier: await carrier.ask('books'), model: await model.ask('books') };
    await carrier.ask('hangUp');
    const readyAtMs = new Map(ready.map(({ line, atMs }) => [line, atMs]));
    const heard = firsts.filter(({ firstAudioAtMs }) => firstAudioAtMs !== null);
    const silent = firsts.length - heard.length;
    return {
      subject: spec.name,
      fromStartMs: spreadOf(heard.map(({ startedAtMs, firstAudioAtMs }) => (firstAudioAtMs as number) - startedAtMs)),
      fromReadyMs: spreadOf(
        heard.map(
          ({ line, startedAtMs, firstAudioAtMs }) =>
            (firstAudioAtMs as number) - Math.max(startedAtMs, readyAtMs.get(line) ?? startedAtMs),
        ),
      ),
      framesLost: accountToModel(pairs(books.carrier, books.model)).lost,
      wrong:
        firsts.find(({ wrong }) => wrong !== null)?.wrong ?? (silent > 0 ? `${silent} callers heard nothing` : null),
    };
  });
}

async function withEnds<Figure>(
  spec: SubjectSpec,
  trust: Trust | null,
  plan: Pick<ModelPlan, 'handshakeMs'>,
  measure: (
    callee: Parameters<CarrierProcess['connect']>[0]['callee'],
    carrier: EndProcess<CarrierProcess>,
    model: EndProcess<ModelProcess>,
  ) => Promise<Figure>,
): Promise<Figure> {
  const model = new EndProcess<ModelProcess>('model-process.ts');
  const carrier = new EndProcess<CarrierProcess>('carrier-process.ts');
  let subject: Subject | null = null;
  try {
    const tls = trust && { certPem: trust.certPem, keyPem: trust.keyPem };
    const modelOrigin = await model.ask('start', {
      ...plan,
      tls,
      greetsUnasked: !spec.greets,
      script: LONG,
      greetingOnly: true,
    });
    // Sessions of calls that have just gone still count for a moment.
    const maxCalls = AT_ONCE * 50;
    subject = await Subject.start(spec, { modelOrigin, maxCalls, caFile: trust?.caFile ?? null, probe: 'probe.ts' });
    const callee = { origin: subject.origin, authToken: subject.authToken, paths: subject.paths };
    return await measure(callee, carrier, model);
  } finally {
    await subject?.stop();
    await Promise.all([model.stop(), carrier.stop()]);
  }
}
