// Fills what an agent's declarations take from the environment, once, when its sources are opened. It notes everything that is
// missing, so that all of it is told at once, and which values are secrets, so that nobody repeats them.
import { parseTemplate } from './template.ts';
import type { Filled } from './template.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** Shorter values are words such as `demo` or `8080`: to look for them everywhere would censor what is no secret. */
const MIN_SECRET_CHARS = 6;

export class Environment {
  readonly #env: Env;
  readonly #missing: { name: string; at: string }[] = [];
  readonly #secrets = new Set<string>();
  readonly #wrong: string[] = [];

  constructor(env: Env) {
    this.#env = env;
  }

  /** A template with its environment in. What is missing is noted under `at` and stays empty. */
  fill(template: string, at: string): Filled {
    return parseTemplate(template).map((part) =>
      'env' in part ? { text: this.#value(part.env, part.otherwise, at) } : part,
    );
  }

  /** A text whose only holes come from the environment. */
  text(template: string, at: string): string {
    return this.fill(template, at)
      .map((part) => ('text' in part ? part.text : `{${part.argument}}`))
      .join('');
  }

  /** The same for a value that nobody may see: all of it, and what of it came from the environment. */
  secret(template: string, at: string): string {
    const value = this.text(template, at);
    const own = parseTemplate(template).flatMap((part) =>
      'env' in part ? [this.#env[part.env]?.trim() || (part.otherwise ?? '')] : [],
    );
    for (const secret of [value, ...own]) if (secret.length >= MIN_SECRET_CHARS) this.#secrets.add(secret);
    return value;
  }

  /** Something else is wrong with a value that came from here. The value itself is never told. */
  fault(sentence: string): void {
    this.#wrong.push(sentence);
  }

  /** What is missing or wrong, one sentence each, in the order of the file. */
  get faults(): string[] {
    const wanted = new Map<string, string>();
    for (const { name, at } of this.#missing) if (!wanted.has(name)) wanted.set(name, at);
    const missing = [...wanted].map(
      ([name, at]) => `${at}: expected ${name} in the environment, or a default: \${${name}:-…}`,
    );
    return [...missing, ...this.#wrong];
  }

  /** Values that must stand in no failure and no log line. */
  get secrets(): ReadonlySet<string> {
    return this.#secrets;
  }

  /** As a shell does it, an empty value counts as none. Ends of lines come along with secrets that are read from files. */
  #value(name: string, otherwise: string | null, at: string): string {
    const value = this.#env[name]?.trim();
    if (value) return value;
    if (otherwise === null) this.#missing.push({ name, at });
    return otherwise ?? '';
  }
}
