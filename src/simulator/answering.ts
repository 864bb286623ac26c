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
import { readyItems } from './ready-items.ts';
import type { ReadyItem, ReadySpeech } from './ready-items.ts';
import type { TextItem } from './script.ts';
import { ScriptReader } from './script-reader.ts';
import type { Chosen } from './script-reader.ts';
import type { SessionConfig } from './session-config.ts';
import { isObject } from './shape.ts';
import { speechOf } from './sound.ts';
import type { Timers } from './timers.ts';
import { lookupIn } from './values.ts';
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
  /** The script wants what there is not. */
  scriptFault(message: string): void;
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
    this.script = new ScriptReader(host.options.script, () => host.config());
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
    const chosen = this.script.next({ why });
    if (chosen.answer.never !== 'begun') this.#run('vad', chosen, {});
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
    const chosen = this.#chosen(parameters, outOfBand);
    if (chosen.answer.never !== 'begun') this.#run('client', chosen, parameters);
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

  #chosen(parameters: ResponseParameters, outOfBand: boolean): Chosen {
    const { conversation } = this.#host;
    const instructions = parameters.instructions ?? '';
    if (outOfBand)
      return this.script.next({
        why: 'beside',
        instructions,
        metadata: parameters.metadata ?? {},
        input: this.#inputOf(parameters).flatMap(wordsOf),
        givenInput: parameters.input !== undefined,
      });
    return this.script.next({
      why: 'client',
      instructions,
      callerHasSpoken: conversation.callerHasSpoken,
      takeTexts: () => conversation.takeTexts(),
      takeToolOutputs: () => conversation.takeToolOutputs(),
    });
  }

  #run(origin: 'vad' | 'client', chosen: Chosen, parameters: ResponseParameters): void {
    const host = this.#host;
    const { answer } = chosen;
    const { options } = host;
    const config = host.config();
    const beside = parameters.conversation === 'none';
    const ownInput = beside || parameters.input !== undefined;
    const maxOutputTokens = parameters.max_output_tokens ?? config.max_output_tokens;
    const modalities = parameters.output_modalities ?? config.output_modalities;
    const context = contextOf(
      parameters.instructions ?? config.instructions,
      parameters.tools ?? config.tools,
      this.#inputOf(parameters),
    );
    const run = new ResponseRun(
      {
        origin,
        answer,
        items: this.#items(chosen, parameters).map((item) =>
          this.#maker(item, chosen, parameters, modalities.includes('text')),
        ),
        firstDelayMs: answer.firstDelayMs ?? options.firstDelayMs,
        stall: options.stall || answer.never === 'ended',
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

  /** The scripted items as they will be produced. */
  #items({ answer, unruly }: Chosen, parameters: ResponseParameters): ReadyItem[] {
    const host = this.#host;
    const outputs = host.conversation.toolOutputs;
    const own = parameters.conversation === 'none' ? { metadata: parameters.metadata ?? {} } : {};
    const items = readyItems(answer.items, lookupIn(outputs, own), (what) => {
      const answered = [...new Set(outputs.map(({ tool }) => tool))].join(', ');
      host.scriptFault(`there is no value for ${what}; tools that have answered: ${answered || 'none'}`);
    });
    return unruly ? items : this.#permitted(items, parameters);
  }

  /** Without the calls that the tools, the tool choice or the ban on parallel calls exclude. */
  #permitted(items: readonly ReadyItem[], parameters: ResponseParameters): ReadyItem[] {
    const config = this.#host.config();
    const tools = parameters.tools ?? config.tools;
    const choice = parameters.tool_choice ?? config.tool_choice;
    const only = isObject(choice) && choice.type === 'function' ? choice.name : undefined;
    let callsLeft = (parameters.parallel_tool_calls ?? config.parallel_tool_calls ?? true) ? items.length : 1;
    return items.filter((item) => {
      if (!('tool' in item) || item.force) return true;
      const known = choice !== 'none' && tools.some((tool) => tool.name === item.tool);
      return known && (only === undefined || only === item.tool) && callsLeft-- > 0;
    });
  }

  /** How one item is produced under these parameters. */
  #maker(item: ReadyItem, chosen: Chosen, parameters: ResponseParameters, asText: boolean): MakeItem {
    if ('tool' in item)
      return (place) => {
        const called = new CalledItem(item, place);
        this.script.called(called.item.callId ?? '', chosen);
        return called;
      };
    if (asText) return (place) => new WrittenItem(textOf(item), place);
    return (place) => {
      const speech = 'text' in item ? { say: [WORDLESS], transcript: item.text } : item;
      const sound = this.#sound(speech, parameters, place.conversation !== undefined);
      const spoken = new SpokenItem(sound, place);
      this.sources.set(spoken.item, sound.audio);
      return spoken;
    };
  }

  #sound(item: ReadySpeech, parameters: ResponseParameters, inConversation: boolean): Sound {
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
        if (inConversation) this.#hasSpoken = true;
      },
    };
  }

  /** What the response is made from: its own input, or the conversation. */
  #inputOf({ input }: ResponseParameters): readonly (SimulatedItem | WireItem)[] {
    const { conversation } = this.#host;
    if (!input) return conversation.items;
    return input.map((entry) =>
      entry.type === 'item_reference' ? (conversation.find(entry.id ?? '') ?? entry) : entry,
    );
  }
}

/** What is heard of a text that has no sound. */
const WORDLESS = 'short_ok';

const textOf = (item: ReadySpeech | TextItem): string => {
  if ('text' in item) return item.text;
  return item.transcript ?? ('say' in item ? item.say.map((name) => clip(name).text).join(' ') : 'Stamped audio.');
};

/** The words in an item, whoever made it. */
function wordsOf(item: SimulatedItem | WireItem): string[] {
  const parts = 'content' in item ? (item.content ?? []).map((part) => part.text ?? part.transcript) : [];
  const mine = 'audioMs' in item ? [item.transcript, item.text] : [];
  return [...parts, ...mine, item.arguments, item.output].filter((words): words is string => Boolean(words));
}

const alreadyActive = (active: ResponseRun): Fault =>
  refusal(
    'conversation_already_has_active_response',
    `Conversation already has an active response in progress: ${active.seen.id}. Wait until the response is finished before creating a new one.`,
  );
