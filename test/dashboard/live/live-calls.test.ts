// The streams that pages follow: a snapshot, then what changed, without a gap for who comes back; bounded whoever comes and
// goes; and a frame of a call that nobody listens to costs nothing.
import { expect, test } from 'vitest';
import type { CallEvent } from '../../../src/call/event.ts';
import type { Onlooker } from '../../../src/call/feed.ts';
import { LiveCalls } from '../../../src/dashboard/live/live-calls.ts';
import { LiveFold } from '../../../src/dashboard/live/live-fold.ts';
import type { LiveCall, LiveEntry, LiveSnapshot } from '../../../src/dashboard/schemas/live.ts';
import { callerSays, hangUp, says } from '../../support/errand-line.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { factsOf, Reader, serverFacts, watched } from './live-line.ts';

const on = { leg: 'l1', session: 's1', epoch: 1 };

function hub(nodeId = 'node1') {
  const clock = new FakeClock();
  const live = new LiveCalls({ clock, nodeId, server: serverFacts });
  const begin = (callId: string): Onlooker => {
    const facts = factsOf();
    return live.onlooker({ ...facts, opening: { ...facts.opening, callId, atMs: clock.nowMs() } }) as Onlooker;
  };
  const says = (onlooker: Onlooker, turn: string): void => {
    const atMs = clock.nowMs();
    onlooker.stepped!({ type: 'turn.committed', turn, atMs, on }, []);
    onlooker.stepped!({ type: 'turn.transcribed', turn, text: `words of ${turn}`, atMs, on }, []);
  };
  return { clock, live, begin, says };
}

/** What a page knows after these events. */
function gridOf({ told }: Reader): Map<string, LiveCall> {
  const calls = new Map<string, LiveCall>();
  for (const { event, data } of told) {
    if (event === 'snapshot') {
      calls.clear();
      for (const call of (data as LiveSnapshot).calls) calls.set(call.callId, call);
    }
    if (event !== 'changed') continue;
    const { calls: changed, gone } = data as { calls: LiveCall[]; gone: string[] };
    for (const call of changed) calls.set(call.callId, call);
    for (const callId of gone) calls.delete(callId);
  }
  return calls;
}

function transcriptOf(readers: readonly Reader[]): LiveEntry[] {
  const entries = new Map<number, LiveEntry>();
  for (const { event, data } of readers.flatMap(({ told }) => told)) {
    if (event === 'snapshot') entries.clear();
    if (event === 'snapshot' || event === 'changed')
      for (const entry of (data as { entries: LiveEntry[] }).entries) entries.set(entry.entry, entry);
  }
  return [...entries.values()];
}

test('a snapshot, then what changes within 150 ms, then that the call is gone', () => {
  const { line, live } = watched();
  const grid = new Reader((tell) => live.followGrid(tell));
  const call = new Reader((tell) => live.followCall('call-1', tell));
  expect([grid.names, call.names]).toEqual([['snapshot'], ['snapshot']]);
  line.model.plans.push(says(1_000, ['Good', ' day']));
  line.model.speechStarted();
  line.advance(150);
  expect(gridOf(grid).get('call-1')).toMatchObject({ state: 'caller_speaking' });
  line.advance(350);
  line.model.speechStopped();
  line.advance(5_000);
  expect(gridOf(grid).get('call-1')).toEqual(live.one('call-1')?.call);
  expect(transcriptOf([call])).toEqual(live.one('call-1')?.entries);
  expect(grid.names.filter((name) => name === 'server')).toHaveLength(6);
  hangUp(line);
  line.advance(2_000);
  expect(call.names.at(-1)).toBe('gone');
  expect(gridOf(grid).size).toBe(0);
  expect(live.size).toBe(0);
});

test('what happens in between is gathered: no more than seven pieces a second', () => {
  const { clock, live, begin, says: speaks } = hub();
  const onlooker = begin('a');
  const grid = new Reader((tell) => live.followGrid(tell));
  for (let i = 0; i < 1_000; i++) {
    speaks(onlooker, `t${i}`);
    clock.advance(1);
  }
  expect(grid.names.filter((name) => name === 'changed').length).toBeLessThanOrEqual(7);
});

test('nothing is told of what has not changed', () => {
  const { clock, live, begin, says: speaks } = hub();
  const onlooker = begin('a');
  speaks(onlooker, 't1');
  const grid = new Reader((tell) => live.followGrid(tell));
  const call = new Reader((tell) => live.followCall('a', tell));
  for (let i = 0; i < 100; i++) {
    onlooker.stepped!({ type: 'leg.mark_settled', mark: 'g1.1', outcome: 'played', atMs: clock.nowMs(), on }, []);
    clock.advance(20);
  }
  expect(grid.names.filter((name) => name === 'changed')).toEqual([]);
  expect(call.names).toEqual(['snapshot']);
});

