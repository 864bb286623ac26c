// Follows a call from document to document: verb after verb, where an action or a redirect leads, and wherever a REST
// update sends it meanwhile.
import type { ConnectCall } from './phone-connect.ts';
import type { CallUpdate } from './phone-options.ts';
import type { Ask, PhoneRequests, TwimlDocument } from './phone-requests.ts';
import type { Origin } from './signed-request.ts';
import { aboutVerb, type FollowedVerb } from './verb.ts';
import { carryOut, type NextAsk } from './verb-run.ts';
import { VerbScene } from './verb-scene.ts';

export interface VerbFollowerOptions {
  call: ConnectCall;
  requests: PhoneRequests;
  origin: Origin;
  /** The call was turned away instead of answered. */
  rejected(status: 'busy' | 'no-answer'): void;
  /** The end of the call waits for this. */
  later(work: Promise<unknown>): void;
  warn(code: number, reason: string): void;
}

/** A call that is sent from document to document is cut off here. */
const MAX_DOCUMENTS = 20;

export class VerbFollower {
  /** Verbs carried out so far, in order. */
  readonly verbs: FollowedVerb[] = [];
  readonly #options: VerbFollowerOptions;
  // Cuts the document being followed short: a REST update has another one.
  #takeOver = new AbortController();
  #update: CallUpdate | undefined;

  constructor(options: VerbFollowerOptions) {
    this.#options = options;
  }

  /** Whatever runs is cut off, a stream included, and the call goes on with the update. */
  update(update: CallUpdate): void {
    this.#update = update;
    this.#takeOver.abort();
    this.#options.call.line.stream?.stop();
  }

  /** The document at a URL, unless the call moves on first. */
  fetch(url: URL, ask: Omit<Ask, 'signal'>): Promise<TwimlDocument | undefined> {
    return this.#options.requests.twiml(url, { ...ask, signal: this.#signal() });
  }

  /** Carries out document after document until nothing more is said. */
  async follow(first: TwimlDocument | undefined): Promise<void> {
    let document = first;
    let base = this.#options.origin.resolve('/').href;
    for (let i = 0; !this.#options.call.over.aborted && (document || this.#update); i++) {
      if (i === MAX_DOCUMENTS) return this.#options.warn(11215, 'too many redirects');
      base = document?.url ?? base;
      if (this.#update) document = await this.#takeUpdate(base);
      else if (document) document = await this.#carryOutAll(document, i === 0);
    }
  }

  /** Carries out one document; returns the next one, or nothing when it leads nowhere. */
  async #carryOutAll(document: TwimlDocument, first: boolean): Promise<TwimlDocument | undefined> {
    const { call } = this.#options;
    const scene = this.#scene(document.url);
    for (const [i, verb] of document.verbs.entries()) {
      if (scene.over) return undefined;
      const followed = { ...verb, about: aboutVerb(verb) };
      this.verbs.push(followed);
      call.feed.emit('verb', followed);
      if (verb.name === 'Hangup') return undefined;
      if (verb.name === 'Reject') {
        // Only as the very first verb: a call that was answered is merely hung up.
        if (first && i === 0) this.#options.rejected(verb.attributes['reason'] === 'busy' ? 'busy' : 'no-answer');
        return undefined;
      }
      const next = await carryOut(scene, verb, document.url, call);
      if (next) return scene.over ? undefined : this.#goTo(scene, next);
    }
    return undefined;
  }

  async #goTo(scene: VerbScene, { target, params, method }: NextAsk): Promise<TwimlDocument | undefined> {
    const url = scene.url(target);
    return url && this.fetch(url, { params, ...(method ? { method } : {}) });
  }

  async #takeUpdate(base: string): Promise<TwimlDocument | undefined> {
    const update = this.#update;
    this.#update = undefined;
    this.#takeOver = new AbortController();
    if (!update) return undefined;
    const { requests, origin } = this.#options;
    if ('twiml' in update) return requests.read(update.twiml, 'text/xml', base);
    const { url, method } = update;
    return this.fetch(origin.resolve(url, base), method ? { method } : {});
  }

  #signal(): AbortSignal {
    return AbortSignal.any([this.#options.call.over, this.#takeOver.signal]);
  }

  #scene(base: string): VerbScene {
    const { call, requests, origin } = this.#options;
    const { options, clock, line, feed } = call;
    return new VerbScene({
      ...{ clock, line, feed, requests, origin, base },
      pace: options.verbPace ?? Number.POSITIVE_INFINITY,
      signal: this.#signal(),
      later: (work) => this.#options.later(work),
      warn: (code, reason) => this.#options.warn(code, reason),
    });
  }
}
