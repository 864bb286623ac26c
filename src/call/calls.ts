// The live calls of this process: lets calls in, hands out media tokens, joins media to calls, tells the carrier what
// follows, drains. The one intake that carrier adapters know.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Agent } from '../agent/agent.ts';
import { chooseAgent } from '../agent/choose.ts';
import type {
  Admission,
  CallIntake,
  CallStatus,
  CarrierLeg,
  IncomingCall,
  LegCapabilities,
  LegCloseCause,
  LegEvent,
  MediaClaim,
  NextStep,
  RefusalReason,
  TokenRefusal,
} from '../carrier/carrier.ts';
import type { Cancel, Clock } from '../clock.ts';
import type { RealtimeSession, SessionCapabilities } from '../realtime/session.ts';
import type { ToolOutcome } from '../tools/tool.ts';
import { Call, type SessionHooks, type ToolRun } from './call.ts';
import type { CallStore, StoredCall } from './call-store.ts';
import { type CallFacts, Feed, type OnlookerFactory } from './feed.ts';
import { APOLOGY_CLIP, GREETING_CLIP } from './policy.ts';
import { policyFor } from './policy-for.ts';
import { Shelf } from './shelf.ts';
import type { EndReason, Termination } from './termination.ts';

/** A model adapter as the calls need it: one per agent. */
export interface Model {
  capabilities: SessionCapabilities;
  /** The adapter's own configuration, plain data, for the tape. */
  config: unknown;
  open(hooks: SessionHooks): RealtimeSession;
}

export interface CallsOptions {
  /** Names this process in media tokens. */
  nodeId: string;
  clock: Clock;
  agents: readonly Agent[];
  leg: LegCapabilities;
  maxConcurrentCalls: number;
  model(agent: Agent): Model;
  runTool(agent: Agent, callId: string, call: ToolRun): Promise<ToolOutcome>;
  store: CallStore;
  onlookers: readonly OnlookerFactory[];
  /** Life-cycle facts for log and metrics. */
  watch: CallsWatch;
}

/** What the process wants to know about calls as such. */
export interface CallsWatch {
  admitted(facts: CallFacts): void;
  refused(reason: RefusalReason): void;
  ended(callId: string, termination: Termination): void;
  closed(callId: string): void;
  /** Its sockets did not go in time. */
  swept(callId: string): void;
  fault(callId: string, error: unknown): void;
}

/** A token not used within this is void; longer than a call waits for its media. */
const TOKEN_LIFE_MS = 15_000;

/** After its media a carrier asks what follows and reports the end; a drain waits this long for it to do so. */
const FOLLOW_WITHIN_MS = 3_000;

/** Closed calls remembered. */
const MAX_PAST = 10_000;

type TokenState = 'fresh' | 'used';

interface LiveCall {
  call: Call;
  agent: Agent;
  incoming: IncomingCall;
  admission: Extract<Admission, { outcome: 'accepted' }>;
  token: TokenState;
  tokenUntilMs: number;
  leg: CarrierLeg | null;
  /** The carrier has said that the call is over: it will ask nothing more. */
  final: boolean;
}

