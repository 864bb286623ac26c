// The tools that a call carries out itself, as the model is told of them: which an agent has, and their arguments.
import { COLLECT_DIGITS, END_CALL, HAND_OFF, LEAVE_NOTE, SEND_KEYS, TRANSFER } from '../tools/built-in.ts';
import type { Agent } from './agent.ts';

/** A tool as a model needs to know it. */
export interface ToolDeclaration {
  name: string;
  description: string;
  /** JSON Schema of the arguments. */
  parameters: Record<string, unknown>;
}

/** Those of an agent; what its file does not name it does not have. */
export function builtInTools(agent: Agent): ToolDeclaration[] {
  const { transfer, keypad, notes, sendsDtmf, handOff, endCall } = agent;
  return [
    ...(Object.keys(transfer).length > 0 ? [transferTool(transfer)] : []),
    ...(Object.keys(keypad).length > 0 ? [collectTool(keypad)] : []),
    ...(sendsDtmf ? [SEND_KEYS_TOOL] : []),
    ...(notes === null ? [] : [noteTool(notes.dispositions)]),
    ...(handOff.length > 0 ? [handOffTool(handOff)] : []),
    ...(endCall.enabled ? [END_CALL_TOOL] : []),
  ];
}

const object = (properties: Record<string, unknown>, required = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

const listed = (entries: readonly (readonly [string, string])[]): string =>
  entries.map(([name, what]) => `${name}: ${what}`).join(' ');

const END_CALL_TOOL: ToolDeclaration = {
  name: END_CALL,
  description:
    'Ends the phone call. Say goodbye in the same answer; the line is closed after the caller has heard it. Use it when the conversation is over.',
  parameters: { type: 'object', properties: {}, additionalProperties: false },
};

const SEND_KEYS_TOOL: ToolDeclaration = {
  name: SEND_KEYS,
  description:
    'Presses keys towards the other side, for a menu or an extension. w waits half a second. Listen to what follows before you go on.',
  parameters: object({ digits: { type: 'string', pattern: '^[0-9*#w]{1,32}$' } }),
};

const transferTool = (targets: Agent['transfer']): ToolDeclaration => ({
  name: TRANSFER,
  description: `Hands the caller over to a person. Tell the caller first. If nobody takes the call you are told, and the caller is still with you. Targets: ${listed(Object.entries(targets).map(([name, { when }]) => [name, when]))}`,
  parameters: object({
    target: { type: 'string', enum: Object.keys(targets) },
    summary: {
      type: 'string',
      description: 'One or two sentences for that person: who is calling, and what they want.',
    },
  }),
});

const collectTool = (fields: Agent['keypad']): ToolDeclaration => ({
  name: COLLECT_DIGITS,
  description: `Lets the caller key in a number on the telephone. Ask for it in the same answer, and say which key ends it. Fields: ${listed(Object.entries(fields).map(([name, { what, endKey }]) => [name, `${what}${endKey === '' ? '' : ` (ends with ${endKey})`}.`]))}`,
  parameters: object({ field: { type: 'string', enum: Object.keys(fields) } }),
});

const noteTool = (dispositions: readonly string[]): ToolDeclaration => ({
  name: LEAVE_NOTE,
  description:
    'Leaves a note on this call for the people who work here: what it was about, and what is to be done. Use it before the call ends.',
  parameters: object({ disposition: { type: 'string', enum: dispositions }, text: { type: 'string' } }),
});

const handOffTool = (agents: Agent['handOff']): ToolDeclaration => ({
  name: HAND_OFF,
  description: `Hands the call to another agent, who goes on with it. Say so in a few words first. Agents: ${listed(agents.map(({ agent, when }) => [agent, when]))}`,
  parameters: object({
    agent: { type: 'string', enum: agents.map(({ agent }) => agent) },
    why: { type: 'string', description: 'In one sentence, what the caller wants.' },
  }),
});
