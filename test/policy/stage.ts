// A call on which a model misbehaves: the whole call core and dialogue in virtual time, the real tools of an agent file, a
// carrier that notes whom it is asked to reach, and a real business behind a proxy that notes what it is asked. A tool's
// answer takes no virtual time: it is awaited for real, then the clock goes on.
import { pino } from 'pino';
import { expect } from 'vitest';
import type { Agent } from '../../src/agent/agent.ts';
import { type AgentTools, openAgentTools } from '../../src/agent-tools.ts';
import { People } from '../../src/call/people.ts';
import { policyFor } from '../../src/call/policy-for.ts';
import type { CallPolicy } from '../../src/call/policy.ts';
import type { CarrierControl, NextStep, Party } from '../../src/carrier/carrier.ts';
import { realClock } from '../../src/clock.ts';
import type { Plan, PlannedItem } from '../support/scripted-model.ts';
import { VirtualLine } from '../support/virtual-line.ts';

export const CALLER = '+15005550006';
export const CALLED = '+15550002222';
/** Says neither yes nor no. */
const NEUTRAL = 'Well, let me think.';

export interface StageOptions {
  agent: Agent;
  /** Other agents of the same server. */
  others?: readonly Agent[];
  env: Record<string, string>;
  from?: Party;
  policy?: Partial<CallPolicy>;
}

export interface Asking {
  /** Said before the tool is asked for, in the same answer. */
  first?: PlannedItem[];
  /** What the caller says that makes the model ask; null: words that nobody understands. Default: neither yes nor no. */
  caller?: string | null;
  /** The model's next answers, after it has been told. Default: it says something of 600 ms, which the caller hears. */
  after?: Plan[];
}

let stages = 0;

export class Stage {
  readonly line: VirtualLine;
  /** Numbers that the carrier was asked to ring up or connect to, and messages that it was asked to send. */
  readonly dialled: string[] = [];
  readonly messages: { to: string; text: string }[] = [];
  readonly people: People;
  readonly #tools: AgentTools;
  readonly #running = new Set<Promise<unknown>>();
  #digits: (field: string) => string | null = () => null;
  #asked = 0;

  static async open({
    agent,
    others = [],
    env,
    from = { kind: 'pstn', value: CALLER },
    policy,
  }: StageOptions): Promise<Stage> {
    // The control is made first: tools hold it.
    const reached: { stage: Stage | null } = { stage: null };
    const control: CarrierControl = {
      redirect: async (_call, next) => (reached.stage?.wentOn(next), 'done'),
      hangUp: async () => 'done',
      call: async ({ to }) => (reached.stage?.dialled.push(to), { outcome: 'placed', carrierCallId: 'CAperson' }),
      message: async (message) => (reached.stage?.messages.push(message), { outcome: 'sent' }),
    };
    const log = pino({ level: 'silent' });
    const tools = await openAgentTools({ agents: [agent], env, clock: realClock, log, control, watch: {} });
    reached.stage = new Stage(agent, others, tools, control, from, policy);
    return reached.stage;
  }