export class Calls implements CallIntake {
  readonly #options: CallsOptions;
  readonly #byId = new Map<string, LiveCall>();
  readonly #byCarrierCall = new Map<string, LiveCall>();
  readonly #byToken = new Map<string, LiveCall>();
  /** Admissions being decided, so that two copies of one webhook open one session. */
  readonly #deciding = new Map<string, Promise<Admission>>();
  /** Closed calls whose carrier has still to ask what follows. */
  readonly #following = new Map<string, Cancel>();
  /** The latest closed calls: known here also while the store cannot tell. */
  readonly #past = new Set<string>();
  #draining = false;
  #idle: (() => void) | null = null;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  get live(): number {
    return this.#byId.size;
  }

  get draining(): boolean {
    return this.#draining;
  }

  get full(): boolean {
    return this.#byId.size >= this.#options.maxConcurrentCalls;
  }

  admit(incoming: IncomingCall): Promise<Admission> {
    const key = carrierKey(incoming.carrier, incoming.carrierCallId);
    const running = this.#deciding.get(key);
    if (running) return running;
    const decision = this.#decide(key, incoming).finally(() => this.#deciding.delete(key));
    this.#deciding.set(key, decision);
    return decision;
  }

  async #decide(key: string, incoming: IncomingCall): Promise<Admission> {
    const known = this.#byCarrierCall.get(key);
    if (known) return known.token === 'fresh' ? known.admission : { outcome: 'replayed' };
    if (this.#past.has(key)) return { outcome: 'replayed' };
    const stored = await this.#options.store.get(incoming.carrier, incoming.carrierCallId);
    if (stored) return { outcome: 'replayed' };
    if (this.#draining) return this.#refuse('draining');
    if (this.full) return this.#refuse('full');
    const agent = chooseAgent(this.#options.agents, incoming.to.value);
    if (!agent) return this.#refuse('no_agent');
    const ofAgent = [...this.#byId.values()].filter((live) => live.agent === agent).length;
    if (ofAgent >= agent.limits.maxConcurrentCalls) return this.#refuse('full');
    return this.#open(key, incoming, agent);
  }

  #refuse(reason: RefusalReason): Admission {
    this.#options.watch.refused(reason);
    const answer: NextStep =
      reason === 'no_agent' ? { do: 'say_and_hang_up', text: 'This number is not in service.' } : { do: 'reject_busy' };
    return { outcome: 'refused', reason, answer };
  }

  #open(key: string, incoming: IncomingCall, agent: Agent): Admission {
    const { clock, nodeId, store, watch } = this.#options;
    const callId = randomUUID();
    const model = this.#options.model(agent);
    const opening = {
      callId,
      direction: incoming.direction,
      on: { leg: 'l1', session: 's1', epoch: 1 },
      policy: policyFor(agent, this.#options.leg),
      capabilities: model.capabilities,
      atMs: clock.nowMs(),
    };
    const facts: CallFacts = { opening, incoming, agent, wallMs: clock.wallMs(), sessionConfig: model.config };
    const clips = new Map([[APOLOGY_CLIP, agent.failure.apology]]);
    if (agent.greeting?.clip) clips.set(GREETING_CLIP, agent.greeting.clip);
    const onlookers = this.#options.onlookers.map((make) => make(facts)).filter((o) => o !== null);
    const entry: StoredCall = {
      callId,
      carrier: incoming.carrier,
      carrierCallId: incoming.carrierCallId,
      admittedWallMs: facts.wallMs,
      // What the carrier is told if this process dies under the call.
      next: opening.policy.afterFailure,
      termination: null,
      statuses: [],
    };
    const stored = store.put(entry).catch((error: unknown) => watch.fault(callId, error));
    const change = (update: (call: StoredCall) => StoredCall): Promise<void> =>
      stored
        .then(() => store.update(incoming.carrier, incoming.carrierCallId, update))
        .catch((error: unknown) => watch.fault(callId, error));
    const call = new Call({
      opening,
      clock,
      feed: new Feed(onlookers, (error) => watch.fault(callId, error)),
      shelf: new Shelf(clips),
      openSession: (hooks) => model.open(hooks),
      runTool: (run) => this.#options.runTool(agent, callId, run),
      storeNext: (next) => change((c) => ({ ...c, next })),
      ended: (termination) => {
        this.#forgetToken(live);
        watch.ended(callId, termination);
        void change((c) => ({ ...c, termination }));
      },
      swept: () => watch.swept(callId),
      fault: (error) => watch.fault(callId, error),
    });
    const token = `${nodeId}.${randomBytes(24).toString('base64url')}`;
    const admission = { outcome: 'accepted', callId, token, facts: callerFacts(callId, incoming) } as const;
    const tokenUntilMs = clock.nowMs() + TOKEN_LIFE_MS;
    const live: LiveCall = { call, agent, incoming, admission, token: 'fresh', tokenUntilMs, leg: null, final: false };
    this.#byId.set(callId, live);
    this.#byCarrierCall.set(key, live);
    this.#byToken.set(token, live);
    void call.closed.then(() => this.#remove(key, live));
    watch.admitted(facts);
    call.start();
    return admission;
  }

  claim(token: string): MediaClaim | TokenRefusal {
    const live = this.#byToken.get(token);
    if (!live) return token.startsWith(`${this.#options.nodeId}.`) ? 'unknown' : 'foreign';
    if (live.token === 'used') return 'used';
    if (this.#options.clock.nowMs() > live.tokenUntilMs) return 'expired';
    live.token = 'used';
    return { callId: live.call.callId, carrierCallId: live.incoming.carrierCallId };
  }

  attach(claim: MediaClaim, leg: CarrierLeg): ((event: LegEvent) => void) | null {
    const live = this.#byId.get(claim.callId);
    if (!live || live.leg || live.call.state.phase !== 'awaiting_media') return null;
    live.leg = leg;
    return live.call.attach(leg);
  }

  abandon(claim: MediaClaim, cause: LegCloseCause, detail: string): void {
    const live = this.#byId.get(claim.callId);
    if (live && !live.leg) live.call.receive({ type: 'leg.closed', cause, detail });
  }

  async next(carrier: string, carrierCallId: string): Promise<NextStep> {
    const stored = await this.#options.store.get(carrier, carrierCallId);
    return stored?.next ?? { do: 'hang_up' };
  }

  async status(carrier: string, status: CallStatus): Promise<void> {
    await this.#options.store.update(carrier, status.carrierCallId, (c) => ({
      ...c,
      statuses: [...c.statuses, status].slice(-50),
    }));
    const key = carrierKey(carrier, status.carrierCallId);
    const live = this.#byCarrierCall.get(key);
    // The media socket may still look open after the caller went (a lost close): the callback ends the call too.
    if (!status.final) return;
    this.#followed(key);
    if (!live) return;
    live.final = true;
    live.call.receive({ type: 'leg.closed', cause: 'caller_hung_up', detail: `status ${status.status}` });
  }

  /**
   * No new calls from now; resolves when the last live one is closed and its carrier was told what follows. Calls that
   * still live at `untilMs` are wrapped up.
   */
  async drain(untilMs: number): Promise<void> {
    this.#draining = true;
    if (this.#isIdle) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    const cancel = this.#options.clock.at(untilMs, () => this.endAll('drained'));
    await promise;
    cancel();
  }

  /** Every live call is told to end, with a spoken wrap-up where there is a line. */
  endAll(reason: EndReason): void {
    for (const { call } of [...this.#byId.values()]) call.receive({ type: 'call.asked_to_end', reason });
  }

  /** Media tokens that still wait: for tests that look for leftovers. */
  get waitingTokens(): number {
    return this.#byToken.size;
  }

  #forgetToken(live: LiveCall): void {
    this.#byToken.delete(live.admission.token);
  }

  #remove(key: string, live: LiveCall): void {
    this.#forgetToken(live);
    this.#byId.delete(live.call.callId);
    this.#byCarrierCall.delete(key);
    this.#past.add(key);
    if (this.#past.size > MAX_PAST) this.#past.delete(this.#past.values().next().value as string);
    this.#options.watch.closed(live.call.callId);
    const { clock } = this.#options;
    if (live.leg && !live.final)
      this.#following.set(
        key,
        clock.at(clock.nowMs() + FOLLOW_WITHIN_MS, () => this.#followed(key)),
      );
    if (this.#isIdle) this.#idle?.();
  }

  /** The carrier will ask nothing more about this call. */
  #followed(key: string): void {
    this.#following.get(key)?.();
    this.#following.delete(key);
    if (this.#isIdle) this.#idle?.();
  }

  /** Nothing is live, and no carrier is about to ask what follows. */
  get #isIdle(): boolean {
    return this.live === 0 && this.#following.size === 0;
  }
}

const carrierKey = (carrier: string, id: string): string => `${carrier}/${id}`;

/** What the carrier may show with the stream: who is called, what kind of caller, how well attested. No caller's number. */
const callerFacts = (callId: string, { from, to, attestation }: IncomingCall): Record<string, string> => ({
  callId,
  caller: from.kind,
  called: to.value,
  ...(attestation === null ? {} : { attestation }),
});
