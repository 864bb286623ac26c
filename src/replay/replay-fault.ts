// What is wrong with a file that was given to `trunkline replay`, in words.

/** A file that cannot be used; the message has one line for each thing that is wrong with it. */
export class InputError extends Error {
  override name = 'InputError';
}

const FILE_FAULTS: Record<string, string> = {
  ENOENT: 'there is no such file',
  EISDIR: 'this is a folder; name the files in it',
  EACCES: 'it may not be read',
};

/** Why a file cannot be read. */
export function fileFault(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return FILE_FAULTS[code] ?? `it cannot be read (${code})`;
}
