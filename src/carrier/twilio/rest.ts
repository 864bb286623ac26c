// Orders by Twilio's REST API: about a live call (send it to other TwiML, or end it), and to people (call them, send them a
// text). Every try is bounded and nothing is ever thrown.
// Facts: Twilio's "Call resource", "Message resource" and error 20429, as of 2026-11.
import type { CarrierControl, ControlOutcome } from '../carrier.ts';
import type { TwilioCounters } from './counters.ts';
import { isCallSid } from './incoming.ts';
import type { MediaLog } from './media-socket.ts';
import { parsePublicUrl } from './public-url.ts';
import { explainRefusal } from './rest-refusals.ts';
import { type RestAccount, type RestAnswer, restClient, type RestRequest } from './rest-request.ts';
import { forCall, loadTwiml, MAX_RING_SECONDS, twimlUrls } from './twiml.ts';

export interface TwilioControlOptions extends RestAccount {
  /** The origin that Twilio reaches. */
  publicUrl: string;
  log: Pick<MediaLog, 'warn'>;
  counters: Pick<TwilioCounters, 'ordered'>;
}

/** Documented for `Twiml` when a call is created, and taken to hold for updates. */
const MAX_TWIML_LENGTH = 4_000;
/** Documented for `Body`. */
const MAX_TEXT_LENGTH = 1_600;
/** "Call is not in-progress. Cannot redirect." */
const NOT_IN_PROGRESS = 21220;

/** Orders under one account. @throws TrunklineError TRK_CONFIG for a bad URL or TwiML document */
export function twilioControl(options: TwilioControlOptions): CarrierControl {
  const urls = twimlUrls(parsePublicUrl(options.publicUrl));
  const twiml = loadTwiml(urls);
  const request = restClient(options);
  const { counters, log } = options;

  const settle = (order: string, outcome: string, answer: RestAnswer, why?: string): void => {
    counters.ordered(order, outcome);
    const { status, code, failure, tries } = answer;
    if (outcome === 'done' || outcome === 'gone' || outcome === 'placed' || outcome === 'sent') return;
    const fields = { order, ...(why === undefined ? {} : { why }), status, code, failure, tries };
    log.warn(fields, 'Twilio did not take an order');
  };

  /** About a live call: may be repeated, since twice is as good as once. */
  const update = async (
    order: string,
    ask: RestRequest['ask'],
    unwanted: AbortSignal | undefined,
  ): Promise<ControlOutcome> => {
    const answer = await request({ ask, again: 'lost', unwanted });
    // Whoever gave the order has changed their mind: neither a success nor a failure of anybody.
    if (answer === null) return 'failed';
    const outcome = outcomeOf(answer);
    settle(order, outcome, answer);
    return outcome;
  };

  /** To a person: never repeated where it may have been carried out. */
  const make = async <Made extends string>(order: string, made: Made, ask: RestRequest['ask']) => {
    const answer = (await request({ ask, again: 'unheard' })) as RestAnswer;
    if (answer.sid !== null) {
      settle(order, made, answer);
      return { outcome: made, sid: answer.sid };
    }
    const refusal = explainRefusal(answer);
    settle(order, refusal.outcome, answer, refusal.why);
    return refusal;
  };

  return {
    redirect(carrierCallId, next, unwanted) {
      const document = twiml.next(next);
      // A document that is too long is asked for by Twilio itself, as after the media: what follows was stored before.
      const change = document.length <= MAX_TWIML_LENGTH ? { twiml: document } : { url: urls.next, method: 'POST' };
      const ask: RestRequest['ask'] = ({ calls }) => calls(encodeURIComponent(carrierCallId)).update(change);
      return update('redirect', ask, unwanted);
    },
    hangUp: (carrierCallId, unwanted) =>
      update(
        'hang_up',
        ({ calls }) => calls(encodeURIComponent(carrierCallId)).update({ status: 'completed' }),
        unwanted,
      ),
    async call({ from, to, ringSeconds, parentCallId }) {
      const person = {
        ...{ from, to, url: forCall(urls.next, parentCallId), method: 'POST' },
        ...{ statusCallback: forCall(urls.status, parentCallId), statusCallbackMethod: 'POST' },
        // `completed` stands for every end, also that of a call which nobody answered.
        statusCallbackEvent: ['answered', 'completed'],
        timeout: Math.min(Math.max(1, Math.ceil(ringSeconds)), MAX_RING_SECONDS),
      };
      const placed = await make('call', 'placed', async ({ calls }) => {
        const made = await calls.create(person);
        if (!isCallSid(made.sid)) throw new Error('no CallSid');
        return made;
      });
      return 'sid' in placed ? { outcome: placed.outcome, carrierCallId: placed.sid } : placed;
    },
    async message({ from, to, text }) {
      // Cut between characters, not inside one.
      const body = text.slice(0, MAX_TEXT_LENGTH).replace(/[\ud800-\udbff]$/, '');
      const sent = await make('message', 'sent', ({ messages }) => messages.create({ from, to, body }));
      return 'sid' in sent ? { outcome: sent.outcome } : sent;
    },
  };
}

function outcomeOf({ status, code }: RestAnswer): ControlOutcome {
  if (status >= 200 && status < 300) return 'done';
  return status === 404 || code === NOT_IN_PROGRESS ? 'gone' : 'failed';
}
