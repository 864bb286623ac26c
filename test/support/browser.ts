// A real Chromium for tests of the page: found on the machine, one for a file of tests, a fresh context for each test. Whatever
// the page complains of (console errors, refusals by the content security policy, exceptions, dialogs) fails the test.
// Functions given to `page.evaluate` run in the browser; write them as strings where they need the DOM's types.
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';

const CANDIDATES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
];

/** Where Chromium is; null: nowhere. `CHROMIUM` names another. */
export const CHROMIUM: string | null =
  [process.env['CHROMIUM'] ?? '', ...CANDIDATES].find((path) => path !== '' && existsSync(path)) ?? null;

const required = process.env['CI'] === 'true';
if (CHROMIUM === null && !required)
  console.log(
    'No Chromium found (apt-get install chromium, or name it in CHROMIUM): tests of the page in a browser are left out.',
  );

/** `describe` for what needs a browser: left out where there is none, except in CI, where its absence is a failure. */
// The name and the tests are given where it is used.
// oxlint-disable-next-line vitest/valid-describe-callback
export const describeInBrowser = describe.runIf(CHROMIUM !== null || required);

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

export interface BrowserOptions {
  /** WAV file that the fake microphone plays, again and again. */
  microphone?: string;
  flags?: readonly string[];
}

/** Starts Chromium without a window. The caller closes it. */
export async function launchChromium({ microphone, flags = [] }: BrowserOptions = {}): Promise<Browser> {
  if (CHROMIUM === null) throw new Error('no Chromium: apt-get install chromium, or name it in CHROMIUM');
  const heard = microphone === undefined ? [] : [`--use-file-for-fake-audio-capture=${microphone}`];
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: [...FLAGS, ...heard, ...flags] });
}

export interface OpenOptions extends BrowserContextOptions {
  /** Default 1280. */
  width?: number;
  height?: number;
}

export interface BrowserForTests {
  /** A page of its own context, closed behind the test. */
  open: (url: string, options?: OpenOptions) => Promise<Page>;
  /** Complaints of this test that are meant: an answer of 401 is an error of the console. */
  allow: (...complaints: RegExp[]) => void;
  browser: () => Browser;
}

/** One browser for the tests of this `describe` or file. */
export function useBrowser(options: BrowserOptions = {}): BrowserForTests {
  let browser: Browser | undefined;
  let troubles: string[] = [];
  let allowed: RegExp[] = [];
  const open = (): Browser => {
    if (browser === undefined) throw new Error('the browser is there while tests run');
    return browser;
  };
  beforeAll(async () => {
    browser = await launchChromium(options);
  });
  afterAll(async () => {
    await browser?.close();
  });
  afterEach(async () => {
    for (const context of browser?.contexts() ?? []) await context.close();
    const unexpected = troubles.filter((trouble) => !allowed.some((pattern) => pattern.test(trouble)));
    [troubles, allowed] = [[], []];
    expect(unexpected, 'what the page complained of').toEqual([]);
  });
  return {
    browser: open,
    allow: (...complaints) => void allowed.push(...complaints),
    async open(url, { width = 1280, height = 900, ...rest } = {}) {
      const context = await open().newContext({ viewport: { width, height }, ...rest });
      const page = await context.newPage();
      page.setDefaultTimeout(10_000);
      complaintsOf(page, (trouble) => troubles.push(trouble));
      await page.goto(url);
      return page;
    },
  };
}

/** Tells what a page complains of. Refusals by the content security policy are errors of the console. */
export function complaintsOf(page: Page, tell: (trouble: string) => void): void {
  page.on('console', (message) => {
    if (message.type() === 'error') tell(`console: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => tell(`exception: ${error.message}`));
  page.on('dialog', (dialog) => {
    tell(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
}

/** Logs in by the token and opens a view. @throws with what the server said */
export async function enterPage(
  open: (url: string) => Promise<Page>,
  { origin, token, path }: { origin: string; token: string; path: string },
): Promise<Page> {
  const page = await open('about:blank');
  const answer = await page.request.post(`${origin}/api/session`, { data: { token, name: 'Test' } });
  if (!answer.ok()) throw new Error(`no log-in: ${answer.status()} ${await answer.text()}`);
  await page.goto(origin + path);
  return page;
}

let axeSource = '';

/** What axe-core finds wrong, as lines to read; nothing is right. */
export async function axeViolations(page: Page): Promise<string[]> {
  axeSource ||= readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
  await page.evaluate(axeSource);
  const found = (await page.evaluate(`axe.run(document, { resultTypes: ['violations'] })`)) as {
    violations: { id: string; help: string; nodes: { target: unknown; failureSummary?: string }[] }[];
  };
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary = '' }) => `${id}: ${help} at ${JSON.stringify(target)} ${failureSummary}`),
  );
}

/** Where pictures of the pages go: `SCREENSHOTS`, or a folder among the temporary ones. */
export const SCREENSHOTS = process.env['SCREENSHOTS'] ?? join(tmpdir(), 'trunkline-screenshots');

/**
 * Takes pictures `<name>-<light|dark>-<width>.png` of a page as it is.
 * @param whole all of the page; else what a window 900 high shows of it
 * @returns the files
 */
export async function takePictures(
  page: Page,
  name: string,
  widths: readonly number[] = [1280, 360],
  whole = true,
): Promise<string[]> {
  await mkdir(SCREENSHOTS, { recursive: true });
  const before = page.viewportSize();
  const files: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const)
    for (const width of widths) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      const path = join(SCREENSHOTS, `${name}-${colorScheme}-${width}.png`);
      await page.screenshot({ path, fullPage: whole, animations: 'disabled' });
      files.push(path);
    }
  await page.emulateMedia({ colorScheme: null });
  if (before !== null) await page.setViewportSize(before);
  return files;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Of all files of tests in a worker, which share what is global. */
const shared = globalThis as { builtPage?: Promise<string> };

/** Builds the page as it is now, once for a worker. @returns the folder with `index.html` */
export function builtPage(): Promise<string> {
  return (shared.builtPage ??= (async () => {
    const { build } = await import('vite');
    // Workers are ended without a word: what they left is removed by those that come after them.
    for (const left of await readdir(tmpdir())) {
      const pid = /^trunkline-page-(\d+)-/.exec(left)?.[1];
      if (pid !== undefined && !isAlive(Number(pid))) await rm(join(tmpdir(), left), { recursive: true, force: true });
    }
    const outDir = await mkdtemp(join(tmpdir(), `trunkline-page-${process.pid}-`));
    await build({
      root: join(import.meta.dirname, '../../src/page'),
      logLevel: 'error',
      configFile: false,
      build: { outDir, emptyOutDir: true },
    });
    return outDir;
  })());
}

/** The policy that the server gives with every file of the page. */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; " +
  "worker-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
