// Carries out one verb and says where the call goes from there. Verbs that are not named here (Enqueue, Start, Stop
// and the like) are listed and take no time: the phone judges voice agents, and none of these speaks to one.
import { type ConnectCall, connect } from './phone-connect.ts';
import type { TwimlElement } from './twiml-reader.ts';
import { dial } from './verb-dial.ts';
import { gather } from './verb-gather.ts';
import { record } from './verb-record.ts';
import type { VerbScene } from './verb-scene.ts';
import { pause, play, say } from './verb-sound.ts';

/** What is asked for the next document. */
export interface NextAsk {
  /** As written in the document. */
  target: string;
  params: Record<string, string>;
  method: string | undefined;
}

/** Undefined: the next verb of the document follows. `base` is the document's own URL. */
export async function carryOut(
  scene: VerbScene,
  verb: TwimlElement,
  base: string,
  call: ConnectCall,
): Promise<NextAsk | undefined> {
  const { action, method } = verb.attributes;
  const next = (params: Record<string, string>, target = action): NextAsk | undefined =>
    target ? { target, params, method } : undefined;
  switch (verb.name) {
    case 'Redirect':
      return next({}, verb.text);
    case 'Connect':
      await connect(scene, verb, base, call);
      return next({});
    case 'Dial':
      return next(await dial(scene, verb, call));
    case 'Gather': {
      const pressed = await gather(scene, verb);
      return pressed && next(pressed, action ?? base);
    }
    case 'Record': {
      const recorded = await record(scene, verb, base, call);
      return recorded && next(recorded, action ?? base);
    }
    case 'Say':
      await say(scene, verb);
      return undefined;
    case 'Play':
      await play(scene, verb);
      return undefined;
    case 'Pause':
      await pause(scene, verb);
      return undefined;
    default:
      return undefined;
  }
}
