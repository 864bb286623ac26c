// Folding tapes: a call played in virtual time through the real Call and the real model session leaves a tape, and the
// tape replays to itself; a changed tape is told apart, at its line.
import { expect, test } from 'vitest';
import { foldTape } from '../../src/replay/fold.ts';
import { fit, grouped } from '../../src/replay/text-layout.ts';
import { VirtualClock } from '../../src/replay/virtual-clock.ts';
import { parseTape } from '../../src/tape/tape.ts';
import { tapeText } from '../../bench/tape-text.ts';
import { playWholeCall, StagedCall, stagedFacts } from '../tape/staged-call.ts';

/** Plays a call and returns its tape's text. */
async function taped(play: (staged: StagedCall) => Promise<void>): Promise<string> {
  let text = '';
  await play(new StagedCall(stagedFacts(), [tapeText((lines) => void (text += lines))]));
  return text;
}

const linesOf = (text: string): string[] => text.trimEnd().split('\n');
const whole = await taped(playWholeCall);

test('folds a whole call to the same decisions and the same messages', () => {
  const tape = parseTape(whole);
  const result = foldTape(tape);
  expect(result.report).toBeNull();
  expect(result).toMatchObject({ identical: true, faults: [], termination: { reason: 'agent_goodbye' } });
  expect(result.inputs).toBe(tape.entries.filter((e) => e.kind === 'frame' || e.kind === 'input').length);
  // The call had all that a call has: this is what was compared.
  for (const part of [
    'session.speak',
    'tool.run',
    'session.settle_tool',
    'leg.clear',
    'session.interrupt',
    'note.filled',
    'leg.close',
  ])
    expect(whole).toContain(`"do":"${part}"`);
  for (const sent of ['session.update', 'response.create', 'conversation.item.truncate', 'conversation.item.create'])
    expect(whole).toContain(`"sent":{"type":"${sent}"`);
});

test('gives the same result every time', () => {
  expect(foldTape(parseTape(whole))).toEqual(foldTape(parseTape(whole)));
});

test('says where and how an altered decision differs', () => {
  const lines = linesOf(whole);
  const index = lines.findIndex((l) => l.includes('"do":"session.interrupt"'));
  const [, utterance, heardMs] = /"utterance":"(u\d+)","heardMs":(\d+)/.exec(lines[index] as string) as string[];
  lines[index] = (lines[index] as string).replace(`"heardMs":${heardMs}`, `"heardMs":${Number(heardMs) + 1}`);
  const result = foldTape(parseTape(`${lines.join('\n')}\n`));
  expect(result.identical).toBe(false);
  expect(result.diffs).toHaveLength(1);
  expect(result.diffs[0]).toMatchObject({ line: index + 1, expected: lines[index] });
  const report = (result.report as string).split('\n');
  const words = result.turns.find(({ id }) => id === utterance)?.words as string;
  expect(words.length).toBeGreaterThan(10);
  const named = `${utterance} "${fit(words, 24)}"`;
  expect(report.slice(0, 7)).toEqual([
    'decided differently: 1 difference in 1 turn',
    '',
    '  turn 4, the caller at 00:11.3: "No, Tuesday."',
    `    at 00:11.3 after speech.started, line ${index + 1} of the tape`,
    `      then  tell the model that it was interrupted: ${grouped(Number(heardMs) + 1)} ms of ${named} heard`,
    `      now   tell the model that it was interrupted: ${grouped(Number(heardMs))} ms of ${named} heard`,
    expect.stringContaining(`      raw then: ${(lines[index] as string).slice(0, 200)}`),
  ]);
  expect(report[7]).toContain('      raw now:  {"t":');
  expect(report[8]).toContain(`      raw cause: line ${index}: {"t":`);
  expect(report).toHaveLength(9);
});

test('a policy that was another one shows in every turn where it made a difference', () => {
  const { silenceMs } = parseTape(whole).header.opening.policy;
  const other = whole.replace(`"silenceMs":${silenceMs}`, `"silenceMs":${silenceMs + 5_000}`);
  const { report, diffs, turns } = foldTape(parseTape(other));
  expect(diffs.length).toBeGreaterThan(2);
  const text = report as string;
  expect(text).toMatch(/^decided differently: \d+ differences in \d+ turns\n {2}Look at the first one first/);
  // The times of the tape, and those 5 s later that the other policy gives.
  const [, then = '', now = ''] =
    /then {2}wait for somebody to speak, until 00:(\S+)\n +now {3}wait for somebody to speak, until 00:(\S+)/.exec(
      text,
    ) ?? [];
  expect(Number(now) - Number(then)).toBeCloseTo(5, 5);
  // Every turn is named once, with its words.
  const titles = text.split('\n').filter((line) => /^ {2}turn \d/.test(line));
  expect(new Set(titles).size).toBe(titles.length);
  expect(titles.length).toBeGreaterThan(1);
  for (const title of titles) {
    const [, nth = '', words = ''] = /^ {2}turn (\d+), the \w+ at \d\d:\d\d\.\d: "(.*)"$/.exec(title) ?? [];
    expect(turns[Number(nth) - 1]?.words).toContain(words.replace('…', ''));
  }
});

