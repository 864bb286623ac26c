// Words for whoever asked for something that is not kept. Pure.
import { plainText } from '../replay/text-layout.ts';

export const NO_CALL_YET =
  'No call is kept yet. Calls are kept when they come in: start the server with "npm start", or see one with "npm run demo".';

/** `a, b and c` */
export function named(names: readonly string[]): string {
  const shown = names.map(plainText);
  return shown.length < 2 ? shown.join() : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
