// One end of a measurement as a process of its own: questions and answers over IPC, a few per measurement and none per
// frame. The process goes with its parent, whatever becomes of that.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** What an end can be asked, by name. */
export type Answers<Api> = { [Name in keyof Api]: (...args: never[]) => unknown };

type Question = { id: number; name: string; args: unknown[] };
type Waiting = { resolve: (value: unknown) => void; reject: (error: Error) => void };
type Reply = { id: number; value?: unknown; error?: string };

/** No question of a measurement takes longer; setting up many calls is the longest. */
const ANSWER_WITHIN_MS = 180_000;

/** The parent's side. Owns the process. */
export class EndProcess<Api extends Answers<Api>> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #kill = (): void => void this.#child.kill('SIGKILL');
  #asked = 0;
  #gone: Error | null = null;

  /** @param file the end's program, in this folder */
  constructor(file: string) {
    const path = join(import.meta.dirname, file);
    this.#child = fork(path, [], { serialization: 'advanced', execArgv: [] });
    this.#child.on('message', (reply: Reply) => this.#settle(reply));
    this.#child.once('error', (error) => this.#fail(error));
    this.#child.once('exit', (code, signal) => this.#fail(new Error(`${file} ended with ${code ?? signal}`)));
    process.once('exit', this.#kill);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  ask<Name extends keyof Api & string>(
    name: Name,
    ...args: Parameters<Api[Name]>
  ): Promise<Awaited<ReturnType<Api[Name]>>> {
    return new Promise((resolve, reject) => {
      if (this.#gone) return reject(this.#gone);
      const id = this.#asked++;
      const timer = setTimeout(() => reject(new Error(`no answer to "${name}"`)), ANSWER_WITHIN_MS);
      const settled = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      this.#waiting.set(id, {
        resolve(value) {
          settled();
          resolve(value as Awaited<ReturnType<Api[Name]>>);
        },
        reject(error) {
          settled();
          reject(error);
        },
      });
      this.#child.send({ id, name, args } satisfies Question);
    });
  }

  async stop(): Promise<void> {
    process.removeListener('exit', this.#kill);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#kill();
    await gone;
  }

  #settle({ id, value, error }: Reply): void {
    const question = this.#waiting.get(id);
    if (error === undefined) question?.resolve(value);
    else question?.reject(new Error(error));
  }

  #fail(error: Error): void {
    this.#gone ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}

/** The end's side: answers until the parent is gone. */
export function answerParent<Api extends Answers<Api>>(answers: Api): void {
  process.on('message', (question: Question) => {
    const { id, name, args } = question;
    void Promise.resolve()
      .then(() => answers[name as keyof Api](...(args as never[])))
      .then(
        (value): Reply => ({ id, value }),
        (error: unknown): Reply => ({
          id,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        }),
      )
      .then((reply) => process.connected && process.send?.(reply));
  });
  process.once('disconnect', () => process.exit());
  // Ctrl-C reaches every process of the terminal; the parent decides what it means.
  process.on('SIGINT', () => {});
}
