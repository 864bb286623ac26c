// The people whom calls ring up: each hears who waits, their key decides, and what becomes of them is told to the right call.
import { expect, test } from 'vitest';
import { People } from '../../src/call/people.ts';
import type { CallStatus, CarrierControl, PlacedCall } from '../../src/carrier/carrier.ts';

const WANTED = {
  ...{ callId: 'c1', carrier: 'twilio', parentCallId: 'CA1', from: '+15550001111', to: '+15550100002' },
  ...{ say: 'Ann wants a date.', room: 'room-1', ringSeconds: 20 },
};

interface Desk {
  people: People;
  told: string[];
  hungUp: string[];
  /** What the carrier answers to each order to call, in order. */
  placed: PromiseWithResolvers<PlacedCall>[];
  failed: unknown[];
  live: Set<string>;
}

function desk(onTell: (type: string) => void = () => {}, control = true): Desk {
  const made: Omit<Desk, 'people'> = { told: [], hungUp: [], placed: [], failed: [], live: new Set(['c1', 'c2']) };
  const people = new People({
    controls: () =>
      control
        ? ({
            call: () => {
              const one = Promise.withResolvers<PlacedCall>();
              made.placed.push(one);
              return one.promise;
            },
            hangUp: async (id: string) => void made.hungUp.push(id),
          } as unknown as CarrierControl)
        : null,
    tell: (callId) =>
      made.live.has(callId)
        ? (event) => {
            made.told.push(`${callId} ${event.type}${event.type === 'person.missed' ? ` ${event.because}` : ''}`);
            onTell(event.type);
          }
        : null,
    failed: (_callId, error) => made.failed.push(error),
  });
  return { people, ...made };
}

const status = (carrierCallId: string, word: string, parentCallId = 'CA1'): CallStatus => ({
  ...{ carrierCallId, parentCallId, status: word, durationSeconds: 0, sequence: 0 },
  final: !['initiated', 'ringing', 'in-progress'].includes(word),
});

