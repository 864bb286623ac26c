// What is told of a question that failed: text of ours as it is; of any other error only what can hold nobody's data.
import { TrunklineError } from '../errors.ts';
import { faultOf } from './database-faults.ts';
import { type Place, shownPlace } from './place.ts';
import type { Told } from './worker-messages.ts';

export function toldOf(error: unknown, name: string, place: Place): Told {
  if (error instanceof TrunklineError) return { code: error.code, message: error.message };
  return { code: 'TRK_STORE', message: `${shownPlace(place)} did not answer "${name}": ${faultOf(error).why}` };
}
