// Expectations from disk: the file of `--expect`, checked as a whole before the first call is placed.
import { readFileSync } from 'node:fs';
import { checkYaml } from '../yaml/check.ts';
import { YamlSource } from '../yaml/source.ts';
import { type Expected, expectSchema, regularFault } from './expect-schema.ts';
import { fileFault, InputError } from './replay-fault.ts';

/** What a call must have been like, and where each part of that is written. */
export interface Expectation {
  expected: Expected;
  /** `file:line:column` of the value at a path of `expected`. */
  where(path: readonly PropertyKey[]): string;
}

/** @throws InputError with `file:line:column: path: what was expected (found …)` */
export function loadExpectation(path: string): Expectation {
  const source = readYaml(path);
  const expected = source.faults.length === 0 ? checkYaml(source, expectSchema) : undefined;
  if (expected) checkExpected(source, expected, []);
  if (!expected || source.faults.length > 0) throw new InputError(source.faults.join('\n'));
  return expectationIn(source, expected, []);
}

/** The expectation that stands at a path of a file that was checked. */
export function expectationIn(source: YamlSource, expected: Expected, at: readonly PropertyKey[]): Expectation {
  return { expected, where: (path) => source.where([...at, ...path]) };
}

/** What expects nothing would let every call pass, whatever it looks like: a fault of the file. */
export function checkExpected(source: YamlSource, expected: Expected, at: readonly PropertyKey[]): void {
  if (isEmpty(expected)) source.fault(at, NOTHING_EXPECTED);
  else
    for (const [key, value] of Object.entries(expected))
      if (value !== undefined && isEmpty(value)) source.fault([...at, key], NOTHING_EXPECTED);
  if (expected.tools === undefined || expected.tools === 'none') return;
  expected.tools.forEach((tool, i) => {
    if (typeof tool !== 'string') checkArguments(source, tool.arguments, [...at, 'tools', i, 'arguments'], []);
  });
}

/** Arguments may be anything that JSON can hold, so no alias that contains itself; their texts may be regular expressions. */
function checkArguments(
  source: YamlSource,
  value: unknown,
  at: readonly PropertyKey[],
  inside: readonly unknown[],
): void {
  if (typeof value === 'string') {
    const fault = regularFault(value);
    if (fault !== null) source.fault(at, `expected ${fault}`);
  } else if (inside.includes(value)) source.fault(at, 'expected a value that does not contain itself');
  else if (typeof value === 'object' && value !== null)
    for (const [key, inner] of Object.entries(value))
      checkArguments(source, inner, [...at, Array.isArray(value) ? Number(key) : key], [...inside, value]);
}

const NOTHING_EXPECTED = 'expected at least one key in it; as it is, every call would pass';

const isEmpty = (value: object | string | number | boolean): boolean =>
  typeof value === 'object' && !Array.isArray(value) && Object.values(value).every((inner) => inner === undefined);

/** @throws InputError when it cannot be read */
export function readYaml(path: string): YamlSource {
  try {
    return new YamlSource(path, path, readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new InputError(`${path}: ${fileFault(cause)}`, { cause });
  }
}
