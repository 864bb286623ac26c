// Reads a Dockerfile and a .dockerignore, as far as ours go. What it does not know is an error, never skipped.

/** One instruction, continuation lines joined. */
export interface Instruction {
  /** In capitals: `RUN`. */
  word: string;
  /** `--from=build` and the like, before the arguments. */
  flags: Readonly<Record<string, string>>;
  /** Everything after the word and its flags. */
  rest: string;
  /** Line of the word, from 1. */
  line: number;
}

/** One `FROM` and what follows it. */
export interface Stage {
  name: string;
  base: string;
  instructions: Instruction[];
}

/** The stages in order; the last one is the image. */
export function parseDockerfile(text: string): Stage[] {
  const stages: Stage[] = [];
  for (const instruction of instructionsOf(text)) {
    if (instruction.word === 'FROM') {
      const [base = '', , name] = instruction.rest.split(/\s+/);
      stages.push({ base, name: name ?? String(stages.length), instructions: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (stage === undefined) throw new Error(`Dockerfile:${instruction.line}: ${instruction.word} before FROM`);
    stage.instructions.push(instruction);
  }
  return stages;
}

/** The words of an exec form (`["node", "x"]`). The shell form would put a shell between the engine and SIGTERM. */
export function execForm(text: string): string[] {
  const words: unknown = text.startsWith('[') ? JSON.parse(text) : null;
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) {
    throw new Error(`not in exec form: ${text}`);
  }
  return words;
}

/** `A=1 B=2` of an ENV line. */
export const envPairs = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/(\w+)=(?:"([^"]*)"|(\S*))/g)].map((pair) => [pair[1], pair[2] ?? pair[3]]));

/** A test for "does this path, relative to the context, reach the engine?" The last pattern that matches decides. */
export function dockerIgnore(text: string): (path: string) => boolean {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ keep: line.startsWith('!'), pattern: patternOf(line.replace(/^!/, '')) }));
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.keep ?? true;
}

/** A pattern matches a path and everything below it; `*` stays within one folder, `**` does not. */
function patternOf(glob: string): RegExp {
  const source = glob
    .replace(/^\/|\/$/g, '')
    .replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replace(/\*\*\/|\*\*|\*|\?/g, (wild) => WILD[wild] ?? wild);
  return new RegExp(`^${source}(?:/.*)?$`);
}

const WILD: Record<string, string> = { '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' };

function* instructionsOf(text: string): Generator<Instruction> {
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1;
    let joined = (lines[at] ?? '').trim();
    if (joined === '' || joined.startsWith('#')) continue;
    while (joined.endsWith('\\')) joined = `${joined.slice(0, -1).trim()} ${(lines[++at] ?? '').trim()}`.trim();
    const [, word = '', flagText = '', rest = ''] = /^(\w+)\s+((?:--\S+\s+)*)(.*)$/.exec(joined) ?? [];
    if (word === '') throw new Error(`Dockerfile:${line}: cannot read "${joined}"`);
    const flags = Object.fromEntries([...flagText.matchAll(/--([\w-]+)=(\S+)/g)].map((flag) => [flag[1], flag[2]]));
    yield { word: word.toUpperCase(), flags, rest, line };
  }
}
