// The file of `--junit`: never another file's end, and never green before the run is.
import { chmod, mkdir, open, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TrunklineError } from '../errors.ts';
import { type JunitSuite, junitXml } from './junit.ts';

/** Private, as it quotes what was said. */
const MODE = 0o600;

const OWN_STREAMS = new Map<string, NodeJS.WritableStream>([
  ['/dev/stdout', process.stdout],
  ['/dev/stderr', process.stderr],
]);

/** How a file of JUnit XML begins, whoever wrote it. */
const JUNIT = /^\ufeff?\s*(<\?xml[^>]*\?>\s*)?(<!--.*?-->\s*)*<testsuites?[\s>]/s;

/** Takes the result of a run. */
export class JunitFile {
  readonly #path: string;
  /** A device or a pipe: it gets the end alone, once, and keeps its rights. */
  readonly #stream: boolean;

  private constructor(path: string, stream: boolean) {
    this.#path = path;
    this.#stream = stream;
  }

  /**
   * @param unended what stands there until the run has ended
   * @throws TrunklineError when it cannot be written, or is a file that is no JUnit file: a recording, a caller, a script
   */
  static async open(path: string, unended: JunitSuite): Promise<JunitFile> {
    try {
      await mkdir(dirname(path), { recursive: true });
      const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        return null;
      });
      // Where a shell sends such a stream into a file, that file is the shell's.
      const stream = path.startsWith('/dev/') || (found !== null && !found.isFile() && !found.isDirectory());
      if (!stream && found?.isFile() && found.size > 0 && !JUNIT.test(await headOf(path)))
        throw new TrunklineError('TRK_CONFIG', `--junit ${path}: this file is no JUnit file, and is not overwritten`);
      const file = new JunitFile(path, stream);
      if (!stream) await file.write([unended]);
      return file;
    } catch (cause) {
      if (cause instanceof TrunklineError) throw cause;
      const { code } = cause as NodeJS.ErrnoException;
      throw new TrunklineError('TRK_CONFIG', `--junit ${path}: it cannot be written (${code})`, { cause });
    }
  }

  async write(suites: readonly JunitSuite[]): Promise<void> {
    // Opened anew, it would be written from its start again, over what the shell has there.
    const own = OWN_STREAMS.get(this.#path);
    if (own) return void own.write(junitXml(suites));
    await writeFile(this.#path, junitXml(suites), { mode: MODE, flag: this.#stream ? 'a' : 'w' });
    // An older file may have had other rights.
    if (!this.#stream) await chmod(this.#path, MODE);
  }
}

const HEAD_BYTES = 4096;

async function headOf(path: string): Promise<string> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  return buffer.toString('utf8', 0, bytesRead);
}
