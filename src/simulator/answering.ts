// Who may answer when: at most one response in the default conversation, any number beside it, cancelled by the client or
// by the caller's voice.
import { audioFormat } from './audio-format.ts';
import type { ResponseParameters, WireItem } from './client-event.ts';
import { clip } from './clips.ts';
import type { Conversation, SimulatedItem } from './conversation.ts';
import { itemNotFound, refusal } from './fault.ts';
import type { Fault } from './fault.ts';
import type { EffectiveOptions } from './options.ts';
import { CalledItem, SpokenItem, WrittenItem } from './output-item.ts';
import type { Sound } from './output-item.ts';
import { ResponseRun } from './response.ts';
import type { MakeItem, SimulatedResponse } from './response.ts';
import { ScriptReader } from './script.ts';
import type { Answer, AnswerItem, Occasion, SayItem, StampedItem } from './script.ts';
import type { SessionConfig } from './session-config.ts';
import { isObject } from './shape.ts';
import { speechOf } from './sound.ts';
import type { Timers } from './timers.ts';
import { Context, contextOf, retentionOf } from './context.ts';
import { RateLimits } from './rate-limits.ts';

/** What answering needs of its session. */
export interface AnsweringHost {
  config(): SessionConfig;
  readonly options: EffectiveOptions;
  readonly conversation: Conversation;
  readonly conversationId: string;
  readonly timers: Timers;
  emit: (event: Record<string, unknown>) => void;
  responseStarted(response: SimulatedResponse): void;
  responseEnded(response: SimulatedResponse, audioMs: number): void;
  /** Ends the connection. */
  drop(code: number | undefined, reason: string | undefined): void;
}

/** Out-of-band responses at the same time. */
const MAX_BESIDE = 16;

/** The responses of one session. */
export class Answering {
  /** The audio that an assistant item was made from, while the item lives. */
  readonly sources = new WeakMap<SimulatedItem, Buffer>();
  readonly script: ScriptReader;
  #host: AnsweringHost;
  #active: ResponseRun | undefined;
  #beside = new Set<ResponseRun>();
  #context = new Context();
  #rateLimits: RateLimits;
  #stamps = 0;
  #hasSpoken = false;

  constructor(host: AnsweringHost) {
    this.#host = host;
    this.script = new ScriptReader(host.options.script);
    this.#rateLimits = new RateLimits(host.timers.clock);
  }

  /** True once audio has gone out; the voice is frozen from then on. */
  get hasSpoken(): boolean {
    return this.#hasSpoken;
  }

  /** True while the default conversation has a response. */
  get busy(): boolean {
    return this.#active !== undefined;
  }