  private constructor(
    agent: Agent,
    others: readonly Agent[],
    tools: AgentTools,
    control: CarrierControl,
    from: Party,
    policy: Partial<CallPolicy> = {},
  ) {
    stages += 1;
    this.#tools = tools;
    const to: Party = { kind: 'pstn', value: CALLED };
    const digits = (field: string) => this.#digits(field);
    // Services remember keys: no two stages may have one in common.
    const run = tools.forCall(agent, { callId: `stage-${stages}-${process.pid}`, from, to, digits });
    this.people = new People({
      controls: () => control,
      tell: () => (event) => this.line.call.receive(event),
      failed: (_call, error) => void this.line.faults.push(error),
    });
    const leg = { maxAheadMs: 4_000 };
    const { errands, endCall } = policyFor(agent, leg, CALLED);
    const capabilities = { answersTurns: true, detectsTurns: true };
    const handOffs = Object.fromEntries(
      others.map((one) => [one.name, { policy: policyFor(one, leg, CALLED, agent), capabilities }]),
    );
    this.line = new VirtualLine({
      policy: { errands, endCall, ...policy },
      model: { answer: { items: [{ ms: 600 }], thinkMs: 40 } },
      laterModels: [{ answer: { items: [{ ms: 600 }], thinkMs: 40 } }],
      people: {
        call: (wanted) =>
          this.people.call({ ...wanted, callId: 'call-1', carrier: 'twilio', parentCallId: 'CAcaller', from: CALLED }),
        drop: () => this.people.drop('call-1'),
      },
      handOffs,
      runTool: (_name, settle, _signal, wanted) => {
        this.#digits = (field) => wanted.digits(field);
        const running: Promise<unknown> = run
          .run(wanted)
          .then((outcome) => settle(outcome))
          .finally(() => this.#running.delete(running));
        this.#running.add(running);
      },
      redirectLeg: (next) => (this.wentOn(next), true),
    });
    this.line.startMedia();
    this.line.advance(50);
  }

  /** Where the carrier connects the caller. */
  wentOn(next: NextStep): void {
    if (next.do === 'transfer' || next.do === 'forward') this.dialled.push(next.to);
  }

  /** Everybody whom the carrier was asked to reach, in any way. */
  get reached(): string[] {
    const later = this.line.nexts.flatMap((next) => (next.do === 'transfer' || next.do === 'forward' ? [next.to] : []));
    return [...this.dialled, ...later];
  }

  /** Lets virtual time pass; what runs meanwhile runs. */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0 && !this.ended; left -= 20) {
      this.line.advance(Math.min(20, left));
      await Promise.resolve();
      await Promise.resolve();
    }
    await turnOfTheLoop();
  }

  /** Lets everything that is going on come to its end. */
  async idle(withinMs = 40_000): Promise<void> {
    for (let waited = 0; waited < withinMs; waited += 20) {
      while (this.#running.size > 0) {
        await Promise.race(this.#running);
        await turnOfTheLoop();
      }
      if (this.#isIdle()) return;
      this.line.advance(20);
      await Promise.resolve();
      await Promise.resolve();
    }
    throw new Error(`still not idle after ${withinMs} ms: ${JSON.stringify(this.line.call.state)}`);
  }

  #isIdle(): boolean {
    const { state } = this.line.call;
    if (state.phase === 'ended') return true;
    const { turn, tools, consent, playback, transfer, session } = state;
    if (transfer?.stage === 'announcing' || (state.phase === 'leaving' && this.line.legClosed === false)) return false;
    const works = Object.values(tools).includes('running') && transfer === null;
    return (
      session === 'ready' &&
      turn.answer === null &&
      turn.owedSinceMs === null &&
      !works &&
      !consent?.waiting &&
      playback.tracks.length === 0
    );
  }

  get ended(): boolean {
    return this.line.call.state.phase === 'ended';
  }

  /** The caller says something of 400 ms, which is understood so; null: not at all. */
  async turn(text: string | null): Promise<void> {
    this.line.model.speechStarted();
    await this.advance(400);
    this.line.model.speechStopped();
    await this.advance(60);
    if (text !== null) this.understood(text);
    await this.idle();
  }

  /** The words of the caller's latest turn. */
  understood(transcript: string): void {
    const turn = this.line.events.findLast((event) => event.type === 'turn.committed');
    this.line.model.send({
      type: 'conversation.item.input_audio_transcription.completed',
      item_id: turn?.type === 'turn.committed' ? turn.turn : '',
      transcript,
    });
  }

  /** A tool call for a plan. */
  wants(name: string, args: unknown = {}): { callId: string; name: string; arguments: string } {
    this.#asked += 1;
    const text = typeof args === 'string' ? args : JSON.stringify(args);
    return { callId: `t${this.#asked}`, name, arguments: text };
  }

  /** The caller says something, upon which the model asks for a tool. Answers what it was told of it. */
  async asks(name: string, args: unknown = {}, { first = [], caller = NEUTRAL, after = [] }: Asking = {}) {
    const wanted = this.wants(name, args);
    this.line.model.plans.push({ items: first, tools: [wanted], thinkMs: 20 }, ...after);
    await this.turn(caller);
    return this.told(wanted.callId);
  }

  /** The caller says something, upon which the model asks for several tools at once. */
  async asksAll(
    wanted: ReturnType<Stage['wants']>[],
    { caller = NEUTRAL, after = [] }: Asking = {},
  ): Promise<string[]> {
    this.line.model.plans.push({ items: [], tools: wanted, thinkMs: 20 }, ...after);
    await this.turn(caller);
    return wanted.map(({ callId }) => this.told(callId));
  }

  /** What the model was told of a tool call; '' where nothing yet. */
  told(callId: string): string {
    return this.outputs(callId).join(' | ');
  }

  outputs(callId: string): string[] {
    return this.line.models.flatMap(({ received }) =>
      received.flatMap(({ item }) => {
        const { type, call_id: id, output } = (item ?? {}) as { type?: string; call_id?: string; output?: string };
        return type === 'function_call_output' && id === callId ? [output ?? ''] : [];
      }),
    );
  }

  /** Everything that any session was told. */
  get allTold(): string {
    return this.line.models.map(({ received }) => JSON.stringify(received)).join('\n');
  }

  /** The caller presses keys. */
  async keys(keys: string): Promise<void> {
    for (const digit of keys) {
      this.line.report({ type: 'leg.digit_pressed', digit });
      await this.advance(200);
    }
  }

  /** The caller keys in a field that the model asks for. */
  async keysIn(field: string, digits: string): Promise<void> {
    const wanted = this.wants('collect_digits', { field });
    this.line.model.plans.push({ items: [], tools: [wanted], thinkMs: 20 });
    await this.turn(NEUTRAL);
    await this.keys(`${digits}#`);
    await this.advance(2_000);
    await this.idle();
  }

  /** The caller hangs up; nothing of the call is left. */
  async close(): Promise<void> {
    const { line } = this;
    const called = line.events.flatMap((event) => (event.type === 'tool.called' ? [event.toolCall] : []));
    const unanswered = called.filter((id) => {
      const { state } = line.call;
      return this.outputs(id).length === 0 && state.phase !== 'ended' && state.tools[id] === 'settled';
    });
    const twice = called.filter((id) => this.outputs(id).length > line.models.length);
    if (!this.ended) line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: 'gone' });
    while (this.#running.size > 0) await Promise.race(this.#running);
    await turnOfTheLoop();
    line.advance(40_000);
    await turnOfTheLoop();
    await this.#tools.close();
    expect({ unanswered, twice, faults: line.faults, phase: line.call.state.phase }).toEqual({
      ...{ unanswered: [], twice: [], faults: [], phase: 'ended' },
    });
    expect(line.clock.pending).toBe(0);
  }
}

const turnOfTheLoop = (): Promise<void> => new Promise((done) => setImmediate(done));
