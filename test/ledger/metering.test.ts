// From the model's JSON to the bill: 2,000 usages of every documented shape, against a calculation that shares nothing with
// the server: the prices are written down here once more, and so is the formula.
import { expect, test } from 'vitest';
import { Ledger } from '../../src/ledger/ledger.ts';
import { stepDialogue } from '../../src/realtime/openai/dialogue.ts';
import { newDialogue } from '../../src/realtime/openai/dialogue-state.ts';
import { parseServerMessage } from '../../src/realtime/openai/messages.ts';
import fc from '../support/fast-check.ts';

/** Dollars per million tokens: text in, cached, out; audio in, cached, out; pictures in, cached. */
const ANSWERS: Record<string, number[]> = {
  'gpt-realtime-2.1': [4, 0.4, 24, 32, 0.4, 64, 5, 0.5],
  'gpt-realtime-2.1-mini': [0.6, 0.06, 2.4, 10, 0.3, 20, 0.8, 0.08],
  'gpt-realtime-2025-08-28': [4, 0.4, 16, 32, 0.4, 64, 5, 0.5],
};
/** Dollars per million tokens (text in, audio in, text out), or per hour of audio. */
const TRANSCRIPTIONS: Record<string, number[] | number> = {
  'gpt-4o-mini-transcribe': [1.25, 3, 5],
  'gpt-4o-transcribe': [2.5, 6, 10],
  'gpt-transcribe': 0.27,
  'whisper-1': 0.36,
};

interface Counts {
  text_tokens?: number | null | undefined;
  audio_tokens?: number | null | undefined;
  image_tokens?: number | null | undefined;
}
interface Reported {
  input_tokens: number;
  output_tokens: number;
  input_token_details: Counts & { cached_tokens?: number | null; cached_tokens_details?: Counts | null };
  output_token_details: Counts;
}

const n = (value: number | null | undefined) => value ?? 0;
const total = (counts: Counts) => n(counts.text_tokens) + n(counts.audio_tokens) + n(counts.image_tokens);

/** The formula of the API's cost guide, in dollars per million of a dollar's millionth: nano-dollars. */
function answerCost(usage: Reported, model: string): number {
  const [textIn, textCached, textOut, audioIn, audioCached, audioOut, imageIn, imageCached] = ANSWERS[
    model
  ] as number[];
  const d = usage.input_token_details;
  const o = usage.output_token_details;
  // Without a split, text is taken as cached first, then audio, then pictures.
  const split = d.cached_tokens_details;
  let left = n(d.cached_tokens);
  const take = (most: number) => {
    const taken = Math.min(left, most);
    left -= taken;
    return taken;
  };
  const c = split
    ? { text: n(split.text_tokens), audio: n(split.audio_tokens), image: n(split.image_tokens) }
    : { text: take(n(d.text_tokens)), audio: take(n(d.audio_tokens)), image: take(n(d.image_tokens)) };
  return Math.round(
    1_000 *
      ((n(d.text_tokens) - c.text) * (textIn as number) +
        c.text * (textCached as number) +
        (n(d.audio_tokens) - c.audio) * (audioIn as number) +
        c.audio * (audioCached as number) +
        (n(d.image_tokens) - c.image) * (imageIn as number) +
        c.image * (imageCached as number) +
        n(o.text_tokens) * (textOut as number) +
        n(o.audio_tokens) * (audioOut as number)),
  );
}

const upTo = (max: number) => fc.nat({ max });
const optional = (max: number) => fc.oneof({ weight: 8, arbitrary: upTo(max) }, fc.constantFrom(null, undefined));

const reported: fc.Arbitrary<Reported> = fc
  .record({
    text: optional(100_000),
    audio: optional(100_000),
    image: optional(2_000),
    shares: fc.tuple(upTo(1_000), upTo(1_000), upTo(1_000)),
    split: fc.constantFrom('given', 'null', 'absent', 'nothing cached'),
    textOut: optional(4_096),
    audioOut: optional(4_096),
  })
  .map(({ text, audio, image, shares, split, textOut, audioOut }) => {
    const part = (all: number | null | undefined, share = 0) => Math.floor((n(all) * share) / 1_000);
    const cached = {
      text_tokens: part(text, shares[0]),
      audio_tokens: part(audio, shares[1]),
      image_tokens: part(image, shares[2]),
    };
    const input = { text_tokens: text, audio_tokens: audio, image_tokens: image };
    const output = { text_tokens: textOut, audio_tokens: audioOut };
    const details = {
      given: { cached_tokens: total(cached), cached_tokens_details: cached },
      null: { cached_tokens: total(cached), cached_tokens_details: null },
      absent: { cached_tokens: total(cached) },
      'nothing cached': {},
    }[split];
    return {
      input_tokens: total(input),
      output_tokens: total(output),
      input_token_details: { ...input, ...details },
      output_token_details: output,
    } as Reported;
  });

