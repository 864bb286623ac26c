// What the sinks of one call may keep of tool arguments: those of built-in tools as they are (they say where, not who), all
// others as redaction.ts leaves them.
import { BUILT_IN_TOOLS, SEND_SMS } from './built-in.ts';
import { redactArguments } from './redaction.ts';
import type { Tool } from './tool.ts';

/** @param salt the call's id: markers of different calls differ */
export function shownArguments(tools: readonly Tool[], salt: string): (name: string, text: string) => string {
  const known = new Map(tools.map((tool) => [tool.name, tool]));
  return (name, text) =>
    BUILT_IN_TOOLS.includes(name) && name !== SEND_SMS ? text : redactArguments(known.get(name), text, salt);
}
