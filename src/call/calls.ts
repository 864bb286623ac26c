// The live calls of this process: lets calls in, hands out media tokens, joins media to calls, tells the carrier what
// follows, drains. The one intake that carrier adapters know.
import { randomUUID } from 'node:crypto';
import type { Agent } from '../agent/agent.ts';
import { addressee, chooseAgent, forwardsOf } from '../agent/choose.ts';
import type {
  Admission,
  CallIntake,
  CallStatus,
  CarrierLeg,
  ControlOutcome,
  Controls,
  DialOutcome,
  IncomingCall,
  LegCapabilities,
  LegCloseCause,
  LegEvent,
  MediaClaim,
  NextStep,
  RefusalReason,
  StreamStatus,
  TokenRefusal,
  VoicemailMessage,
} from '../carrier/carrier.ts';
import type { Clock } from '../clock.ts';
import type { Coordination } from '../coordination/port.ts';
import type { LedgerLine } from '../ledger/line.ts';
import type { CallTools, ToolCaller } from '../tools/tool.ts';
import type { ModelHealth, ProcessBounds } from './admission.ts';
import type { Call } from './call.ts';
import { makeCall, type Model } from './make-call.ts';
import type { CallStore, StoredCall } from './call-store.ts';
import { Following } from './following.ts';
import type { CallFacts, OnlookerFactory } from './feed.ts';
import { Gate, type Ticket } from './gate.ts';
import { Holdings } from './holdings.ts';
import { carrierKey, NextSteps } from './next-steps.ts';
import { People } from './people.ts';
import { objection, type Order } from './orders.ts';
import type { SpendMeter } from './spending.ts';
import type { EndReason, Termination } from './termination.ts';

export interface CallsOptions {
  /** Names this process in media tokens. */
  nodeId: string;
  clock: Clock;
  agents: readonly Agent[];
  leg: LegCapabilities;
  bounds: ProcessBounds;
  /** Where places, media tokens and budgets are kept. */
  coordination: Pick<Coordination, 'leases' | 'tokens' | 'budgets'>;
  model(agent: Agent): Model;
  /** How each of the agent's models is doing, in the order in which they are tried. */
  modelHealth(agent: Agent): readonly ModelHealth[];
  /** p99 of the event loop's delay of late. */
  loopDelayMs(): number;
  /** What happens in calls can no longer be kept. */
  journalFull(): boolean;
  /** What things cost a call of an agent, for its budgets. */
  meter(agent: Agent, incoming: IncomingCall): SpendMeter;
  /** The tools of an agent in one call. */
  tools(agent: Agent, caller: ToolCaller): CallTools;
  /** The agent with every tool that is there now; default: as it is. */
  equipped?(agent: Agent): Agent;
  /** What may be kept of the arguments of these agents' tools. */
  shownArguments?(agents: readonly Agent[], callId: string): (name: string, text: string) => string;
  store: CallStore;
  /** Orders to a call's carrier beside the media. */
  controls: Controls;
  onlookers: readonly OnlookerFactory[];
  /** Where what belongs to a call is noted until it is gone; default: nobody looks. */
  holdings?: Holdings;
  /** Life-cycle facts for log and metrics. */
  watch: CallsWatch;
}

/** What the process wants to know about calls as such. */
export interface CallsWatch {
  admitted(facts: CallFacts): void;
  refused(reason: RefusalReason): void;
  ended(callId: string, termination: Termination): void;
  closed(callId: string): void;
  /** An agent would forward to the very number that this call dialled; it is not done. */
  forwardsToItself(callId: string, agent: string): void;
  /** Its sockets did not go in time. */
  swept(callId: string): void;
  fault(callId: string, error: unknown): void;
  /** The carrier reports a broken media stream, by its own error number. */
  streamFailed(callId: string, error: string): void;
  /** An order to the carrier beside the media, and what became of it. */
  ordered(callId: string, order: 'redirect' | 'hang_up', outcome: ControlOutcome): void;
}

/** What became of an operator's order; `why` says what to do about it. */
export type Operated = { outcome: 'done' } | { outcome: 'gone' } | { outcome: 'refused'; why: string };

/** A call that was let in longer ago than this has had its media, or gets none. */
const ORPHAN_WITHIN_MS = 15_000;

/** An ended call is gone sooner: 1.5 s for its sockets, 5 s for its onlookers. */
const GONE_WITHIN_MS = 10_000;