interface Event {
  message: Record<string, unknown>;
  source: string;
  /** Null: no line comes of it. */
  nanoUsd: number | null;
}

const answers = (model: string) =>
  fc
    .record({
      status: fc.constantFrom('completed', 'cancelled', 'incomplete', 'failed'),
      conversation: fc.constantFrom('conv_1', null),
      usage: fc.oneof({ weight: 9, arbitrary: reported }, fc.constant(null)),
    })
    .map(
      ({ status, conversation, usage }) =>
        (id: number): Event => ({
          source: `resp_${id}`,
          message: {
            type: 'response.done',
            response: { id: `resp_${id}`, status, conversation_id: conversation, usage },
          },
          nanoUsd: usage && answerCost(usage, model),
        }),
    );

const transcriptions = (model: string) =>
  fc
    .record({ ms: upTo(120_000), text: upTo(50), audio: upTo(1_200), out: upTo(2_000) })
    .map(({ ms, text, audio, out }) => (id: number): Event => {
      const price = TRANSCRIPTIONS[model] as number[] | number;
      const tokens = {
        type: 'tokens',
        total_tokens: text + audio + out,
        input_tokens: text + audio,
        output_tokens: out,
        input_token_details: { text_tokens: text, audio_tokens: audio },
      };
      const [textIn = 0, audioIn = 0, textOut = 0] = typeof price === 'number' ? [] : price;
      return {
        source: `item_${id}`,
        message: {
          type: 'conversation.item.input_audio_transcription.completed',
          item_id: `item_${id}`,
          transcript: 'Hello.',
          usage: typeof price === 'number' ? { type: 'duration', seconds: ms / 1_000 } : tokens,
        },
        nanoUsd:
          typeof price === 'number'
            ? Math.round((ms / 3_600_000) * price * 1e9)
            : Math.round(1_000 * (text * textIn + audio * audioIn + out * textOut)),
      };
    });

test('2,000 usages of every documented shape cost to the nano-dollar what the formula says', () => {
  let sources = 0;
  const models = Object.keys(ANSWERS);
  const written = Object.keys(TRANSCRIPTIONS);
  for (const [i, transcriptionModel] of written.entries()) {
    const model = models[i % models.length] as string;
    const events = fc
      .sample(fc.oneof({ weight: 3, arbitrary: answers(model) }, transcriptions(transcriptionModel)), {
        numRuns: 500,
        seed: i + 1,
      })
      .map((event, id) => event(id));
    const expected = new Map(events.flatMap(({ source, nanoUsd }) => (nanoUsd === null ? [] : [[source, nanoUsd]])));
    const ledger = new Ledger();
    const session = { session: {}, model, transcriptionModel, serverInterrupts: true, serverAnswers: true };
    let dialogue = newDialogue(session);
    // Every third comes a second time, under another event id.
    for (const [k, { message }] of [...events, ...events.filter((_, j) => j % 3 === 0)].entries()) {
      const parsed = parseServerMessage(JSON.stringify({ event_id: `event_${k}`, ...message }));
      if (parsed.kind !== 'known') throw new Error(`${String(message.type)} is ${parsed.kind}`);
      const [next, outputs] = stepDialogue(dialogue, { ...parsed, kind: 'message' });
      dialogue = next;
      for (const output of outputs)
        if ('emit' in output && output.emit.type === 'usage.reported')
          ledger.charge(output.emit.usage, { seller: 'openai', atWallMs: Date.UTC(2026, 10, 20) });
    }
    expect(new Map(ledger.lines.map(({ source, costNanoUsd }) => [source, costNanoUsd]))).toEqual(expected);
    expect(ledger.total.nanoUsd).toBe([...expected.values()].reduce((sum, nano) => sum + nano, 0));
    expect(ledger.lines.filter(({ doubt }) => doubt === 'cached_split_unknown').length).toBeGreaterThan(20);
    for (const { state, doubt } of ledger.lines) expect(state).toBe(doubt === null ? 'metered' : 'estimated');
    sources += events.length;
  }
  expect(sources).toBe(2_000);
});
