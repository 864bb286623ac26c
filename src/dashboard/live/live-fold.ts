// One live call as an operator sees it: folds what the call's feed shows into the facts of the grid and the lines of the
// running transcript. No clock, no socket: equal events give equal views. Frames of the caller are never given to it.
import type { CallEffect } from '../../call/effect.ts';
import type { CallEvent } from '../../call/event.ts';
import type { CallFacts } from '../../call/feed.ts';
import type { APOLOGY_CLIP, GREETING_CLIP } from '../../call/policy.ts';
import type { LedgerLine } from '../../ledger/line.ts';
import { redacted } from '../../record/call-record.ts';
import { SessionChanges } from '../../record/session-changes.ts';
import type { LiveCall, LiveEntry } from '../schemas/live.ts';
import { cutText, LiveEntries } from './live-entries.ts';
import { LiveState, type LiveStateName } from './live-state.ts';

type Told = Exclude<CallEvent, { type: 'leg.audio' }>;
type EventOf<T extends CallEvent['type']> = Extract<CallEvent, { type: T }>;
type EffectOf<T extends CallEffect['do']> = Extract<CallEffect, { do: T }>;

/** Characters of the last words in the grid. */
const MAX_LAST_CHARS = 160;
/** Of the number that was called: a SIP address may be long. */
const MAX_CALLED_CHARS = 120;
/** Lines of a bill that are told apart; a call of an hour has some hundred. */
const MAX_BILL_LINES = 10_000;

// Values of call/policy.ts, kept equal by the compiler: only types of the core are imported here.
const GREETING: typeof GREETING_CLIP = 'clip:greeting';
const APOLOGY: typeof APOLOGY_CLIP = 'clip:apology';

export class LiveFold {
  readonly #facts: CallFacts;
  /** Told when anything of the call or its lines is not as it was; may be called often. */
  readonly #changed: () => void;
  readonly #state = new LiveState();
  readonly #entries = new LiveEntries();
  readonly #sessions = new SessionChanges();
  #name: LiveStateName = 'connecting';
  #nameSinceMs: number;
  #agent: string;
  #targets: string[];
  #startedAtMs: number | null = null;
  #over = false;
  /** The caller is taken to a person: the end of the media is our doing. */
  #moved = false;
  #target: number;
  #turns = 0;
  #bargeIns = 0;
  #troubles = 0;
  #keys = 0;
  #latencyMs: number | null = null;
  #last: LiveCall['last'] = null;
  #speechSinceMs: number | null = null;
  /** Nano-dollars by line; null: no price is known. */
  readonly #bill = new Map<string, number | null>();
  #costNanoUsd = 0;
  #unpricedLines = 0;

  constructor(facts: CallFacts, changed: () => void) {
    const { opening, agent } = facts;
    this.#facts = facts;
    this.#changed = changed;
    this.#nameSinceMs = opening.atMs;
    this.#agent = opening.agent ?? agent.name;
    this.#targets = Object.keys(opening.policy.errands.targets);
    this.#target = opening.target ?? 0;
  }

  get callId(): string {
    return this.#facts.opening.callId;
  }

