// What TLS to the model needs for one bench: a throw-away authority, its file for the subjects, its certificate for the
// model's end. Owns the temporary folder, which is gone after `remove` and at the end of the process.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { throwAwayCa } from './throw-away-ca.ts';

export interface Trust {
  /** The authority, PEM, as NODE_EXTRA_CA_CERTS wants it. */
  caFile: string;
  certPem: string;
  keyPem: string;
}

export function makeTrust(): Trust & { remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-bench-ca-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const { caPem, certPem, keyPem } = throwAwayCa();
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, caPem);
  return {
    caFile,
    certPem,
    keyPem,
    remove() {
      process.removeListener('exit', remove);
      remove();
    },
  };
}
