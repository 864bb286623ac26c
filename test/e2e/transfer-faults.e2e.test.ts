// Warm transfer while the carrier's REST API fails: nobody is rung up twice, caller and person are not torn apart by an order
// that is repeated, and the caller is never left in silence.
import { describe, expect, test, vi } from 'vitest';
import type { ApiFaults, ApiRefusal, ApiRequest } from '../../src/phone/twilio-api.ts';
import type { PhoneResult } from '../../src/phone/phone-result.ts';
import type { Script } from '../../src/simulator/script.ts';
import { withE2e } from '../support/e2e.ts';
import {
  asksFirst,
  calls,
  DESK,
  errandAgent,
  farewell,
  madeCalls,
  ordersAbout,
  outputsOf,
  says,
  speaksAfter,
  stagesOf,
  target,
  verbsOf,
} from '../support/errands.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

const PACE = 5;
const PLACING = /^POST .*\/Calls\.json$/;
const MOVING = /^POST .*\/Calls\/CA\w+\.json$/;

const agent = errandAgent({ transfer: { reception: target('warm', DESK, 20) } });
const script: Script = {
  fallback: farewell,
  turns: [calls('transfer_to', { target: 'reception' }, 300), farewell],
  afterTool: { transfer_to: says(600) },
  outOfBand: { items: [{ text: 'A caller.' }] },
};
const people = () => ({ ringMs: 1_000, presses: '1', talkMs: Number.POSITIVE_INFINITY });

const TOO_MANY: ApiRefusal = { status: 429, code: 20429, message: 'Too Many Requests' };
const BROKEN: ApiRefusal = { status: 500, code: 20500, message: 'Internal Server Error' };

/** Refuses the first requests that fit. */
function refusing(what: RegExp, refusal: ApiRefusal, times: number) {
  let left = times;
  return ({ method, path }: ApiRequest) => (what.test(`${method} ${path}`) && left-- > 0 ? refusal : undefined);
}

/** The longest that the caller heard nothing, between the first sound and the end of this stream. */
function longestSilenceMs({ heard, streams }: PhoneResult): number {
  const [{ toMs } = { toMs: 0 }] = streams;
  const ends = heard.filter(({ atMs }) => atMs < toMs);
  const gaps = ends.map(({ atMs, durationMs }, i) => (ends[i + 1]?.atMs ?? toMs) - atMs - durationMs);
  return Math.max(...gaps);
}

describe.concurrent('the order to ring a person up', () => {
  test('is repeated when the API had too much to do', { timeout: 40_000 }, () =>
    withE2e(
      { agent, simulator: { script }, rest: { pace: PACE, people, refuse: refusing(PLACING, TOO_MANY, 2) } },
      async (e2e) => {
        const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
        await phone.once('together');
        phone.hangUp();
        await phone.ended;
        expect(madeCalls(e2e).map(({ status }) => status)).toEqual([429, 429, 201]);
        expect(e2e.api.people).toHaveLength(1);
      },
    ),
  );

  test.for<{ what: string; faults: ApiFaults }>([
    { what: 'whose answer was lost', faults: { lost: 1, for: PLACING } },
    { what: 'whose answer came too late', faults: { slow: 1, slowMs: 3_400, for: PLACING } },
  ])('$what rings once, and the person is met all the same', { timeout: 40_000 }, ({ faults }) =>
    withE2e({ agent, simulator: { script }, rest: { pace: PACE, people, faults } }, async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
      await phone.once('together', { withinMs: 15_000 });
      phone.hangUp();
      const result = await phone.ended;
      expect(madeCalls(e2e)).toHaveLength(1);
      expect(e2e.api.people).toHaveLength(1);
      expect(result.stays).toMatchObject([{ with: [{ party: DESK }] }]);
      expect(longestSilenceMs(result)).toBeLessThan(5_600);
    }),
  );

  test.for<{ what: string; faults?: ApiFaults; refuse?: ApiRefusal }>([
    { what: 'that broke in the API', refuse: BROKEN },
    { what: 'that is never answered', faults: { hang: 1, for: PLACING } },
  ])('$what is not given twice, and the caller is not left in silence', { timeout: 40_000 }, ({ faults, refuse }) => {
    const rest = {
      ...(faults ? { faults } : {}),
      ...(refuse ? { refuse: refusing(PLACING, refuse, Number.POSITIVE_INFINITY) } : {}),
    };
    return withE2e({ agent, simulator: { script }, rest: { pace: PACE, people, ...rest } }, async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE, maxMs: 12_000 });
      const result = await phone.ended;
      expect(madeCalls(e2e)).toHaveLength(1);
      expect(e2e.api.people).toHaveLength(0);
      expect(longestSilenceMs(result)).toBeLessThan(5_600);
      expect((await e2e.record(phone.callSid)).end.reason).toBe('caller_hung_up');
    });
  });

  test('that the account may not give is told as such', { timeout: 40_000 }, () => {
    const refuse = refusing(PLACING, { status: 400, code: 21215, message: 'Geo permission' }, 9);
    return withE2e({ agent, simulator: { script }, rest: { pace: PACE, people, refuse } }, async (e2e) => {
      const phone = e2e.call({ ...asksFirst(speaksAfter(800)), verbPace: PACE });
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(stagesOf(record)).toEqual(['reception begun: warm', 'reception missed: failed: country_not_allowed']);
      expect(outputsOf(await e2e.session())[0]).toContain('could not be reached');
      expect(madeCalls(e2e)).toHaveLength(1);
      expect(verbsOf(result)).toEqual(['Connect', 'Hangup']);
    });
  });
});