/** The carrier has answered, and everybody has heard of it. */
async function place({ placed }: Desk, carrierCallId: string): Promise<void> {
  placed.at(-1)?.resolve({ outcome: 'placed', carrierCallId });
  await settle();
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

test('rung up, hears who waits, presses 1: joins the room, and the call is told once', async () => {
  const made = desk();
  const { people, told } = made;
  people.call(WANTED);
  await place(made, 'CA9');
  expect(people.status(status('CA9', 'ringing'))).toBe(true);
  expect(people.heard('CA1', 'CA9', null)).toEqual({ do: 'ask_to_take', say: 'Ann wants a date.' });
  expect(people.heard('CA1', 'CA9', null)).toEqual({ do: 'ask_to_take', say: 'Ann wants a date.' });
  expect(people.heard('CA1', 'CA9', '1')).toEqual({ do: 'join', room: 'room-1' });
  expect(people.heard('CA1', 'CA9', '1')).toEqual({ do: 'join', room: 'room-1' });
  expect(told).toEqual(['c1 person.hears', 'c1 person.hears', 'c1 person.took']);
});

test.each([
  ['busy', 'busy'],
  ['no-answer', 'no_answer'],
  ['failed', 'failed'],
  ['canceled', 'no_answer'],
  // Answered, and hung up without a key: a machine, or somebody who would not.
  ['completed', 'declined'],
])('status %s: missed as %s, once', async (word, because) => {
  const made = desk();
  made.people.call(WANTED);
  await place(made, 'CA9');
  expect(made.people.status(status('CA9', word))).toBe(true);
  expect(made.people.status(status('CA9', word))).toBe(false);
  expect(made.told).toEqual([`c1 person.missed ${because}`]);
});

test('another key declines; the status behind it says nothing new', async () => {
  const made = desk();
  made.people.call(WANTED);
  await place(made, 'CA9');
  expect(made.people.heard('CA1', 'CA9', '5')).toEqual({ do: 'hang_up' });
  expect(made.people.status(status('CA9', 'completed'))).toBe(false);
  expect(made.told).toEqual(['c1 person.missed declined']);
});

test('took, and left: the call is told', async () => {
  const made = desk();
  made.people.call(WANTED);
  await place(made, 'CA9');
  made.people.heard('CA1', 'CA9', '1');
  made.people.status(status('CA9', 'completed'));
  expect(made.told).toEqual(['c1 person.took', 'c1 person.missed left']);
});

test('the carrier asks what they hear before it has said who was rung up', async () => {
  const made = desk();
  made.people.call(WANTED);
  expect(made.people.heard('CA1', 'CA9', null)).toMatchObject({ do: 'ask_to_take' });
  await place(made, 'CA9');
  expect(made.people.heard('CA1', 'CA9', '1')).toMatchObject({ do: 'join' });
  expect(made.people.heard('CA1', 'CA8', '1')).toBe(null);
  expect(made.people.heard('CA2', 'CA9', '1')).toBe(null);
});

test('dropped before, while and after it rings', async () => {
  const before = desk();
  before.people.call(WANTED);
  before.people.drop('c1');
  expect(before.hungUp).toEqual([]);
  await place(before, 'CA9');
  expect(before.hungUp).toEqual(['CA9']);
  const during = desk();
  during.people.call(WANTED);
  await place(during, 'CA9');
  during.people.drop('c1');
  during.people.drop('c1');
  expect(during.hungUp).toEqual(['CA9']);
  for (const { people, told } of [before, during]) {
    // Nobody waits for them: whoever answers is told nothing of a call, and neither is the call.
    people.status(status('CA9', 'completed'));
    expect(told).toEqual([]);
    expect(people.heard('CA1', 'CA9', '1')).toBe(null);
  }
});

test('answers just as the call drops them: hears that nobody waits', async () => {
  const made = desk();
  made.people.call(WANTED);
  expect(made.people.heard('CA1', 'CA9', null)).toMatchObject({ do: 'ask_to_take' });
  made.live.delete('c1');
  expect(made.people.heard('CA1', 'CA9', '1')).toMatchObject({ do: 'say_and_hang_up' });
});

test('accepts, and the call has no use for them any more: no room to wait in alone', async () => {
  const holder: { people?: People } = {};
  const made = desk((type) => {
    if (type === 'person.took') holder.people?.drop('c1');
  });
  holder.people = made.people;
  made.people.call(WANTED);
  await place(made, 'CA9');
  expect(made.people.heard('CA1', 'CA9', '1')).toMatchObject({ do: 'say_and_hang_up' });
  expect(made.hungUp).toEqual(['CA9']);
});

test('late news of the first person is not news of the second', async () => {
  const made = desk();
  made.people.call(WANTED);
  await place(made, 'CA8');
  made.people.heard('CA1', 'CA8', '7');
  made.people.call({ ...WANTED, room: 'room-2' });
  // Before the carrier has said who the second one is.
  expect(made.people.status(status('CA8', 'completed'))).toBe(false);
  expect(made.people.heard('CA1', 'CA8', '1')).toBe(null);
  await place(made, 'CA9');
  expect(made.people.heard('CA1', 'CA9', '1')).toEqual({ do: 'join', room: 'room-2' });
  expect(made.told).toEqual(['c1 person.missed declined', 'c1 person.took']);
});

test('one dropped before it was placed does not take the place of the next', async () => {
  const made = desk();
  made.people.call(WANTED);
  made.people.drop('c1');
  made.people.call({ ...WANTED, room: 'room-2' });
  made.placed[1]?.resolve({ outcome: 'placed', carrierCallId: 'CA9' });
  made.placed[0]?.resolve({ outcome: 'placed', carrierCallId: 'CA8' });
  await settle();
  expect(made.hungUp).toEqual(['CA8']);
  expect(made.people.heard('CA1', 'CA9', '1')).toEqual({ do: 'join', room: 'room-2' });
});

test.each<[string, PlacedCall | Error, string[]]>([
  ['refused', { outcome: 'refused', why: 'no such number' }, ['c1 person.missed failed']],
  ['an error', new Error('boom'), ['c1 person.missed failed']],
  ['unknown: perhaps it rings', { outcome: 'unknown', why: 'timeout' }, []],
])('the order to call comes back as %s', async (_how, answer, told) => {
  const made = desk();
  made.people.call(WANTED);
  if (answer instanceof Error) made.placed[0]?.reject(answer);
  else made.placed[0]?.resolve(answer);
  await settle();
  expect(made.told).toEqual(told);
  // It may ring all the same.
  if (told.length === 0) expect(made.people.heard('CA1', 'CA9', '1')).toMatchObject({ do: 'join' });
});

test('nobody can be rung up: the call is told, after the step that asked', async () => {
  const made = desk(() => {}, false);
  made.people.call(WANTED);
  expect(made.told).toEqual([]);
  await settle();
  expect(made.told).toEqual(['c1 person.missed unavailable']);
});

test('the call ends: one who took it stays, any other is let go', async () => {
  const took = desk();
  took.people.call(WANTED);
  await place(took, 'CA9');
  took.people.heard('CA1', 'CA9', '1');
  took.people.over('c1', 'CA1');
  expect(took.hungUp).toEqual([]);
  const rings = desk();
  rings.people.call(WANTED);
  await place(rings, 'CA9');
  rings.people.over('c1', 'CA1');
  expect(rings.hungUp).toEqual(['CA9']);
});