test('without followers no timer runs, and what happens meanwhile is not lost', () => {
  const { clock, live, begin, says: speaks } = hub();
  const onlooker = begin('a');
  expect(clock.pending).toBe(0);
  const first = new Reader((tell) => live.followGrid(tell));
  const ofCall = new Reader((tell) => live.followCall('a', tell));
  expect(clock.pending).toBe(1);
  speaks(onlooker, 't1');
  clock.advance(1_000);
  first.close();
  ofCall.close();
  clock.advance(1_000);
  expect(clock.pending).toBe(0);
  speaks(onlooker, 't2');
  const b = begin('b');
  void b.closed!(clock.nowMs());
  const second = new Reader((tell) => live.followGrid(tell, first.lastId));
  expect(second.told.map(({ event, data }) => [event, (data as { gone?: string[] }).gone])).toEqual([
    ['changed', ['b']],
  ]);
  expect(gridOf(second).get('a')).toEqual(live.one('a')?.call);
  const again = new Reader((tell) => live.followCall('a', tell, ofCall.lastId));
  expect(again.names).toEqual(['changed']);
  expect(transcriptOf([ofCall, again])).toEqual(live.one('a')?.entries);
  live.close();
  expect(clock.pending).toBe(0);
});

test('whoever comes back gets exactly what was missed, at whatever point the line broke', () => {
  const { clock, live, begin, says: speaks } = hub();
  const onlooker = begin('a');
  const whole = new Reader((tell) => live.followCall('a', tell));
  for (let i = 0; i < 20; i++) {
    speaks(onlooker, `t${i}`);
    clock.advance(200);
  }
  expect(whole.names).toEqual(['snapshot', ...Array.from({ length: 20 }, () => 'changed')]);
  for (const [at, { id }] of whole.told.entries()) {
    const back = new Reader((tell) => live.followCall('a', tell, id));
    expect(back.told).toEqual(whole.told.slice(at + 1));
    back.close();
  }
  // Numbers only grow.
  const numbers = whole.told.map(({ id }) => Number(id.split('.')[1]));
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  expect(new Set(numbers).size).toBe(numbers.length);
});

test.each(['', 'x', 'node1', 'node1.', 'node1.-1', 'node1.1e3', 'node1.999', 'other.3', 'node1.1.4', 'node1.NaN'])(
  'an id that means nothing here (%s) gets everything anew',
  (id) => {
    const { clock, live, begin, says: speaks } = hub();
    const onlooker = begin('a');
    const whole = new Reader((tell) => live.followGrid(tell));
    speaks(onlooker, 't');
    clock.advance(500);
    expect(whole.told.length).toBeGreaterThan(1);
    const back = new Reader((tell) => live.followGrid(tell, id));
    expect(back.names).toEqual(['snapshot']);
  },
);

test('behind more than is kept, everything is told anew', () => {
  const { clock, live, begin, says: speaks } = hub();
  const onlooker = begin('a');
  const whole = new Reader((tell) => live.followCall('a', tell));
  for (let i = 0; i < 300; i++) {
    speaks(onlooker, `t${i}`);
    clock.advance(160);
  }
  const [first] = whole.told;
  const back = new Reader((tell) => live.followCall('a', tell, first?.id));
  expect(back.names).toEqual(['snapshot']);
  const late = new Reader((tell) => live.followCall('a', tell, whole.told.at(-150)?.id));
  expect(late.told).toEqual(whole.told.slice(-149));
});

test('a page of another life of the process, and calls that nobody saw end', () => {
  const before = hub('old');
  const grid = new Reader((tell) => before.live.followGrid(tell));
  const { clock, live, begin } = hub('new');
  expect(new Reader((tell) => live.followGrid(tell, grid.lastId)).names).toEqual(['snapshot']);
  const here = new Reader((tell) => live.followGrid(tell));
  here.close();
  for (let i = 0; i < 3_000; i++) void begin(`c${i}`).closed!(clock.nowMs());
  begin('lives');
  const back = new Reader((tell) => live.followGrid(tell, here.lastId));
  // More than is remembered of them: nothing may be missing, so it begins anew.
  expect(back.names[0]).toBe('snapshot');
  expect([...gridOf(back).keys()]).toEqual(['lives']);
});

test('a hundred calls that come and go, with readers who do: nothing grows', () => {
  const { clock, live, begin, says: speaks } = hub();
  const grid = new Reader((tell) => live.followGrid(tell));
  let running: { onlooker: Onlooker; reader: Reader }[] = [];
  for (let round = 0; round < 40; round++) {
    while (running.length < 100) {
      const callId = `c${round}-${running.length}`;
      const onlooker = begin(callId);
      running.push({ onlooker, reader: new Reader((tell) => live.followCall(callId, tell)) });
    }
    for (const { onlooker } of running) speaks(onlooker, `t${round}`);
    clock.advance(400);
    for (const { onlooker, reader } of running.slice(0, 50)) {
      void onlooker.closed!(clock.nowMs());
      expect(reader.names.at(-1)).toBe('gone');
    }
    running = running.slice(50);
    grid.told.splice(0, grid.told.length - 1);
  }
  expect(live.size).toBe(50);
  expect(live.snapshot().calls).toHaveLength(50);
  expect(clock.pending).toBe(1);
  for (const { onlooker } of running) void onlooker.closed!(clock.nowMs());
  expect(live.size).toBe(0);
});