describe.concurrent('the order to bring the caller to the person', () => {
  test.for([
    { what: 'too many requests', refusal: TOO_MANY },
    { what: 'a fault of the API', refusal: BROKEN },
  ])('is repeated: $what', { timeout: 40_000 }, ({ refusal }) =>
    withE2e(
      { agent, simulator: { script }, rest: { pace: PACE, people, refuse: refusing(MOVING, refusal, 1) } },
      async (e2e) => {
        const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
        await phone.once('together', { withinMs: 15_000 });
        phone.hangUp();
        const result = await phone.ended;
        expect(verbsOf(result)).toEqual(['Connect', 'Dial']);
        expect(ordersAbout(e2e, phone)).toEqual(['redirect', 'redirect']);
      },
    ),
  );

  test('that was carried out is not given again, though its answer was lost', { timeout: 40_000 }, () =>
    withE2e(
      { agent, simulator: { script }, rest: { pace: PACE, people, faults: { lost: 1, for: MOVING } } },
      async (e2e) => {
        const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
        await phone.once('together', { withinMs: 15_000 });
        const record = await e2e.record(phone.callSid).catch(() => e2e.record(phone.callSid));
        phone.hangUp();
        const result = await phone.ended;
        expect(result.stays).toHaveLength(1);
        expect(verbsOf(result)).toEqual(['Connect', 'Dial']);
        expect(ordersAbout(e2e, phone)).toEqual(['redirect']);
        expect(record.end.reason).toBe('transferred');
        expect(stagesOf(record)).toEqual(['reception begun: warm', 'reception taken']);
      },
    ),
  );

  test.for<{ what: string; faults?: ApiFaults; refuse?: ApiRefusal }>([
    { what: 'is never answered', faults: { hang: 1, for: MOVING } },
    { what: 'is refused for good', refuse: { status: 400, code: 20001, message: 'No' } },
  ])('$what: the caller gets there by the end of the media', { timeout: 40_000 }, ({ faults, refuse }) => {
    const rest = {
      ...(faults ? { faults } : {}),
      ...(refuse ? { refuse: refusing(MOVING, refuse, Number.POSITIVE_INFINITY) } : {}),
    };
    return withE2e({ agent, simulator: { script }, rest: { pace: PACE, people, ...rest } }, async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
      await phone.once('together', { withinMs: 15_000 });
      phone.hangUp();
      const result = await phone.ended;
      expect(verbsOf(result)).toEqual(['Connect', 'Dial']);
      expect(result.stays).toMatchObject([{ with: [{ party: DESK }] }]);
      expect(longestSilenceMs(result)).toBeLessThan(5_600);
    });
  });
});
