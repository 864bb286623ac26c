// Makes a call of one that was let in: its policy, clips, onlookers and stored entry, and how it opens its model sessions.
import type { Agent } from '../agent/agent.ts';
import { addressee } from '../agent/choose.ts';
import type { IncomingCall } from '../carrier/carrier.ts';
import type { RealtimeSession, SessionCapabilities } from '../realtime/session.ts';
import type { ToolOutcome } from '../tools/tool.ts';
import { Call, type SessionHooks, type ToolRun, type WantedSession } from './call.ts';
import type { StoredCall } from './call-store.ts';
import type { CallsOptions } from './calls.ts';
import { afterFault } from './ending.ts';
import { type CallFacts, Feed, type Onlooker, type OnlookerFactory } from './feed.ts';
import type { Ticket } from './gate.ts';
import { heldClock, type Holdings } from './holdings.ts';
import { APOLOGY_CLIP, GREETING_CLIP, HOLD_CLIP } from './policy.ts';
import { policyFor } from './policy-for.ts';
import { Shelf } from './shelf.ts';
import type { Termination } from './termination.ts';

/** A model adapter as the calls need it: one per agent. */
export interface Model {
  capabilities: SessionCapabilities;
  /** The adapter's own configuration, plain data, for the tape; and that of the agent's fallback, where it has one. */
  config: unknown;
  fallbackConfig?: unknown;
  open(hooks: SessionHooks, wanted: WantedSession): RealtimeSession;
}

/** A call that was let in. */
export interface AdmittedCall {
  callId: string;
  incoming: IncomingCall;
  agent: Agent;
  ticket: Ticket;
}

/** What its maker's owner does with it. */
export interface MadeCallHooks {
  /** Asks the carrier to open a media stream of the call again. */
  recallLeg(): Promise<void>;
  ended(termination: Termination): void;
}

export interface MadeCall {
  call: Call;
  facts: CallFacts;
  /** Puts the end into the stored entry. */
  noteEnd(termination: Termination): void;
}

/** The call itself; its first model session begins to open here. */
export function makeCall(
  options: CallsOptions,
  holdings: Holdings,
  { callId, incoming, agent, ticket }: AdmittedCall,
  hooks: MadeCallHooks,
): MadeCall {
  const { clock, store, watch } = options;
  const model = options.model(agent);
  const opening = {
    callId,
    direction: incoming.direction,
    on: { leg: 'l1', session: 's1', epoch: 1 },
    policy: policyFor(agent, options.leg, addressee(incoming.to.value)),
    capabilities: model.capabilities,
    target: ticket.target,
    atMs: clock.nowMs(),
  };
  const { config: sessionConfig, fallbackConfig } = model;
  const facts: CallFacts = { opening, incoming, agent, wallMs: clock.wallMs(), sessionConfig, fallbackConfig };
  const fault = (error: unknown): void => watch.fault(callId, error);
  const onlookers = madeOnlookers(options.onlookers, facts, fault);
  const stored = store.put(entryOf(facts, options.nodeId)).catch(fault);
  const change = (update: (call: StoredCall) => StoredCall): Promise<void> =>
    stored.then(() => store.update(incoming.carrier, incoming.carrierCallId, update)).catch(fault);
  const call = new Call({
    opening,
    clock: heldClock(clock, holdings, callId),
    feed: new Feed(onlookers, fault, clock),
    shelf: new Shelf(clipsOf(agent)),
    spending: ticket.spending,
    openSession: (session, wanted) => openSession(model, holdings, callId, session, wanted),
    runTool: (run) => runTool(options, agent, callId, run),
    recallLeg: () => void hooks.recallLeg().catch(fault),
    storeNext: (next) => change((c) => ({ ...c, next })),
    ended: (termination) => hooks.ended(termination),
    swept: () => watch.swept(callId),
    fault,
  });
  ticket.spending?.attach((change) => call.receive(change));
  return { call, facts, noteEnd: (termination) => void change((c) => ({ ...c, termination })) };
}

function clipsOf({ failure, greeting }: Agent): Map<string, Uint8Array> {
  const clips = new Map([
    [APOLOGY_CLIP, failure.apology],
    [HOLD_CLIP, failure.hold],
  ]);
  if (greeting?.clip) clips.set(GREETING_CLIP, greeting.clip);
  return clips;
}

const entryOf = ({ opening, incoming, wallMs }: CallFacts, node: string): StoredCall => ({
  callId: opening.callId,
  carrier: incoming.carrier,
  carrierCallId: incoming.carrierCallId,
  node,
  admittedWallMs: wallMs,
  // What the carrier is told if this process dies under the call.
  next: afterFault(opening.policy),
  termination: null,
  statuses: [],
  voicemail: null,
});

/** A model that cannot even be opened ends its call by name, like one that fails later. */
function openSession(
  model: Model,
  holdings: Holdings,
  callId: string,
  hooks: SessionHooks,
  wanted: WantedSession,
): RealtimeSession {
  let session: RealtimeSession | null = null;
  const release = holdings.hold('model_session', callId, () => session?.close());
  const released = (): void => {
    release();
    hooks.released();
  };
  try {
    session = model.open({ ...hooks, released }, wanted);
    return session;
  } catch (error) {
    // Told when the call knows its session.
    queueMicrotask(() => hooks.fault(error));
    return brokenSession(model.capabilities, released);
  }
}

/** A runner never rejects; if one does, the model is told and the call goes on. */
async function runTool(options: CallsOptions, agent: Agent, callId: string, run: ToolRun): Promise<ToolOutcome> {
  try {
    return await options.runTool(agent, callId, run);
  } catch (error) {
    options.watch.fault(callId, error);
    return { status: 'failed', output: `${run.name} failed.` };
  }
}

/** The onlookers of one call; one that cannot be made is told, and the call does without. */
const madeOnlookers = (
  makers: readonly OnlookerFactory[],
  facts: CallFacts,
  failed: (error: unknown) => void,
): Onlooker[] =>
  makers.flatMap((make) => {
    try {
      return make(facts) ?? [];
    } catch (error) {
      failed(error);
      return [];
    }
  });

/** Stands in for a session that could not be opened. */
const brokenSession = (capabilities: SessionCapabilities, released: () => void): RealtimeSession => ({
  capabilities,
  append() {},
  appendSilence() {},
  request() {},
  close: released,
});
