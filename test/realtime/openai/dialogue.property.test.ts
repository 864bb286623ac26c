// Whatever the order of things between the model's server, the caller and the call: the dialogue's promises hold.
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { ModelServer } from './model-server.ts';
import { MODES, outputItems, readyTalk, type Mode, type Outcome, type Talk } from './talk.ts';
import fc from '../../support/fast-check.ts';

/** One thing that happens; the numbers choose among what is possible at that moment. */
const happening = fc.record({
  what: fc.constantFrom(
    'deliver',
    'deliver',
    'read',
    'read',
    'generate',
    'generate',
    'caller',
    'speak',
    'interrupt',
    'settle',
    'tell',
  ),
  pick: fc.nat(1000),
  ms: fc.double({ min: -10, max: 2000, noNaN: true }),
} as const);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** The fields of server messages that are looked at here. */
interface Delivered {
  type: string;
  response?: { metadata?: { trunkline?: string } | null };
  error?: { code: string; event_id: string | null };
  item_id?: string;
  delta?: string;
  item?: { type?: string; call_id?: string };
}

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
        return this.settle(
          [...this.#running][pick % Math.max(1, this.#running.size)] ?? 'call_unknown',
          pick % 5 === 0,
        );
      case 'tell':
        return this.#take(this.talk.ask({ do: 'session.tell', role: 'user', text: `${pick}` }));
      default:
        what satisfies never;
    }
  }

  deliver(): void {
    const message = this.server.toClient.shift();
    if (!message) return;
    const { type, response, error, item_id, delta, item } = message as unknown as Delivered;
    if (type === 'response.created') this.#creates.delete(response?.metadata?.trunkline ?? '');
    if (type === 'error') {
      if (error?.event_id) this.#creates.delete(error.event_id);
      else if (error?.code === 'conversation_already_has_active_response') this.#creates.clear();
    }
    if (type === 'response.output_audio.delta') {
      const ms = Buffer.from(delta ?? '', 'base64').length / 8;
      this.#receivedMs.set(item_id ?? '', (this.#receivedMs.get(item_id ?? '') ?? 0) + ms);
    }
    if (item?.type === 'function_call' && item.call_id) this.#callsSeen.add(item.call_id);
    this.#take(this.talk.hear(message));
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
    assert.fail('never comes to rest');
  }

  expectRest(): void {
    const { state, all } = this.talk;
    assert.deepEqual(this.server.violations, []);
    assert.deepEqual([state.active, state.requested, state.queue], [null, null, []]);
    const outputs = outputItems(all.sent).map((item) => item.call_id as string);
    assert.deepEqual(outputs.toSorted(), [...this.#callsSeen].toSorted());
    const usage = all.events.flatMap((e) => (e.type === 'usage.reported' ? [e.usage.source] : []));
    assert.equal(new Set(usage).size, usage.length);
    const started = all.events.flatMap((e) => (e.type === 'answer.started' ? [e.answer] : []));
    const ended = all.events.flatMap((e) => (e.type === 'answer.ended' ? [e.answer] : []));
    assert.equal(new Set(ended).size, ended.length);
    assert.deepEqual(
      started.filter((answer) => !ended.includes(answer)),
      [],
    );
  }

  #take(outcome: Outcome): void {
    for (const message of outcome.sent) {
      if (message.type === 'response.create') {
        assert.deepEqual([...this.#creates], [], 'a second response.create');
        this.#creates.add(message.event_id);
      }
      if (message.type === 'conversation.item.truncate')
        assert(
          message.audio_end_ms <= (this.#receivedMs.get(message.item_id) ?? 0),
          'truncates beyond what was received',
        );
      this.server.fromClient.push(message);
    }
    for (const event of outcome.events) {
      if (event.type !== 'tool.called') continue;
      assert(!this.#running.has(event.toolCall) && !this.#settled.has(event.toolCall), 'called twice');
      this.#running.add(event.toolCall);
    }
    const outputs = outputItems(this.talk.all.sent).map((item) => item.call_id);
    assert.equal(new Set(outputs).size, outputs.length, 'two outputs of one call');
  }
}

describe.each(MODES)(
  'in any order of events, with interrupt_response $interrupts and create_response $answers',
  (mode) => {
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
          { numRuns: 150 },
        );
      },
    );
  },
);