  /** A turn or a silence has ended and turn detection answers it. */
  answerCaller(why: 'turn' | 'silence'): Fault | undefined {
    if (this.#host.options.mute) return undefined;
    if (this.#active) return alreadyActive(this.#active);
    this.#run('vad', this.script.next({ why }), {});
    return undefined;
  }

  /** `response.create`. */
  create(parameters: ResponseParameters = {}): Fault | undefined {
    const { conversation, options } = this.#host;
    const outOfBand = parameters.conversation === 'none';
    if (!outOfBand && this.#active) return alreadyActive(this.#active);
    if (this.#beside.size >= MAX_BESIDE)
      return refusal('rate_limit_exceeded', `At most ${MAX_BESIDE} responses can run beside the conversation.`);
    for (const entry of parameters.input ?? [])
      if (entry.type === 'item_reference' && !conversation.find(entry.id ?? ''))
        return itemNotFound(entry.id ?? '', 'response.input');
    if (options.mute) return undefined;
    this.#run('client', this.#answer(parameters, outOfBand), parameters);
    return undefined;
  }

  /** `response.cancel`: the named response, or the default conversation's. */
  cancel(id: string | undefined): Fault | undefined {
    const run = id === undefined ? this.#active : this.#runs().find(({ seen }) => seen.id === id);
    if (!run) return refusal('response_cancel_not_active', 'Cancellation failed: no active response found');
    run.cancel('client_cancelled');
    return undefined;
  }

  /** The caller speaks over the answer. */
  interrupt(): void {
    this.#active?.cancel('turn_detected');
  }

  #runs(): ResponseRun[] {
    return [...(this.#active ? [this.#active] : []), ...this.#beside];
  }

  #answer(parameters: ResponseParameters, outOfBand: boolean): Answer {
    const { conversation } = this.#host;
    const occasion: Occasion = {
      why: 'client',
      instructions: parameters.instructions ?? '',
      outOfBand,
      callerHasSpoken: conversation.callerHasSpoken,
      takeToolOutputs: () => conversation.takeToolOutputs(),
    };
    return this.script.next(occasion);
  }

  #run(origin: 'vad' | 'client', answer: Answer, parameters: ResponseParameters): void {
    const host = this.#host;
    const { options } = host;
    const config = host.config();
    const beside = parameters.conversation === 'none';
    const ownInput = beside || parameters.input !== undefined;
    const maxOutputTokens = parameters.max_output_tokens ?? config.max_output_tokens;
    const modalities = parameters.output_modalities ?? config.output_modalities;
    const context = contextOf(
      parameters.instructions ?? config.instructions,
      parameters.tools ?? config.tools,
      parameters.input?.map((entry) => this.#referred(entry)) ?? host.conversation.items,
    );
    const run = new ResponseRun(
      {
        origin,
        answer,
        items: this.#permitted(answer.items, parameters).map((item) =>
          this.#maker(item, parameters, modalities.includes('text')),
        ),
        firstDelayMs: answer.firstDelayMs ?? options.firstDelayMs,
        stall: options.stall,
        lateDeltas: options.lateDeltas,
        lateDeltasAfterDone: options.lateDeltasAfterDone,
        conversation: beside ? undefined : host.conversation,
        conversationId: beside ? null : host.conversationId,
        metadata: parameters.metadata ?? null,
        modalities,
        audio: { output: { ...config.audio.output, ...parameters.audio?.output } },
        maxOutputTokens,
        input: this.#context.read(context, ownInput ? undefined : retentionOf(config.truncation, config.model)),
        emit: (event) => host.emit(event),
        ended: (ended) => this.#ended(ended),
        drop: () => host.drop(answer.drop?.code, answer.drop?.reason),
      },
      host.timers,
    );
    if (beside) this.#beside.add(run);
    else this.#active = run;
    host.responseStarted(run.seen);
    run.announce();
    host.emit({ type: 'rate_limits.updated', rate_limits: this.#rateLimits.begin(maxOutputTokens) });
    run.start();
  }

  #ended(run: ResponseRun): void {
    this.#beside.delete(run);
    if (this.#active === run) this.#active = undefined;
    this.#rateLimits.spend(run.seen.usage?.total_tokens ?? 0);
    this.#host.responseEnded(run.seen, run.audioMs);
  }

  /** The scripted items without the calls that the tools, the tool choice or the ban on parallel calls exclude. */
  #permitted(items: readonly AnswerItem[], parameters: ResponseParameters): AnswerItem[] {
    const config = this.#host.config();
    const tools = parameters.tools ?? config.tools;
    const choice = parameters.tool_choice ?? config.tool_choice;
    const only = isObject(choice) && choice.type === 'function' ? choice.name : undefined;
    let callsLeft = (parameters.parallel_tool_calls ?? config.parallel_tool_calls ?? true) ? items.length : 1;
    return items.filter((item) => {
      if (!('tool' in item)) return true;
      const known = choice !== 'none' && tools.some((tool) => tool.name === item.tool);
      return known && (only === undefined || only === item.tool) && callsLeft-- > 0;
    });
  }

  /** How one scripted item is produced under these parameters. */
  #maker(item: AnswerItem, parameters: ResponseParameters, asText: boolean): MakeItem {
    if ('tool' in item) return (place) => new CalledItem(item.tool, item.arguments, place);
    if (asText) return (place) => new WrittenItem(textOf(item), place);
    return (place) => {
      const sound = this.#sound(item, parameters);
      const spoken = new SpokenItem(sound, place);
      this.sources.set(spoken.item, sound.audio);
      return spoken;
    };
  }

  #sound(item: SayItem | StampedItem, parameters: ResponseParameters): Sound {
    const { options } = this.#host;
    const config = this.#host.config();
    const format = audioFormat(parameters.audio?.output?.format ?? config.audio.output.format);
    const { deltaMs } = options;
    return {
      ...speechOf(item, format, () => ++this.#stamps),
      bytesPerMs: format.bytesPerMs,
      stallAfterMs: item.stallAfterMs ?? 0,
      stallMs: item.stallMs ?? 0,
      pace: options.pace,
      deltaBytes: typeof deltaMs === 'number' ? [Math.round(deltaMs * format.bytesPerMs)] : deltaMs,
      sounded: () => {
        this.#hasSpoken = true;
      },
    };
  }

  #referred(entry: WireItem | { type: 'item_reference'; id: string }): SimulatedItem | WireItem {
    return (entry.type === 'item_reference' ? this.#host.conversation.find(entry.id ?? '') : undefined) ?? entry;
  }
}

const textOf = (item: SayItem | StampedItem): string =>
  item.transcript ?? ('say' in item ? item.say.map((name) => clip(name).text).join(' ') : 'Stamped audio.');

const alreadyActive = (active: ResponseRun): Fault =>
  refusal(
    'conversation_already_has_active_response',
    `Conversation already has an active response in progress: ${active.seen.id}. Wait until the response is finished before creating a new one.`,
  );