test('no more follow than there is room for; one that throws follows no more, and harms nobody', () => {
  const { clock, live, begin, says: speaks } = hub();
  const onlooker = begin('a');
  let calls = 0;
  const broken = live.followGrid(() => {
    calls += 1;
    if (calls > 1) throw new Error('broken');
  });
  expect(broken).not.toBe('gone');
  const good = new Reader((tell) => live.followGrid(tell));
  for (let i = 0; i < 3; i++) {
    speaks(onlooker, `t${i}`);
    clock.advance(200);
  }
  expect(calls).toBe(2);
  expect(good.names.filter((name) => name === 'changed')).toHaveLength(3);
  expect(live.followCall('nobody', () => {})).toBe('gone');
  const many = Array.from({ length: 300 }, () => live.followGrid(() => {}));
  expect(many.filter((one) => one === 'full').length).toBe(300 - 199);
});

// --- listening in

const frame = (payload: string): CallEvent => ({
  ...{ type: 'leg.audio', sequence: 1, timestampMs: 0, atMs: 0, on },
  chunk: { payload, bytes: 160 },
});

test('a frame of a call that nobody listens to is looked at once, and nothing is made of it', () => {
  const { begin, live } = hub();
  const onlooker = begin('a');
  const folded: unknown[] = [];
  // oxlint-disable-next-line typescript/unbound-method
  const { stepped } = LiveFold.prototype;
  LiveFold.prototype.stepped = function (...args) {
    folded.push(args);
    return stepped.apply(this, args);
  };
  try {
    // Any look at what the frame holds would be seen.
    const looked: PropertyKey[] = [];
    const event = new Proxy(frame('x') as object, {
      get(target, key) {
        looked.push(key);
        return Reflect.get(target, key) as unknown;
      },
    }) as CallEvent;
    onlooker.stepped!(event, []);
    expect(looked.filter((key) => key !== 'type' && key !== 'atMs' && key !== 'chunk')).toEqual([]);
    for (let i = 0; i < 1_000; i++) onlooker.stepped!(frame('x'), []);
    onlooker.played!(0, [{ payload: 'y', bytes: 160 }]);
    expect(folded).toEqual([]);
    expect(live.one('a')?.entries).toEqual([]);
    onlooker.stepped!({ type: 'leg.started', atMs: 0, on }, []);
    expect(folded).toHaveLength(1);
  } finally {
    LiveFold.prototype.stepped = stepped;
  }
});

test('both sides, in the time of the call; what was dropped is told', () => {
  const { line, live } = watched();
  const heard: string[] = [];
  const firstMs = new Map<string, number>();
  const stop = live.listen('call-1', {
    frame(side, atMs) {
      heard.push(side);
      if (!firstMs.has(side)) firstMs.set(side, atMs);
    },
    cleared: (atMs) => heard.push(`cleared ${Math.round(atMs)}`),
    gone: () => heard.push('gone'),
  });
  expect(stop).not.toBeNull();
  line.frame(20);
  expect(heard).toEqual(['caller']);
  expect(firstMs.get('caller')).toBe(50);
  line.model.plans.push({ ...says(3_000), thinkMs: 100 }, says(200));
  callerSays(line);
  line.advance(1_000);
  expect(firstMs.get('agent')).toBeGreaterThanOrEqual(600);
  line.model.speechStarted();
  expect(heard.at(-1)).toMatch(/^cleared 1550$/);
  stop?.();
  line.frame(40);
  expect(heard.at(-1)).toMatch(/^cleared/);
  expect(live.listen('nobody', { frame() {}, cleared() {}, gone() {} })).toBeNull();
});

test('one who throws listens no more; the others, and the call, notice nothing; at the end all are told', () => {
  const { line, live } = watched();
  let tries = 0;
  live.listen('call-1', {
    frame() {
      tries += 1;
      throw new Error('broken');
    },
    cleared() {},
    gone() {},
  });
  const heard: string[] = [];
  const sink = { frame: (side: string) => void heard.push(side), cleared() {}, gone: () => void heard.push('gone') };
  const stops = Array.from({ length: 20 }, () => live.listen('call-1', sink));
  expect(stops.filter((stop) => stop !== null)).toHaveLength(7);
  line.frame(20);
  line.frame(40);
  expect(tries).toBe(1);
  expect(heard).toHaveLength(14);
  hangUp(line);
  line.advance(2_000);
  expect(heard.filter((one) => one === 'gone')).toHaveLength(7);
  expect(line.faults).toEqual([]);
});
