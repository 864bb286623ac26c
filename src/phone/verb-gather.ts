// Gather: prompts are read while keys are awaited, and the first key ends them. Speech is not recognised here: a caller
// who only talks has pressed nothing.
import type { TwimlElement } from './twiml-reader.ts';
import type { VerbScene } from './verb-scene.ts';
import { numberOf, pause, play, say } from './verb-sound.ts';

const DEFAULT_TIMEOUT_S = 5;

/** Parameters for the action URL; undefined when nothing was pressed and the next verb follows. */
export async function gather(scene: VerbScene, verb: TwimlElement): Promise<Record<string, string> | undefined> {
  const { finishOnKey = '#', numDigits, timeout, actionOnEmptyResult } = verb.attributes;
  const wanted = numberOf(numDigits, 0) || Number.POSITIVE_INFINITY;
  let digits = '';
  let finishedBy = '';
  let pressed = new AbortController();
  const stopListening = scene.onKey((digit) => {
    if (finishedBy !== '' || digits.length >= wanted) return;
    if (finishOnKey.includes(digit)) finishedBy = digit;
    else digits += digit;
    pressed.abort();
  });
  const complete = () => finishedBy !== '' || digits.length >= wanted;
  const prompting = scene.until(pressed.signal);
  for (const prompt of verb.children) await promptWith(prompting, prompt);
  while (!complete() && !scene.over) {
    // The time counts anew from each key.
    pressed = new AbortController();
    const { signal } = pressed;
    await scene.until(signal).wait(1000 * numberOf(timeout, DEFAULT_TIMEOUT_S));
    if (!signal.aborted) break;
  }
  stopListening();
  if (digits === '' && finishedBy === '' && actionOnEmptyResult !== 'true') return undefined;
  return { Digits: digits, ...(finishedBy === '' ? {} : { FinishedOnKey: finishedBy }) };
}

async function promptWith(scene: VerbScene, prompt: TwimlElement): Promise<void> {
  if (scene.over) return;
  if (prompt.name === 'Say') await say(scene, prompt);
  else if (prompt.name === 'Play') await play(scene, prompt);
  else if (prompt.name === 'Pause') await pause(scene, prompt);
}
