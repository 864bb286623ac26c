// The registry of nodes and the heartbeat that keeps a node in it.
import { expect, test } from 'vitest';
import { HEARTBEAT_MS, keepRegistered } from '../../src/coordination/heartbeat.ts';
import { InProcessNodes, MAX_NODES } from '../../src/coordination/in-process/nodes.ts';
import { NODE_LIFE_MS, type NodeRegistry } from '../../src/coordination/port.ts';
import { FakeClock } from '../support/fake-clock.ts';

const facts = (nodeId: string) => ({
  nodeId,
  publicUrl: 'https://calls.example.com',
  version: '1.0.0',
  startedWallMs: 5,
});
const idle = { live: 0, draining: false };
/** Everything that waits for nothing but promises has happened. */
const settled = () => new Promise(setImmediate);

test('lists who registered, with what was said last', () => {
  const nodes = new InProcessNodes(new FakeClock());
  nodes.register(facts('a'), idle);
  nodes.register(facts('b'), idle);
  expect(nodes.heartbeat('a', { live: 3, draining: true })).toBe(true);
  expect(nodes.list()).toEqual([
    { ...facts('a'), live: 3, draining: true },
    { ...facts('b'), ...idle },
  ]);
});

test('a node that is silent too long is gone, and has to register again', () => {
  const clock = new FakeClock();
  const nodes = new InProcessNodes(clock);
  nodes.register(facts('a'), idle);
  nodes.register(facts('b'), idle);
  clock.advance(NODE_LIFE_MS);
  nodes.heartbeat('b', idle);
  clock.advance(1);
  expect(nodes.list().map(({ nodeId }) => nodeId)).toEqual(['b']);
  expect(nodes.heartbeat('a', idle)).toBe(false);
});

test('a node that leaves is gone at once', () => {
  const nodes = new InProcessNodes(new FakeClock());
  nodes.register(facts('a'), idle);
  nodes.leave('a');
  expect(nodes.list()).toEqual([]);
});

test('nodes are bounded', () => {
  const nodes = new InProcessNodes(new FakeClock());
  for (let i = 0; i <= MAX_NODES; i++) nodes.register(facts(`${i}`), idle);
  expect(nodes.list()).toHaveLength(MAX_NODES);
  expect(nodes.list()[0]?.nodeId).toBe('1');
});

test('the heartbeat keeps a node in the registry with its load of that moment, and takes it out at the end', async () => {
  const clock = new FakeClock();
  const nodes = new InProcessNodes(clock);
  const load = { live: 0, draining: false };
  const stop = keepRegistered({ nodes, facts: facts('a'), load: () => ({ ...load }), clock, fault: throwIt });
  await settled();
  load.live = 7;
  for (let i = 0; i < 10; i++) {
    clock.advance(HEARTBEAT_MS);
    await settled();
  }
  expect(nodes.list()).toEqual([{ ...facts('a'), live: 7, draining: false }]);
  await stop();
  expect(nodes.list()).toEqual([]);
  expect(clock.pending).toBe(0);
});

test('the heartbeat registers again a node that the registry has lost', async () => {
  const clock = new FakeClock();
  const nodes = new InProcessNodes(clock);
  const stop = keepRegistered({ nodes, facts: facts('a'), load: () => idle, clock, fault: throwIt });
  await settled();
  nodes.leave('a');
  clock.advance(HEARTBEAT_MS);
  await settled();
  expect(nodes.list()).toHaveLength(1);
  await stop();
});

test('a registry that cannot be reached is told of, and tried again', async () => {
  const clock = new FakeClock();
  const nodes = new InProcessNodes(clock);
  let reachable = false;
  const far: NodeRegistry = {
    register: async (...given) => (reachable ? nodes.register(...given) : Promise.reject(new Error('unreachable'))),
    heartbeat: async (...given) => (reachable ? nodes.heartbeat(...given) : Promise.reject(new Error('unreachable'))),
    leave: async (nodeId) => nodes.leave(nodeId),
    list: () => nodes.list(),
  };
  const faults: unknown[] = [];
  const stop = keepRegistered({ nodes: far, facts: facts('a'), load: () => idle, clock, fault: (e) => faults.push(e) });
  await settled();
  expect(faults).toHaveLength(1);
  reachable = true;
  clock.advance(HEARTBEAT_MS);
  await settled();
  expect(nodes.list()).toHaveLength(1);
  expect(faults).toHaveLength(1);
  await stop();
});

test('stopping while a beat is under way leaves nothing behind', async () => {
  const clock = new FakeClock();
  const nodes = new InProcessNodes(clock);
  const registered = Promise.withResolvers<void>();
  const slow: NodeRegistry = {
    register: async (...given) => {
      await registered.promise;
      nodes.register(...given);
    },
    heartbeat: (...given) => nodes.heartbeat(...given),
    leave: (nodeId) => nodes.leave(nodeId),
    list: () => nodes.list(),
  };
  const stop = keepRegistered({ nodes: slow, facts: facts('a'), load: () => idle, clock, fault: throwIt });
  const stopped = stop();
  registered.resolve();
  await stopped;
  expect(nodes.list()).toEqual([]);
  expect(clock.pending).toBe(0);
});

function throwIt(error: unknown): never {
  throw error;
}
