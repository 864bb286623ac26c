// Which subjects a bench measures: a neighbour is installed only where one may be meant.
import { expect, test, vi } from 'vitest';
import { chosenSubjects, relay } from '../../bench/subjects.ts';

const names = (specs: readonly { name: string }[]) => specs.map(({ name }) => name);
const neighbours = () => vi.fn(() => Promise.resolve([{ ...relay, name: 'neighbour' }]));

test('our own are had without asking the registry for others', async () => {
  const load = neighbours();
  expect(names(await chosenSubjects(['trunkline', 'relay'], () => {}, load))).toEqual(['relay', 'trunkline']);
  expect(load).not.toHaveBeenCalled();
});

test('without names all are measured, the floor first', async () => {
  const all = names(await chosenSubjects(null, () => {}, neighbours()));
  expect(all).toEqual(['relay', 'trunkline', 'trunkline-bare', 'neighbour']);
});

test('a name that nobody has is refused with those there are', async () => {
  await expect(chosenSubjects(['relay', 'nobody'], () => {}, neighbours())).rejects.toThrow(
    '--subjects: there is no nobody; there are relay, trunkline, trunkline-bare, trunkline-without-books, trunkline-watched, neighbour',
  );
  expect(names(await chosenSubjects(['neighbour'], () => {}, neighbours()))).toEqual(['neighbour']);
});