/** Closed calls remembered. Just below a power of two: a full set's table is then as large as it will ever be. */
const MAX_PAST = 8_000;

/** Status callbacks kept of a call; Twilio sends some six. */
const MAX_STATUSES = 50;

interface LiveCall {
  call: Call;
  agent: Agent;
  incoming: IncomingCall;
  admission: Extract<Admission, { outcome: 'accepted' }>;
  /** Its places, held until it is let go of. */
  lease: Ticket['lease'];
  spending: Ticket['spending'];
  /** A media socket has used the token of the admission. */
  claimed: boolean;
  leg: CarrierLeg | null;
  /** The carrier has said that the call is over: it will ask nothing more. */
  final: boolean;
  /** When it ended; it is let go a moment later. */
  endedAtMs: number | null;
  /** Its token is no longer held. */
  tokenGone(): void;
}

export class Calls implements CallIntake {
  readonly #options: CallsOptions;
  readonly #holdings: Holdings;
  readonly #byId = new Map<string, LiveCall>();
  readonly #byCarrierCall = new Map<string, LiveCall>();
  readonly #gate: Gate;
  readonly #people: People;
  readonly #nextSteps: NextSteps;
  /** Admissions being decided, so that two copies of one webhook open one session. */
  readonly #deciding = new Map<string, Promise<Admission>>();
  /** Closed calls whose carrier has still to ask what follows. */
  readonly #following: Following;
  /** The latest closed calls: known here also while the store cannot tell. */
  readonly #past = new Set<string>();
  #draining = false;
  #idle: (() => void) | null = null;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#holdings = options.holdings ?? new Holdings();
    const idle = (): void => {
      if (this.#isIdle) this.#idle?.();
    };
    this.#following = new Following({ ...options, idle });
    const { leases, tokens, budgets } = options.coordination;
    const live = (key: string): LiveCall | undefined => this.#byCarrierCall.get(key);
    this.#nextSteps = new NextSteps({ ...options, tokens, following: this.#following, live });
    this.#people = new People({
      controls: options.controls,
      tell: (callId) => {
        const live = this.#byId.get(callId);
        return live === undefined || live.endedAtMs !== null ? null : (event) => live.call.receive(event);
      },
      failed: (callId, error) => options.watch.fault(callId, error),
    });
    this.#gate = new Gate({ ...options, leases, tokens, budgets, draining: () => this.#draining });
  }

  get live(): number {
    return this.#byId.size;
  }

  get draining(): boolean {
    return this.#draining;
  }

  get full(): boolean {
    return this.#byId.size >= this.#options.bounds.maxConcurrentCalls;
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
    if (known) return known.claimed ? { outcome: 'replayed' } : known.admission;
    if (this.#past.has(key)) return { outcome: 'replayed' };
    const stored = await this.#options.store.get(incoming.carrier, incoming.carrierCallId);
    if (stored && !this.#isOrphan(stored)) return { outcome: 'replayed' };
    const callId = randomUUID();
    const agent = chooseAgent(this.#options.agents, incoming.to.value);
    if (agent !== null && forwardsOf(agent).includes(addressee(incoming.to.value)))
      this.#options.watch.forwardsToItself(callId, agent.name);
    const passage = await this.#gate.pass(callId, incoming, agent, (chosen, ticket) =>
      this.#open(callId, key, incoming, chosen, ticket),
    );
    if (passage.refusal === null) return passage.admitted;
    this.#options.watch.refused(passage.refusal);
    return { outcome: 'refused', reason: passage.refusal, answer: passage.answer };
  }

  /**
   * Let in a moment ago by a process that died before anything came of it: an honest retry of the webhook, which finds
   * another process. A living owner is asked before (`Peers.passOn`), so no call gets two.
   */
  #isOrphan({ node, admittedWallMs, termination, statuses }: StoredCall): boolean {
    const ageMs = this.#options.clock.wallMs() - admittedWallMs;
    return (
      node !== '' &&
      node !== this.#options.nodeId &&
      ageMs < ORPHAN_WITHIN_MS &&
      termination === null &&
      statuses.length === 0
    );
  }

  #open(callId: string, key: string, incoming: IncomingCall, agent: Agent, ticket: Ticket): Admission {
    const { clock, watch, coordination } = this.#options;
    const made = makeCall(
      this.#options,
      this.#holdings,
      { callId, incoming, agent, ticket },
      {
        recallLeg: () => this.#recall(live),
        redirectLeg: (next, unwanted) => this.#nextSteps.redirect(live, next, unwanted),
        people: this.#people,
        ended: (termination) => {
          live.endedAtMs = clock.nowMs();
          this.#people.over(callId, incoming.carrierCallId);
          this.#forgetToken(live);
          watch.ended(callId, termination);
          made.noteEnd(termination);
        },
      },
    );
    const { call, facts } = made;
    const { token, lease, spending } = ticket;
    const admission = { outcome: 'accepted', callId, token, facts: callerFacts(callId, incoming) } as const;
    const live: LiveCall = {
      ...{
        call,
        agent,
        incoming,
        admission,
        lease,
        spending,
        claimed: false,
        leg: null,
        final: false,
        endedAtMs: null,
      },
      tokenGone: this.#holdings.hold('media_token', callId, () => void coordination.tokens.forget(callId)),
    };
    this.#byId.set(callId, live);
    this.#byCarrierCall.set(key, live);
    void call.closed.then(() => this.#remove(key, live));
    watch.admitted(facts);
    call.start();
    return admission;
  }

  async claim(token: string): Promise<MediaClaim | TokenRefusal> {
    const claimed = await this.#options.coordination.tokens.claim(token);
    if (typeof claimed === 'string') return claimed;
    const live = this.#byId.get(claimed.callId);
    if (!live) return 'unknown';
    live.claimed = true;
    return { callId: claimed.callId, carrierCallId: live.incoming.carrierCallId };
  }

  attach(claim: MediaClaim, leg: CarrierLeg): ((event: LegEvent) => void) | null {
    const live = this.#byId.get(claim.callId);
    if (!live) return null;
    const { call } = live;
    if (live.leg === null ? call.state.phase !== 'awaiting_media' : !call.away) return null;
    live.leg = leg;
    this.#following.mediaBegan(carrierKey(live.incoming.carrier, live.incoming.carrierCallId));
    return live.call.attach(leg);
  }

  abandon(claim: MediaClaim, cause: LegCloseCause, detail: string): void {
    const live = this.#byId.get(claim.callId);
    if (live && !live.leg) live.call.receive({ type: 'leg.closed', cause, detail });
  }

  /** The process that let a call in, perhaps this one; null: nobody has. */
  async ownerOf(carrier: string, carrierCallId: string): Promise<string | null> {
    const key = carrierKey(carrier, carrierCallId);
    const { nodeId, store } = this.#options;
    if (this.#byCarrierCall.has(key) || this.#past.has(key) || this.#deciding.has(key)) return nodeId;
    const stored = await store.get(carrier, carrierCallId);
    return stored === null || stored.node === '' ? null : stored.node;
  }

  async next(carrier: string, carrierCallId: string, over: boolean): Promise<NextStep> {
    const key = carrierKey(carrier, carrierCallId);
    if (over) await this.#carrierSaysOver(key, 'status over');
    return this.#nextSteps.next(carrier, carrierCallId, over);
  }

  dialled(carrier: string, carrierCallId: string, outcome: DialOutcome): Promise<NextStep> {
    return this.#nextSteps.dialled(carrier, carrierCallId, outcome);
  }

  async person(
    _carrier: string,
    carrierCallId: string,
    key: string | null,
    parentCallId: string,
  ): Promise<NextStep | null> {
    return this.#people.heard(parentCallId, carrierCallId, key);
  }

  async #recall(live: LiveCall): Promise<void> {
    const outcome = await this.#nextSteps.recall(live);
    const { carrier, carrierCallId } = live.incoming;
    if (outcome === 'gone')
      await this.#carrierSaysOver(carrierKey(carrier, carrierCallId), 'the carrier says that the call is over');
  }

  async status(carrier: string, status: CallStatus): Promise<void> {
    // Of a leg to a person: its end is not that of the caller's call.
    if (this.#people.status(status)) return;
    if (status.parentCallId !== undefined) {
      const live = this.#byCarrierCall.get(carrierKey(carrier, status.parentCallId));
      if (status.answered === true && live?.call.sentOn === 'cold') live.call.receive({ type: 'person.took' });
      return;
    }
    // First the call: a disk that fails must not keep it alive.
    if (status.final) await this.#carrierSaysOver(carrierKey(carrier, status.carrierCallId), `status ${status.status}`);
    await this.#options.store.update(carrier, status.carrierCallId, (c) => ({
      ...c,
      statuses: [...c.statuses, status].slice(-MAX_STATUSES),
    }));
  }

  async #carrierSaysOver(key: string, detail: string): Promise<void> {
    // The caller hung up while the call was being let in: it ends as soon as there is one.
    const deciding = this.#deciding.get(key);
    if (deciding) await deciding.catch(() => {});
    this.#following.over(key);
    const live = this.#byCarrierCall.get(key);
    // Should its webhook come behind this, it opens nothing.
    if (!live) return this.#remember(key);
    live.final = true;
    // The media socket may still look open after the caller went (a lost close): the callback ends the call too.
    live.call.receive({ type: 'leg.closed', cause: 'caller_hung_up', detail });
  }

  /** A message was taken: it is kept, and nothing follows it. */
  async voicemail(carrier: string, carrierCallId: string, message: VoicemailMessage): Promise<void> {
    await this.#options.store.update(carrier, carrierCallId, (c) => ({
      ...c,
      voicemail: message,
      next: { do: 'hang_up' },
    }));
  }

  /** Only noted: what happens to the media, its socket and the carrier's next question tell. */
  streamStatus(carrier: string, { carrierCallId, event, error }: StreamStatus): void {
    const live = this.#byCarrierCall.get(carrierKey(carrier, carrierCallId));
    if (live && event === 'failed') this.#options.watch.streamFailed(live.call.callId, error ?? 'unknown');
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

  /** A line was added to the bill of a call, or is now another. */
  charged(callId: string, line: LedgerLine): void {
    this.#byId.get(callId)?.spending?.charged(line);
  }

  /** An operator does something to a live call of this process. Never throws. */
  operate(callId: string, order: Order): Operated {
    const call = this.#byId.get(callId)?.call;
    if (call === undefined || call.state.phase === 'ended') return { outcome: 'gone' };
    const why = objection(call.state, order);
    if (why !== null) return { outcome: 'refused', why };
    call.receive(order);
    return { outcome: 'done' };
  }

  isLive(callId: string): boolean {
    return this.#byId.has(callId);
  }

  /** Lets go of calls that ended long ago and are still listed, so that they keep no place; returns their ids. */
  letGo(): string[] {
    const beforeMs = this.#options.clock.nowMs() - GONE_WITHIN_MS;
    const stuck = [...this.#byCarrierCall].filter(
      ([, { endedAtMs, call }]) => endedAtMs !== null && endedAtMs < beforeMs && !call.lingers,
    );
    for (const [key, live] of stuck) this.#remove(key, live);
    return stuck.map(([, { call }]) => call.callId);
  }

  #forgetToken(live: LiveCall): void {
    void this.#options.coordination.tokens.forget(live.call.callId);
    live.tokenGone();
  }

  #remove(key: string, live: LiveCall): void {
    // Let go of before.
    if (this.#byId.get(live.call.callId) !== live) return;
    this.#forgetToken(live);
    void live.lease.release();
    void live.spending?.close();
    this.#byId.delete(live.call.callId);
    this.#byCarrierCall.delete(key);
    this.#remember(key);
    this.#options.watch.closed(live.call.callId);
    this.#follow(key, live);
    if (this.#isIdle) this.#idle?.();
  }

  #remember(key: string): void {
    this.#past.add(key);
    if (this.#past.size > MAX_PAST) this.#past.delete(this.#past.values().next().value as string);
  }

  /** The carrier has still to ask what follows, or to say that the call is over. Without any media it may never ask. */
  #follow(key: string, { call, incoming, leg, final }: LiveCall): void {
    // A caller who is with a person is not called away from there.
    const withPerson = call.state.phase === 'ended' && call.state.termination.reason === 'transferred';
    if (final || withPerson || (leg === null && this.#options.controls(incoming.carrier) === null))
      return this.#following.over(key);
    const callerGone = call.state.phase === 'ended' && call.state.termination.reason === 'caller_hung_up';
    const { carrier, carrierCallId } = incoming;
    this.#following.wait(key, { callId: call.callId, carrier, carrierCallId, callerGone });
  }

  /** Nothing is live, and no carrier is about to ask what follows. */
  get #isIdle(): boolean {
    return this.live === 0 && this.#following.size === 0;
  }
}

/** What the carrier may show with the stream: who is called, what kind of caller, how well attested. No caller's number. */
const callerFacts = (callId: string, { from, to, attestation }: IncomingCall): Record<string, string> => ({
  callId,
  caller: from.kind,
  called: to.value,
  ...(attestation === null ? {} : { attestation }),
});