  stepped(event: Told, effects: readonly CallEffect[]): void {
    // What came from a leg or session that the call had left behind.
    if (effects.length === 1 && effects[0]?.do === 'note.ignored' && effects[0].what === 'stale_origin') return;
    const { version } = this.#entries;
    this.#state.stepped(event, effects);
    if (this.#sessions.of(event, effects) === 'lost')
      this.#trouble(event.atMs, 'The model was lost; another session takes over');
    this.#happened(event, effects);
    for (const effect of effects) this.#caused(effect, event, effects);
    const { name } = this.#state;
    if (name !== this.#name) {
      this.#name = name;
      this.#nameSinceMs = event.atMs;
      this.#changed();
    } else if (this.#entries.version !== version) this.#changed();
  }

  /** A line was added to the bill, or is now another. */
  charged({ what, source, costNanoUsd }: LedgerLine): void {
    const key = `${what} ${source}`;
    const before = this.#bill.get(key);
    if (before === undefined && this.#bill.size >= MAX_BILL_LINES) return;
    this.#bill.set(key, costNanoUsd);
    this.#costNanoUsd += (costNanoUsd ?? 0) - (before ?? 0);
    this.#unpricedLines += Number(costNanoUsd === null) - Number(before === null);
    this.#changed();
  }

  /** How long the caller waited for the latest answer, in milliseconds. */
  answered(latencyMs: number): void {
    this.#latencyMs = Math.round(latencyMs);
    this.#changed();
  }

  /** The call as the grid shows it. */
  get call(): LiveCall {
    const { opening, incoming } = this.#facts;
    const inbound = opening.direction === 'inbound';
    return {
      callId: opening.callId,
      agent: this.#agent,
      direction: opening.direction,
      caller: redacted(incoming.from),
      // Ours, unless we called it.
      called: inbound ? incoming.to.value.slice(0, MAX_CALLED_CHARS) : redacted(incoming.to),
      admittedWallMs: this.#wallMs(opening.atMs),
      mediaStartedWallMs: this.#startedAtMs === null ? null : this.#wallMs(this.#startedAtMs),
      state: this.#name,
      stateSinceWallMs: this.#wallMs(this.#nameSinceMs),
      costNanoUsd: this.#costNanoUsd,
      unpricedLines: this.#unpricedLines,
      last: this.#last,
      turns: this.#turns,
      bargeIns: this.#bargeIns,
      troubles: this.#troubles,
      latencyMs: this.#latencyMs,
      targets: this.#targets,
    };
  }

  /** All lines that are kept. */
  get entries(): LiveEntry[] {
    return this.#entries.all(this.#zeroMs);
  }

  /** Takes the lines that are not as they were taken last. */
  takeChanged(): LiveEntry[] {
    return this.#entries.takeChanged(this.#zeroMs);
  }

  get #zeroMs(): number {
    return this.#startedAtMs ?? this.#facts.opening.atMs;
  }

  #wallMs(atMs: number): number {
    return Math.round(this.#facts.wallMs + (atMs - this.#facts.opening.atMs));
  }

  #happened(event: Told, effects: readonly CallEffect[]): void {
    const { atMs } = event;
    switch (event.type) {
      case 'leg.started':
        if (this.#startedAtMs !== null) return;
        this.#startedAtMs = atMs;
        // Their times are others from now on.
        this.#entries.touchAll();
        return;
      case 'leg.closed':
        if (!this.#over && !this.#moved && effects.every((effect) => effect.do !== 'call.end'))
          this.#trouble(atMs, `The media went away: ${event.detail || event.cause}`);
        return;
      case 'leg.digit_pressed':
        return this.#keyPressed(atMs);
      case 'speech.started':
        this.#speechSinceMs ??= atMs;
        return;
      case 'turn.committed':
        this.#turns += 1;
        this.#entries.add('caller', this.#speechSinceMs ?? atMs, '', `turn ${event.turn}`);
        this.#speechSinceMs = null;
        return;
      case 'turn.transcribed': {
        const line = this.#entries.find(`turn ${event.turn}`);
        if (line === undefined) return;
        this.#entries.setText(line, event.text.trim());
        this.#said('caller', event.text);
        return;
      }
      case 'utterance.started':
        this.#entries.add('agent', atMs, '', `utterance ${event.utterance}`);
        return;
      case 'utterance.text': {
        const line = this.#entries.find(`utterance ${event.utterance}`);
        if (line === undefined) return;
        this.#entries.setText(line, line.text + event.text);
        this.#said('agent', line.text);
        return;
      }
      case 'tool.called':
        return this.#toolCalled(event);
      case 'tool.settled':
        return this.#toolEnded(event.toolCall, event.status, atMs, event.output);
      default:
        this.#operated(event, effects);
    }
  }

  #caused(effect: CallEffect, event: Told, effects: readonly CallEffect[]): void {
    const { atMs } = event;
    switch (effect.do) {
      case 'leg.play':
        return this.#clipPlays(effect, atMs);
      case 'note.settled':
        return this.#settled(effect);
      case 'note.stopped':
        if (effect.because === 'caller_spoke') this.#bargedIn(effect, atMs, effects);
        return;
      case 'session.settle_tool':
        // Answered by the call itself.
        if (event.type !== 'tool.settled') this.#toolEnded(effect.toolCall, 'built_in', atMs, effect.output);
        return;
      case 'tool.abort':
        return this.#toolEnded(effect.toolCall, 'aborted', atMs, null);
      case 'leg.move':
        this.#moved = true;
        return;
      case 'note.transfer': {
        const { target, stage, why } = effect;
        this.#entries.add('transfer', atMs, `${target}: ${stage}${why === '' ? '' : ` (${why})`}`);
        return;
      }
      case 'note.handed_off':
        this.#agent = effect.to;
        this.#targets = Object.keys(this.#facts.opening.handOffs?.[effect.to]?.policy.errands.targets ?? {});
        this.#entries.add('hand_off', atMs, effect.to);
        return;
      case 'note.guarded':
        this.#stoppedByRule(event);
        this.#entries.add('trouble', atMs, `Stopped by the guardrail ${effect.guardrail}`);
        return;
      case 'note.resumed':
        this.#moved = false;
        this.#entries.add('trouble', atMs, `The caller is back after ${seconds(effect.awayMs)}`);
        return;
      case 'session.open':
        if (effect.target > this.#target)
          this.#entries.add('trouble', atMs, "The agent's second model is used from now on");
        this.#target = effect.target;
        return;
      case 'call.end':
        this.#over = true;
        return;
      default:
    }
  }

  #said(who: 'caller' | 'agent', text: string): void {
    const words = text.trim();
    if (words !== '')
      this.#last = { who, text: words.length > MAX_LAST_CHARS ? `…${words.slice(1 - MAX_LAST_CHARS)}` : words };
  }

  #trouble(atMs: number, text: string): void {
    this.#troubles += 1;
    this.#entries.add('trouble', atMs, text);
  }

  /** How many; never which. */
  #keyPressed(atMs: number): void {
    const { latest } = this.#entries;
    this.#keys = latest?.kind === 'keys' ? this.#keys + 1 : 1;
    const text = this.#keys === 1 ? '1 key' : `${this.#keys} keys`;
    if (latest?.kind === 'keys') this.#entries.setText(latest, text);
    else this.#entries.add('keys', atMs, text);
  }

