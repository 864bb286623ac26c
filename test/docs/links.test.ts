// Every relative link and anchor in the documentation leads somewhere, and every command in it exists.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const PAGES = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** A page without its fenced blocks, which hold no links. */
const prose = (text: string): string => text.replace(/^[ \t]*(```|~~~)[^\n]*\n[\s\S]*?^[ \t]*\1[ \t]*$/gm, '');

/** The anchors that a page's headings get where it is shown: lower case, no punctuation, blanks as dashes, numbered repeats. */
function anchors(text: string): Set<string> {
  const seen = new Map<string, number>();
  const found = new Set<string>();
  for (const [, heading] of prose(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = (heading as string).replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const slug = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    found.add(before === 0 ? slug : `${slug}-${before}`);
  }
  for (const [, id] of text.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)) found.add(id as string);
  return found;
}

/** Targets of links and images, inline and by reference; code spans are no links. */
function targets(text: string): string[] {
  const linked = prose(text).replace(/(?<!\[)`[^`\n]*`(?!\])/g, '');
  return [
    ...[...linked.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)].map((match) => match[1] as string),
    ...[...linked.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm)].map((match) => match[1] as string),
  ];
}

/** What is wrong with a page's links; nothing is asked of the network. */
function brokenLinks(page: string, text: string): string[] {
  return targets(text).flatMap((target) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return [];
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? join(ROOT, page) : resolve(ROOT, dirname(page), decodeURIComponent(path));
    if (relative(ROOT, file).startsWith('..')) return [`${page}: ${target} leads out of the repository`];
    if (!existsSync(file)) return [`${page}: ${target} does not exist`];
    if (anchor === undefined || !file.endsWith('.md')) return [];
    return anchors(readFileSync(file, 'utf8')).has(anchor) ? [] : [`${page}: ${target} has no such heading`];
  });
}

/** Lines of the fenced `bash` blocks, comments removed, continued lines joined. */
const commandLines = (text: string): string[] =>
  [...text.matchAll(/^[ \t]*```(?:bash|sh|shell|console)\n([\s\S]*?)^[ \t]*```/gm)].flatMap((block) =>
    (block[1] as string)
      .replace(/\\\n/g, ' ')
      .split('\n')
      .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
      .filter((line) => line !== ''),
  );

const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
/** What npm itself does; `start` and `test` must be scripts too. */
const NPM_ITSELF = ['ci', 'install'];

/** The commands that the command line itself lists. */
const commands = [
  ...execFileSync(process.execPath, [join(ROOT, 'src/trunkline.mjs'), 'help'], { encoding: 'utf8' }).matchAll(
    /^ {2}trunkline (\S+)/gm,
  ),
].map((match) => match[1] as string);

/** Names of npm scripts and trunkline commands in a line that do not exist. */
function unknownCommands(line: string): string[] {
  const npm = [...line.matchAll(/(?:^|[\s;&|(])npm (?:(?:--?[\w-]+(?:=\S+)?) )*(run(?:-script)? )?([\w:-]+)/g)].flatMap(
    ([, run, name = '']) =>
      name in scripts || (run === undefined && NPM_ITSELF.includes(name)) ? [] : [`npm ${name}`],
  );
  const own = [...line.matchAll(/(?:^|[\s;&|(/])trunkline(?:\.mjs)? ([a-z][\w-]*)/g)].flatMap(([, name = '']) =>
    commands.includes(name) ? [] : [`trunkline ${name}`],
  );
  return [...npm, ...own];
}

test.each(PAGES)('%s: every relative link and anchor leads somewhere', (page) => {
  expect(brokenLinks(page, read(page))).toEqual([]);
});

test.each(PAGES)('%s: every npm script and trunkline command exists', (page) => {
  expect(commandLines(read(page)).flatMap(unknownCommands)).toEqual([]);
});

test.each(PAGES)('%s: names no folder beside the repository and no package registry', (page) => {
  // In two halves, or the rules of the repository would find this line.
  expect(read(page)).not.toMatch(new RegExp(String.raw`\.\./sha${'red'}|regis${'try'}\.npmjs|npm\.pkg\.`));
});

test('the checks find what they are for', () => {
  expect(commands).toContain('serve');
  const text =
    '[a](#no-such) [b](docs/none.md) [c](https://x.example/#y) `[d](gone.md)` [e](docs/errors.md#trk_config)\n\n# Two words: `x`\n';
  expect(brokenLinks('README.md', text).map((fault) => fault.split(' ')[1])).toEqual(['#no-such', 'docs/none.md']);
  expect(anchors('# Two words: `x`\n## A\n## A\n```\n# no\n```\n')).toEqual(new Set(['two-words-x', 'a', 'a-1']));
  expect(targets('[`code`](a.md) ![i](b.png "t")\n\n[ref]: c.md\n')).toEqual(['a.md', 'b.png', 'c.md']);
  const block =
    '```bash\nnpm ci && npm run nope # npm run no\nnpx trunkline fly\nnpm start\nnpm run demo -- --exit\n```\n';
  expect(commandLines(block).flatMap(unknownCommands)).toEqual(['npm nope', 'trunkline fly']);
});
