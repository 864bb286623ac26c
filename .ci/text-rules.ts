// Rules that a file's text alone can break: reaching outside the repository, and starting without a comment.

// In two halves, or the rule would find itself.
const FOREIGN = 'sha' + 'red';

/** Two dots and the folder, joined by slashes or as arguments of a path function; or the folder's absolute place. */
const OUTSIDE = new RegExp(String.raw`(?:(?<!\.)\.\.(?!\.)|/work)['"\x60,\s\\/]+${FOREIGN}\b`);

/** Lines that name the folder beside the repository, which users do not have. */
export function outsidePaths(path: string, text: string): string[] {
  if (!text.includes(FOREIGN)) return [];
  return text
    .split('\n')
    .flatMap((line, index) => (OUTSIDE.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : []));
}

/** A source file starts with what it owns and where it stands; a script's `#!` line may come before. */
export function missingOpening(path: string, text: string): string[] {
  const first = text.replace(/^#!.*\n/, '');
  return /^(?:\/\/|\/\*|#)/.test(first) ? [] : [`${path}: the first line says nothing about the file`];
}