  /** The first range of an utterance: what the model never began is a clip. */
  #clipPlays({ utterance, fromByte }: EffectOf<'leg.play'>, atMs: number): void {
    if (fromByte > 0 || this.#entries.find(`utterance ${utterance}`) !== undefined) return;
    const { agent } = this.#facts;
    const text =
      utterance === GREETING ? (agent.greeting?.text ?? '') : utterance === APOLOGY ? agent.failure.apologyText : '';
    if (text === '') return;
    this.#entries.add('agent', atMs, text, `utterance ${utterance}`);
    this.#said('agent', text);
  }

  /** Until it is known how much of it was heard, nothing counts as heard: it was stopped so that nobody hears it. */
  #stoppedByRule(event: Told): void {
    const line = event.type === 'utterance.text' ? this.#entries.find(`utterance ${event.utterance}`) : undefined;
    if (line === undefined || line.heardShare !== null) return;
    line.heardShare = 0;
    this.#entries.touch(line);
  }

  #settled({ utterance, outcome, heardMs, receivedMs }: EffectOf<'note.settled'>): void {
    const line = this.#entries.find(`utterance ${utterance}`);
    if (line === undefined) return;
    line.heardShare = outcome === 'heard' ? 1 : receivedMs === 0 ? 0 : heardMs / receivedMs;
    this.#entries.touch(line);
  }

  /** The position is that of the first utterance that was not heard to its end. */
  #bargedIn({ unheardMs }: EffectOf<'note.stopped'>, atMs: number, effects: readonly CallEffect[]): void {
    this.#bargeIns += 1;
    const cut = effects.find((effect) => effect.do === 'note.settled' && effect.outcome !== 'heard');
    const heardMs = cut?.do === 'note.settled' ? cut.heardMs : 0;
    this.#entries.add('barge_in', atMs, `after ${seconds(heardMs)}; ${seconds(unheardMs)} never heard`);
  }

  #toolCalled({ toolCall, name, arguments: args, atMs }: EventOf<'tool.called'>): void {
    if (this.#entries.find(`tool ${toolCall}`) !== undefined) return;
    const shown = cutText(this.#facts.shownArguments?.(name, args) ?? args);
    const tool = { arguments: shown, output: null, status: 'running', durationMs: null };
    this.#entries.add('tool', atMs, name, `tool ${toolCall}`, tool);
  }

  #toolEnded(toolCall: string, status: string, atMs: number, output: string | null): void {
    const line = this.#entries.find(`tool ${toolCall}`);
    if (line === undefined || line.tool === null) return;
    // One that changes something goes on after the hang-up: what became of it counts.
    const goesOn = line.tool.status === 'aborted' && status !== 'aborted';
    if (line.tool.status !== 'running' && !goesOn) return;
    const durationMs = Math.round(atMs - line.atMs);
    this.#entries.setTool(line, { ...line.tool, status, durationMs, output: output === null ? null : cutText(output) });
  }

  #operated(event: Told, effects: readonly CallEffect[]): void {
    const text = orderText(event);
    if (text === null) return;
    const refused = effects.some((effect) => effect.do === 'note.ignored' && effect.what === 'operator_refused');
    this.#entries.add('operator', event.atMs, refused ? `${text} (not possible now)` : text);
  }
}

/** What an operator did, in words. */
function orderText(event: Told): string | null {
  switch (event.type) {
    case 'operator.whispered':
      return `Tells the agent: ${event.text}`;
    case 'operator.said':
      return `Has the agent say: ${event.text}`;
    case 'operator.transfers':
      return `Hands the caller over to ${event.target}`;
    case 'call.asked_to_end':
      return event.reason === 'operator_ended' ? 'Ends the call' : null;
    default:
      return null;
  }
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
