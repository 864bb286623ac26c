// What the sinks of one call may keep of tool arguments: those of built-in tools as they are (they say where, not who), all
// others as redaction.ts leaves them.
import { BUILT_IN_TOOLS, SEND_SMS } from './built-in.ts';
import { redactArguments } from './redaction.ts';
import type { Tool } from './tool.ts';

/** @param salt the call's id: markers of different calls differ */
export function shownArguments(tools: readonly Tool[], salt: string): (name: string, text: string) => string {
  const known = Map.groupBy(tools, ({ name }) => name);
  return (name, text) => {
    if (BUILT_IN_TOOLS.includes(name) && name !== SEND_SMS) return text;
    const all = known.get(name);
    // Agents that hand calls to each other may each have one of that name: what any of them hides is hidden.
    return all === undefined
      ? redactArguments(undefined, text, salt)
      : all.reduce((shown, tool) => redactArguments(tool, shown, salt), text);
  };
}
