// The file `.env` of the folder where a command runs. Not `process.loadEnvFile`: to that, a file that may not be read does
// not exist, and a server without its keys answers real callers with the simulator.
import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { TrunklineError } from './errors.ts';

/**
 * Adds what the file sets to `env`; what `env` has already, empty or not, stays. No file is no fault.
 * @throws TrunklineError TRK_CONFIG when there is something that cannot be read
 */
export async function readEnvFile(path: string, env: NodeJS.ProcessEnv): Promise<void> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT') return;
    throw new TrunklineError(
      'TRK_CONFIG',
      `${path} cannot be read (${code}); let this user read it, or take it away and set the keys in the environment`,
      { cause },
    );
  }
  for (const [name, value] of Object.entries(parseEnv(text))) env[name] ??= value;
}
