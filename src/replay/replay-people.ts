// The people whom replayed calls reach: who answers as the caller file says, on a double of the carrier's REST API beside
// the server, and which of its calls and messages belong to which replayed call.
import type { PersonScript } from '../phone/person-script.ts';
import type { PhoneCall } from '../phone/phone.ts';
import type { PhoneResult } from '../phone/phone-result.ts';
import { TwilioApi } from '../phone/twilio-api.ts';
import type { DialOutcome, DialStatus } from '../phone/verb-dial.ts';
import type { PersonYaml } from './caller-schema.ts';
import type { ResultMessage, ResultTransfer } from './call-result.ts';

/** Stands for every number that is not listed. */
export const ANYBODY = 'any';

const OUTCOMES: Record<string, ResultTransfer['outcome']> = {
  busy: 'busy',
  'no-answer': 'no_answer',
  failed: 'failed',
  canceled: 'canceled',
};

/** What the person of a file does, for a call that the API makes. */
export function scriptOf(people: readonly PersonYaml[], to: string): PersonScript | undefined {
  const person = personOf(people, to);
  if (!person) return undefined;
  const { answers, after, presses, press_after: pressAfter, hangs_up: hangsUp, talk } = person;
  return {
    ...(answers === undefined ? {} : { answers: answers === true ? 'yes' : answers === false ? 'no_answer' : answers }),
    ...(after === undefined ? {} : { ringMs: after * 1000 }),
    ...(presses === undefined ? {} : { presses }),
    ...(pressAfter === undefined ? {} : { pressAfterMs: pressAfter * 1000 }),
    ...(hangsUp === undefined ? {} : { hangsUp }),
    ...(talk === undefined ? {} : { talkMs: talk * 1000 }),
  };
}

/** The same for a Dial of the caller's own call. */
export function dialOutcome(people: readonly PersonYaml[], to: string): DialOutcome {
  const { answers = 'yes', ringMs, talkMs } = scriptOf(people, to) ?? {};
  const status: DialStatus = answers === 'yes' ? 'completed' : answers === 'no_answer' ? 'no-answer' : answers;
  return { status, ...(ringMs === undefined ? {} : { ringMs }), ...(talkMs === undefined ? {} : { talkMs }) };
}

const personOf = (people: readonly PersonYaml[], to: string): PersonYaml | undefined =>
  people.find((person) => person.to === to) ?? people.find((person) => person.to === ANYBODY);

/** Cold transfers: each Dial of the call. */
export const dialled = ({ dials }: PhoneResult): ResultTransfer[] =>
  dials.map(({ to, status, atMs, answeredAtMs, endMs }) => ({
    to,
    outcome: OUTCOMES[status] ?? 'answered',
    atMs: Math.round(atMs),
    talkedMs: answeredAtMs === undefined ? 0 : Math.round(endMs - answeredAtMs),
  }));

/** What one replayed call reached beside its own line. */
export interface Reached {
  transfers: ResultTransfer[];
  messages: ResultMessage[];
}

/** The double of one server, and whose people answer there. Owns the double. */
export class ReplayPeople {
  readonly accountSid: string;
  readonly authToken: string;
  readonly #api: TwilioApi;
  readonly #live = new Map<PhoneCall, readonly PersonYaml[]>();
  // Who was up when the nth call to a person was made.
  readonly #upAt: PhoneCall[][] = [];

  constructor(accountSid: string, authToken: string) {
    this.accountSid = accountSid;
    this.authToken = authToken;
    this.#api = new TwilioApi({ accountSid, authToken, people: (to) => this.#answer(to) });
  }

  listen(): Promise<void> {
    return this.#api.listen();
  }

  /** `TWILIO_API_BASE_URL` of the server. */
  get origin(): string {
    return this.#api.origin;
  }

  /** A call that was placed, with the people of its file. */
  add(call: PhoneCall, people: readonly PersonYaml[]): void {
    this.#api.register(call);
    this.#live.set(call, people);
  }

  /** The call is over; resolves when those that it reached have hung up, too. */
  async reachedBy(call: PhoneCall, result: PhoneResult, fromMs: number, toMs: number): Promise<Reached> {
    const own = this.#api.people.filter(({ callSid }, i) => this.#isOf(call, result, callSid, this.#upAt[i] ?? []));
    this.#live.delete(call);
    const legs = await Promise.all(own.map(({ ended }) => ended));
    const warm = legs.map((leg): ResultTransfer => {
      const met = leg.stays.flatMap(({ with: others }) => others.filter(({ callSid }) => callSid === call.callSid));
      const talkedMs = Math.round(met.reduce((sum, one) => sum + one.toMs - one.fromMs, 0));
      const outcome = OUTCOMES[leg.callStatus] ?? (met.length > 0 ? 'answered' : 'refused');
      return { to: leg.to, outcome, atMs: Math.round(leg.madeMs - call.zeroMs), talkedMs };
    });
    const messages = this.#api.messages.filter(
      ({ atMs, to }) => atMs >= fromMs && atMs <= toMs && this.#mayBeOf(call, to),
    );
    return {
      transfers: [...dialled(result), ...warm].toSorted((a, b) => a.atMs - b.atMs),
      messages: messages.map(({ to, from, body }) => ({ to, from, text: body })),
    };
  }

  close(): Promise<void> {
    return this.#api.close();
  }

  /** The people of whoever is up and has that number; of several callers the latest. */
  #answer(to: string): PersonScript {
    const up = [...this.#live].toReversed();
    this.#upAt.push(up.map(([call]) => call));
    for (const [, people] of up) {
      const script = scriptOf(people, to);
      if (script) return script;
    }
    return {};
  }

  /** Whoever met the caller is the caller's; of the others nobody can tell but by who was up when they were called. */
  #isOf(call: PhoneCall, { stays }: PhoneResult, callSid: string, up: readonly PhoneCall[]): boolean {
    if (stays.some((stay) => stay.with.some((other) => other.callSid === callSid))) return true;
    const metSomebody = this.#api.conferences.all.some(({ met }) => met.has(callSid) && met.size > 1);
    return !metSomebody && up.includes(call);
  }

  /** A message to one of the callers is about that call. */
  #mayBeOf(call: PhoneCall, to: string): boolean {
    const others = [...this.#live.keys()].filter((one) => one !== call);
    return call.identity.from === to || !others.some(({ identity }) => identity.from === to);
  }
}
