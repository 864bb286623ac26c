// What the model asks for: tools run beside the conversation, and each gets exactly one outcome. What cannot be undone
// waits for the caller. Pure.
import type { RealtimeEvent } from '../realtime/session.ts';
import { builtIn, isBuiltIn } from './built-ins.ts';
import { askConsent, dropConsent, verdict, waitForWords, withoutWords, WORDS_WITHIN_MS } from './consent.ts';
import { cause, change, changeTurn, type Draft } from './draft.ts';
import { offence } from './guardrails.ts';
import { remember } from './history.ts';
import type { LiveState, ToolState } from './state.ts';
import { settleTool } from './tool-outcome.ts';

type ToolCalled = Extract<RealtimeEvent, { type: 'tool.called' }>;
type Wanted = Pick<ToolCalled, 'toolCall' | 'name' | 'arguments'>;

/** What the runner says of a tool that is sound, cannot be undone, and nobody has agreed to. */
const UNCONFIRMED = 'unconfirmed';
const OVERTAKEN = 'something else was done meanwhile. Read it back once more, then wait for a yes';

/** The model asks for a tool. Some the call carries out itself; every other one runs beside the conversation. */
export function toolCalled(d: Draft, event: ToolCalled): void {
  if (Object.hasOwn(d.state.tools, event.toolCall)) {
    cause(d, { do: 'note.ignored', what: 'tool_called_twice' });
    return;
  }
  const { waitsSinceMs, owedSinceMs } = d.state.turn;
  changeTurn(d, {
    ...{ owedSinceMs: null, lastSignMs: d.atMs, lastActivityMs: d.atMs },
    // The caller hears nothing of it, and has waited since before.
    waitsSinceMs: waitsSinceMs ?? owedSinceMs ?? d.atMs,
  });
  if (d.state.trouble !== null) change(d, { trouble: null });
  const { toolCall, name, arguments: args } = event;
  remember(d, { who: 'tool', toolCall, name, arguments: args, output: null });
  const instead = offence(d, 'arguments', spelledOut(args));
  if (instead !== null) return settleTool(d, toolCall, `Not done: a rule forbids it. ${instead}`);
  if (isBuiltIn(d.state, name)) return builtIn(d, event);
  if (d.state.phase === 'leaving' && !d.state.farewell.revocable)
    return settleTool(d, toolCall, 'Not run: the call is ending.', true);
  decide(d, event);
}

/** As it came, and as it is meant: a character that is written as an escape is that character. */
function spelledOut(args: string): string {
  try {
    const plain = JSON.stringify(JSON.parse(args));
    return plain === args ? args : `${args}\n${plain}`;
  } catch {
    return args;
  }
}

/** Runs it, or waits for the caller's words, or tells the model what is missing. */
function decide(d: Draft, wanted: Wanted): void {
  const { toolCall, name, arguments: args } = wanted;
  const found = verdict(d.state, name, args, d.atMs);
  const waiting = d.state.consent?.waiting ?? null;
  if (waiting !== null && waiting.toolCall !== toolCall && found !== 'none')
    return settleTool(d, toolCall, 'Not run: the very same was asked for a moment ago.', true);
  if (found === 'wait') {
    mark(d, toolCall, 'asking');
    return waitForWords(d, toolCall);
  }
  if (typeof found === 'object') {
    if (d.state.consent !== null) change(d, { consent: found.over ? null : { ...d.state.consent, waiting: null } });
    return settleTool(d, toolCall, found.sentence, found.quietly);
  }
  const agreed = found === 'agreed';
  // Also where it has become too old while its words were waited for: nothing waits any more.
  if (agreed || waiting?.toolCall === toolCall) change(d, { consent: null });
  mark(d, toolCall, 'running');
  cause(d, { do: 'tool.run', toolCall, agent: d.state.agent, name, arguments: args, agreed });
}

function mark(d: Draft, toolCall: string, state: ToolState): void {
  change(d, { tools: { ...d.state.tools, [toolCall]: state } });
}

/** Words of the caller are known, or a key was pressed: a tool that waited for them is decided about. */
export function consentMoved(d: Draft): void {
  const wanted = waitingTool(d.state);
  if (wanted === null || verdict(d.state, wanted.name, wanted.arguments, d.atMs) === 'wait') return;
  decide(d, wanted);
}

/** The words that a tool waits for have not come. */
export function consentOverdue(d: Draft): void {
  withoutWords(d);
  consentMoved(d);
}

/** When the words that a tool waits for are given up: not while the caller still speaks. */
export const consentDueMs = ({ consent, turn }: LiveState): number | null =>
  consent?.waiting && !turn.callerSpeaking ? consent.waiting.sinceMs + WORDS_WITHIN_MS : null;

function waitingTool({ consent, history, tools }: LiveState): Wanted | null {
  const toolCall = consent?.waiting?.toolCall;
  if (toolCall === undefined || tools[toolCall] !== 'asking') return null;
  const said = history.find((one) => one.who === 'tool' && one.toolCall === toolCall);
  return said?.who === 'tool' ? said : null;
}

/** A tool finished. */
export function toolSettled(d: Draft, toolCall: string, status: string, output: string): void {
  if (d.state.tools[toolCall] !== 'running') {
    cause(d, { do: 'note.ignored', what: 'tool_settled_twice' });
    return;
  }
  // What is known of the world is another: what was read back may mean something else now.
  if (status === 'ok' && d.state.consent !== null && d.state.consent.stage !== 'asked') dropConsent(d, OVERTAKEN);
  if (status === UNCONFIRMED) {
    const said = d.state.history.find((one) => one.who === 'tool' && one.toolCall === toolCall);
    dropConsent(d, OVERTAKEN);
    if (said?.who === 'tool') askConsent(d, said.name, said.arguments);
  }
  settleTool(d, toolCall, output);
}