test('lines that were cut out show as what is decided in addition, or not any more', () => {
  const lines = linesOf(whole);
  const end = lines.findIndex((l) => l.includes('"do":"call.end"'));
  const without = foldTape(parseTape(`${lines.toSpliced(end, 1).join('\n')}\n`)).report as string;
  expect(without).toMatch(/\n {6}then {2}nothing\n {6}now {3}end the call: agent_goodbye\n/);
  // Without what the caller said nothing is decided on it.
  const spoke = lines.findIndex((l) => l.includes('"type":"speech_started"'));
  const deaf = foldTape(parseTape(`${lines.toSpliced(spoke, 1).join('\n')}\n`));
  expect(deaf.report).toMatch(/\n {6}then {2}stop what the caller hears\n {6}now {3}nothing\n|raw now: {2}nothing/);
  expect(deaf.diffs[0]).toMatchObject({ got: null });
});

test('tells a message that was left out from one that came in addition', () => {
  const lines = linesOf(whole);
  const index = lines.findIndex((l) => l.includes('"sent":{"type":"conversation.item.truncate"'));
  const [sent] = lines.splice(index, 1);
  expect(foldTape(parseTape(`${lines.join('\n')}\n`)).diffs).toMatchObject([{ expected: null, got: sent }]);
  lines.splice(index, 0, sent as string, sent as string);
  expect(foldTape(parseTape(`${lines.join('\n')}\n`)).diffs).toMatchObject([
    { line: index + 2, expected: sent, got: null },
  ]);
});

test('keeps so many differences and counts the rest', () => {
  // Another greeting is another conversation from the first message on.
  const other = whole.replace('Jansen garage', 'Janssen garage');
  const first = foldTape(parseTape(other), { maxDiffs: 1 });
  expect(first).toMatchObject({ identical: false, moreDiffs: 1 });
  expect(first.diffs).toHaveLength(1);
  expect(first.report).toMatch(/^decided differently: 2 differences in 1 turn\n[^]*\n {2}and more$/);
  const result = foldTape(parseTape(other));
  expect(result.report).toContain('  before anybody spoke\n    at 00:00.0 after session.ready, line 7 of the tape\n');
  // What reads the same in words is told by what is other in it.
  expect(result.report).toContain(
    '      then  send the model response.create\n      now   send the model response.create\n' +
      '        sent.response.instructions: "Say: Good morning, Jansen garage." then, "Say: Good morning, Janssen garage." now\n',
  );
});

test('takes another order of keys for the same', () => {
  const other = whole.replaceAll('{"do":"leg.mark","mark":"g1.1"}', '{"mark":"g1.1","do":"leg.mark"}');
  expect(other).not.toBe(whole);
  expect(foldTape(parseTape(other)).identical).toBe(true);
});

test('folds every beginning of a tape that a crash cut short', () => {
  const headerChars = whole.indexOf('\n') + 1;
  for (let end = headerChars; end < whole.length; end += 997) {
    const result = foldTape(parseTape(whole.slice(0, end)));
    expect(result.report).toBeNull();
  }
});

test('folds a call in which the carrier stops reading in the middle of a step', async () => {
  const text = await taped(async (staged) => {
    staged.answers.push({ seconds: 6 });
    staged.begin();
    await staged.run(1_000);
    staged.carrierStopsReading = true;
    await staged.runUntilClosed(5_000);
  });
  const result = foldTape(parseTape(text));
  expect(result.report).toBeNull();
  expect(result.termination).toMatchObject({ reason: 'carrier_stopped_reading' });
});

test('folds a call in which the model stops reading in the middle of a frame', async () => {
  const text = await taped(async (staged) => {
    staged.answers.push({ seconds: 6 });
    staged.begin();
    await staged.run(1_000);
    staged.modelStopsReading = true;
    await staged.runUntilClosed(20_000);
  });
  const result = foldTape(parseTape(text));
  expect(result.report).toBeNull();
  expect(result.termination).toMatchObject({ reason: 'model_lost' });
});

test('folds a caller who hangs up while a tool runs', async () => {
  const text = await taped(async (staged) => {
    staged.answers.push({ seconds: 1 }, { seconds: 0, tool: { name: 'find_slot', arguments: '{}' } });
    staged.begin();
    await staged.run(3_000);
    staged.callerSpeaks(0.5, 'A slot, please.');
    await staged.run(1_600);
    staged.hangsUp();
    await staged.runUntilClosed(5_000);
  });
  expect(text).toContain('"do":"tool.abort"');
  const result = foldTape(parseTape(text));
  expect(result.report).toBeNull();
  expect(result.termination).toMatchObject({ reason: 'caller_hung_up' });
});

test('folds a call whose media never started', async () => {
  const text = await taped(async (staged) => {
    staged.call.start();
    await staged.runUntilClosed(30_000);
  });
  const result = foldTape(parseTape(text));
  expect(result.report).toBeNull();
  expect(result.termination).toMatchObject({ reason: 'media_never_started' });
});

test('the virtual clock fires timers at their times, earliest first, and only when it runs', () => {
  const clock = new VirtualClock(100, 5_000);
  const fired: string[] = [];
  const note = (name: string) => () => fired.push(`${name} ${clock.nowMs()}`);
  clock.at(130, note('b'));
  clock.at(120, () => {
    note('a')();
    clock.at(125, note('nested'));
  });
  const cancel = clock.at(110, note('cancelled'));
  clock.at(130, note('c'));
  cancel();
  cancel();
  clock.moveTo(115);
  expect(fired).toEqual([]);
  clock.runTo(140);
  expect(fired).toEqual(['a 120', 'nested 125', 'b 130', 'c 130']);
  expect([clock.nowMs(), clock.wallMs(), clock.armed]).toEqual([140, 5_040, 0]);
});
