// Whatever the order of things between the model's server, the caller and the call: the dialogue's promises hold.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ModelServer } from './model-server.ts';
import { MODES, outputItems, readyTalk, type Mode, type Outcome, type Talk } from './talk.ts';

/** One thing that happens; the numbers choose among what is possible at that moment. */
const happening = fc.record({
  what: fc.constantFrom('deliver', 'deliver', 'read', 'read', 'generate', 'generate', 'caller', 'speak', 'interrupt', 'settle', 'tell'),
  pick: fc.nat(1000),
  ms: fc.double({ min: -10, max: 2000, noNaN: true }),
} as const);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** The dialogue and its server, with what must never happen watched at every step. */
class Scene {
  readonly talk: Talk;
  readonly server: ModelServer;
  /** Our response.create that were neither answered nor refused, as far as we can know. */
  readonly #creates = new Set<string>();
  readonly #receivedMs = new Map<string, number>();
  readonly #running = new Set<string>();
  readonly #settled = new Set<string>();
  readonly #callsSeen = new Set<string>();
  readonly #nameless: boolean;

  constructor(mode: Mode, nameless: boolean) {
    this.talk = readyTalk(mode);
    this.server = new ModelServer(mode);
    this.#nameless = nameless;
  }

  happen({ what, pick, ms }: Happening): void {
    switch (what) {
      case 'deliver':
        return this.deliver();
      case 'read':
        return this.server.read(this.#nameless);
      case 'generate':
        return this.server.generate(pick);
      case 'caller':
        return this.server.hearCaller();
      case 'speak':
        return this.#take(this.talk.speak(pick % 2 === 0 ? null : `Say ${pick}.`));
      case 'interrupt': {
        const heard = Array.from({ length: pick % 4 }, (_, i) => ({
          utterance: `u${Math.max(0, this.talk.state.nextUtterance - i)}`,
          heardMs: ms,
        }));
        return this.#take(this.talk.interrupt(heard, pick % 3 === 0 ? 'our_decision' : 'caller_spoke'));
      }
      case 'settle':
        return this.settle([...this.#running][pick % Math.max(1, this.#running.size)] ?? 'call_unknown', pick % 5 === 0);
      case 'tell':
        return this.#take(this.talk.ask({ do: 'session.tell', role: 'user', text: `${pick}` }));
      default:
        what satisfies never;
    }
  }

  deliver(): void {
    const message = this.server.toClient.shift();
    if (!message) return;
    const { type, response, error, response_id, item_id, delta, item } = message as Record<string, never>;
    if (type === 'response.created') this.#creates.delete((response as { metadata?: { trunkline?: string } }).metadata?.trunkline ?? '');
    if (type === 'error') {
      const { code, event_id } = error as { code: string; event_id: string | null };
      if (event_id === null && code === 'conversation_already_has_active_response') this.#creates.clear();
      else if (event_id !== null) this.#creates.delete(event_id);
    }
    if (type === 'response.output_audio.delta') {
      const bytes = Buffer.from(delta, 'base64').length;
      this.#receivedMs.set(item_id, (this.#receivedMs.get(item_id) ?? 0) + bytes / 8);
    }
    const { type: itemType, call_id } = (item ?? {}) as { type?: string; call_id?: string };
    if (response_id && itemType === 'function_call' && call_id) this.#callsSeen.add(call_id);
    if (process.env.DBG) console.log('<', JSON.stringify(message).slice(0,150));
    this.#take(this.talk.hear(message));
    if (process.env.DBG) console.log('  floor', this.talk.state.floor, this.talk.state.active, JSON.stringify(this.talk.state.requested), JSON.stringify(this.talk.state.queue));
  }

  settle(call: string, quietly = false): void {
    this.#running.delete(call);
    this.#settled.add(call);
    this.#take(this.talk.settle(call, 'ok', quietly));
  }

  /** Everything comes to its end: the caller stops, answers end, tools settle, nothing is on its way. */
  drain(): void {
    if (this.server.callerSpeaks) this.server.hearCaller();
    for (let i = 0; i < 300; i++) {
      for (const call of this.#running) this.settle(call);
      while (this.server.toClient.length > 0) this.deliver();
      while (this.server.fromClient.length > 0) this.server.read(this.#nameless);
      if (this.server.idle && this.#running.size === 0) return;
      this.server.generate(11);
    }
    expect.fail('never comes to rest');
  }

  expectRest(): void {
    const { state, all } = this.talk;
    expect(this.server.violations).toEqual([]);
    expect({ active: state.active, requested: state.requested, queue: state.queue }).toEqual({
      active: null,
      requested: null,
      queue: [],
    });
    const outputs = outputItems(all.sent).map((item) => item.call_id as string);
    expect(outputs.toSorted()).toEqual([...this.#callsSeen].toSorted());
    const usage = all.events.flatMap((e) => (e.type === 'usage.reported' ? [e.usage.source] : []));
    expect(new Set(usage).size).toBe(usage.length);
    const started = all.events.flatMap((e) => (e.type === 'answer.started' ? [e.answer] : []));
    const ended = all.events.flatMap((e) => (e.type === 'answer.ended' ? [e.answer] : []));
    expect(new Set(ended).size).toBe(ended.length);
    expect(ended).toEqual(expect.arrayContaining(started));
  }

  #take(outcome: Outcome): void {
    for (const message of outcome.sent) {
      if (process.env.DBG) console.log('>', JSON.stringify(message).slice(0,150));
      if (message.type === 'response.create') {
        expect([...this.#creates], 'a second response.create').toEqual([]);
        this.#creates.add(message.event_id);
      }
      if (message.type === 'conversation.item.truncate')
        expect(message.audio_end_ms).toBeLessThanOrEqual(this.#receivedMs.get(message.item_id) ?? 0);
      this.server.fromClient.push(message);
    }
    for (const event of outcome.events) {
      if (event.type !== 'tool.called') continue;
      expect(this.#running.has(event.toolCall) || this.#settled.has(event.toolCall), 'called twice').toBe(false);
      this.#running.add(event.toolCall);
    }
    const outputs = outputItems(this.talk.all.sent).map((item) => item.call_id);
    expect(new Set(outputs).size, 'two outputs of one call').toBe(outputs.length);
  }
}

describe.each(MODES)('in any order of events, with interrupt_response $interrupts and create_response $answers', (mode) => {
  test.each([false, true])(
    'one create at a time, one output per call, no truncate beyond what was received, and it comes to rest; nameless errors: %s',
    (nameless) => {
      fc.assert(
        fc.property(fc.array(happening, { maxLength: 80, size: 'max' }), (happenings) => {
          const scene = new Scene(mode, nameless);
          for (const each of happenings) scene.happen(each);
          scene.drain();
          scene.expectRest();
        }),
        process.env.DBG ? JSON.parse(process.env.DBG) : { numRuns: 150 },
      );
    },
  );
});
