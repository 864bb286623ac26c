// Makes a call of one that was let in: its policy, clips, onlookers and stored entry, and how it opens its model sessions.
import type { Agent } from '../agent/agent.ts';
import { addressee } from '../agent/choose.ts';
import type { IncomingCall } from '../carrier/carrier.ts';
import type { RealtimeSession, SessionCapabilities } from '../realtime/session.ts';
import type { NextStep } from '../carrier/carrier.ts';
import type { CallTools, ToolOutcome } from '../tools/tool.ts';
import { Call, type SessionHooks, type ToolRun, type WantedSession } from './call.ts';
import type { StoredCall } from './call-store.ts';
import type { CallsOptions } from './calls.ts';
import { afterFault } from './ending.ts';
import { type CallFacts, Feed, type Onlooker, type OnlookerFactory } from './feed.ts';
import type { Ticket } from './gate.ts';
import { heldClock, type Holdings } from './holdings.ts';
import type { People } from './people.ts';
import { APOLOGY_CLIP, GREETING_CLIP, HOLD_CLIP, MUSIC_CLIP } from './policy.ts';
import { policyFor, reachableFrom } from './policy-for.ts';
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
  /** Tells the carrier to take the caller elsewhere; false: it cannot be told. */
  redirectLeg(next: NextStep, unwanted: AbortSignal): Promise<boolean>;
  people: Pick<People, 'call' | 'drop'>;
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
  const called = addressee(incoming.to.value);
  const handOffs = reachableFrom(agent, options.agents);
  const models = new Map([agent, ...handOffs].map((one) => [one.name, one === agent ? model : options.model(one)]));
  const opening = {
    callId,
    agent: agent.name,
    direction: incoming.direction,
    on: { leg: 'l1', session: 's1', epoch: 1 },
    policy: policyFor(agent, options.leg, called),
    capabilities: model.capabilities,
    handOffs: Object.fromEntries(
      handOffs.map((one) => {
        const capabilities = models.get(one.name)!.capabilities;
        return [one.name, { policy: policyFor(one, options.leg, called, agent), capabilities }];
      }),
    ),
    target: ticket.target,
    atMs: clock.nowMs(),
  };
  const { config: sessionConfig, fallbackConfig } = model;
  const handOffConfigs = Object.fromEntries(
    handOffs.map(({ name }) => [name, [models.get(name)!.config, models.get(name)!.fallbackConfig] as const]),
  );
  const facts: CallFacts = {
    ...{ opening, incoming, wallMs: clock.wallMs(), sessionConfig, fallbackConfig },
    agent: options.equipped?.(agent) ?? agent,
    ...(handOffs.length === 0 ? {} : { handOffConfigs }),
    ...(options.shownArguments ? { shownArguments: options.shownArguments([agent, ...handOffs], callId) } : {}),
  };
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
    openSession: (session, wanted) => openSession(models.get(wanted.agent) ?? model, holdings, callId, session, wanted),
    runTool: toolsOf(options, [agent, ...handOffs], incoming, callId),
    redirectLeg: (next, unwanted) => hooks.redirectLeg(next, unwanted).catch((error: unknown) => (fault(error), false)),
    people: {
      call: (wanted) =>
        hooks.people.call({
          ...wanted,
          callId,
          carrier: incoming.carrier,
          parentCallId: incoming.carrierCallId,
          from: shownNumber(incoming, agent),
        }),
      drop: () => hooks.people.drop(callId),
    },
    recallLeg: () => void hooks.recallLeg().catch(fault),
    storeNext: (next) => change((c) => ({ ...c, next })),
    ended: (termination) => hooks.ended(termination),
    swept: () => watch.swept(callId),
    fault,
  });
  ticket.spending?.attach((change) => call.receive(change));
  return { call, facts, noteEnd: (termination) => void change((c) => ({ ...c, termination })) };
}

/** What a person who is rung up sees: a carrier calls telephones only from a number of the account. */
function shownNumber({ to }: IncomingCall, { answers }: Agent): string {
  if (to.kind === 'pstn') return to.value;
  return answers.find((number) => number.startsWith('+')) ?? to.value;
}

function clipsOf({ failure, greeting, filler }: Agent): Map<string, Uint8Array> {
  const clips = new Map([
    [APOLOGY_CLIP, failure.apology],
    [HOLD_CLIP, failure.hold],
  ]);
  if (filler.music !== null) clips.set(MUSIC_CLIP, filler.music);
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

/** The tools of one call, by the agent that asks. A runner never rejects; if one does, the model is told and the call goes on. */
function toolsOf(options: CallsOptions, agents: readonly Agent[], { from, to }: IncomingCall, callId: string) {
  const made = new Map<string, CallTools>();
  return async (run: ToolRun): Promise<ToolOutcome> => {
    try {
      const agent = agents.find(({ name }) => name === run.agent) ?? (agents[0] as Agent);
      const tools =
        made.get(agent.name) ?? options.tools(agent, { callId, from, to, digits: (field) => run.digits(field) });
      made.set(agent.name, tools);
      return await tools.run(run);
    } catch (error) {
      options.watch.fault(callId, error);
      return { status: 'failed', output: `${run.name} failed.` };
    }
  };
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
