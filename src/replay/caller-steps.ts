// The timeline of a caller file as steps of a track: which keys go together, and what a step waits for that names nothing.
import type { YamlSource } from '../yaml/source.ts';
import type { CallerYaml, StepYaml } from './caller-schema.ts';
import { type CallerStep, type Cue, KEY_MS } from '../phone/caller-track.ts';

/** A caller speaks when the agent has been silent for so long, unless the file says otherwise. */
const DEFAULT_SILENCE_MS = 700;

const ACTIONS = ['user', 'dtmf', 'hangup'] as const;
const CUES = ['at', 'wait', 'when_agent_silent', 'interrupt_at'] as const;

/** The steps; faults are added to `source`. `clips[i]` is the clip of step i. */
export function stepsOf(
  source: YamlSource,
  timeline: CallerYaml['timeline'],
  clips: readonly (Uint8Array | undefined)[],
): CallerStep[] {
  const steps: CallerStep[] = [];
  let afterPause = false;
  let lastAt = 0;
  let over = false;
  for (const [i, entry] of timeline.entries()) {
    const step: StepYaml = entry === 'hangup' ? { hangup: true } : entry;
    if (over) source.fault(['timeline', i], 'expected nothing after hangup');
    checkStep(source, ['timeline', i], step);
    if (step.at !== undefined && step.at < lastAt)
      source.fault(['timeline', i, 'at'], `expected no earlier time than the step before (${lastAt})`);
    lastAt = step.at ?? lastAt;
    over ||= step.hangup === true;
    const actions = actionsOf(step, clips[i]);
    const cue = cueOf(step, afterPause);
    steps.push(...actions.map((action, key) => ({ cue: key === 0 ? cue : NEXT_KEY, action })));
    afterPause = actions.some((action) => 'pause' in action);
  }
  return steps;
}

function checkStep(source: YamlSource, path: PropertyKey[], step: StepYaml): void {
  const has = (key: keyof StepYaml) => step[key] !== undefined;
  const [, twice] = ACTIONS.filter(has);
  if (twice) source.fault([...path, twice], `expected one of ${ACTIONS.join(', ')} in a step`, 'key');
  const [cue, otherCue] = CUES.filter(has);
  if (otherCue) source.fault([...path, otherCue], `expected one of ${CUES.join(', ')} in a step`, 'key');
  if (!ACTIONS.some(has) && !cue)
    source.fault(path, `expected one of ${ACTIONS.join(', ')}, or a time to wait for: ${CUES.join(', ')}`);
  for (const key of ['from_ms', 'to_ms'] as const)
    if (has(key) && !has('user')) source.fault([...path, key], 'expected only with user', 'key');
  const follows = cue === undefined || cue === 'when_agent_silent';
  if (has('heard_at_least') && !follows)
    source.fault([...path, 'heard_at_least'], 'expected only with when_agent_silent', 'key');
  if (has('patience') && !follows && cue !== 'interrupt_at')
    source.fault([...path, 'patience'], 'expected only with when_agent_silent or interrupt_at', 'key');
}

function actionsOf(step: StepYaml, clip: Uint8Array | undefined): CallerStep['action'][] {
  if (step.user !== undefined) return [{ say: clip ?? new Uint8Array() }];
  if (step.dtmf !== undefined) return step.dtmf.split('').map((press) => ({ press }));
  return [step.hangup ? { hangUp: true } : { pause: true }];
}

const NEXT_KEY: Cue = { after: 'previous', waitMs: KEY_MS };

function cueOf(step: StepYaml, afterPause: boolean): Cue {
  const { at, wait, when_agent_silent: silence, interrupt_at: into, heard_at_least: heard, patience } = step;
  const patienceMs = patience === undefined ? {} : { patienceMs: patience * 1000 };
  if (at !== undefined) return { atMs: at * 1000 };
  if (wait !== undefined) return { after: 'previous', waitMs: wait * 1000 };
  if (into !== undefined) return { after: 'agent_speaking', forMs: into * 1000, ...patienceMs };
  // What was waited for stands in the step before.
  if (afterPause && silence === undefined && heard === undefined && patience === undefined)
    return { after: 'previous', waitMs: 0 };
  const minHeardMs = heard === undefined ? {} : { minHeardMs: heard * 1000 };
  const forMs = silence === undefined ? DEFAULT_SILENCE_MS : silence * 1000;
  return { after: 'agent_silent', forMs, ...minHeardMs, ...patienceMs };
}
