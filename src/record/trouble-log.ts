// What goes wrong in a call and is made good, as lines of the log: sessions lost and opened again, legs lost and resumed.
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { OnlookerFactory } from '../call/feed.ts';
import { callLogger, type Logger } from '../log.ts';

/** One line per trouble; reasons are close codes and statuses in words, never what was said. */
export function troubleLog(options: { log: Logger }): OnlookerFactory {
  return ({ opening }) => {
    const log = callLogger(options.log, opening.callId);

    const happened = (event: CallEvent): void => {
      if (event.type === 'session.delayed' || event.type === 'session.closed') {
        const { cause, detail: why, on } = event;
        const what = event.type === 'session.closed' ? 'model session lost' : 'model session delayed';
        // Not as `detail`: what stands under that name is censored.
        log.warn({ session: on.session, cause, why }, what);
      } else if (event.type === 'leg.closed' && (event.cause === 'socket_lost' || event.cause === 'stopped_reading'))
        log.warn({ leg: event.on.leg, why: event.detail }, 'media socket lost');
    };

    const caused = (effect: CallEffect): void => {
      if (effect.do === 'session.open')
        log.info(
          { session: effect.session, model: effect.target === 0 ? 'first' : 'fallback' },
          'model session opened',
        );
      else if (effect.do === 'session.recall') log.info({ session: effect.on.session }, 'model session took over');
      else if (effect.do === 'leg.recall') log.warn('the carrier is asked to bring the caller back');
      else if (effect.do === 'note.resumed') log.info({ leg: effect.on.leg, awayMs: effect.awayMs }, 'caller is back');
    };

    return {
      frame() {},
      stepped(event, effects) {
        happened(event);
        for (const effect of effects) caused(effect);
      },
    };
  };
}
