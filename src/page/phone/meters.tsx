// The levels of both sides, drawn by themselves at the screen's pace, so that the page need not be drawn anew for them.
import { useEffect, useRef } from 'preact/hooks';
import { loudness } from '../format.ts';
import type { Levels } from './use-phone.ts';

/** What is left of a level after one picture: it falls by half in a fifth of a second. */
const FALL = 0.94;
/** A screen reader is not told sixty times a second. */
const TELL_EVERY = 30;

const SIDES = [
  ['caller', 'You'],
  ['agent', 'Agent'],
] as const;

export function Meters({ levels, on }: { levels: () => Levels; on: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const shown = { caller: 0, agent: 0 };
    const show = (tell: boolean): void => {
      for (const [side] of SIDES) {
        const meter = box.current?.querySelector<HTMLElement>(`.${side}`);
        const bar = meter?.firstElementChild as HTMLElement | null | undefined;
        if (bar) bar.style.transform = `scaleX(${shown[side].toFixed(3)})`;
        if (tell) meter?.setAttribute('aria-valuenow', `${Math.round(shown[side] * 100)}`);
      }
    };
    if (!on) return show(true);
    let pictures = 0;
    let next = 0;
    const draw = (): void => {
      const now = levels();
      for (const [side] of SIDES) {
        shown[side] = Math.max(loudness(now[side]), shown[side] * FALL);
        now[side] = 0;
      }
      show(++pictures % TELL_EVERY === 0);
      next = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(next);
  }, [on]);
  return (
    <div class="phone-meters" ref={box}>
      {SIDES.map(([side, name]) => (
        <div key={side} class="phone-meter">
          <span aria-hidden="true">{name}</span>
          <div
            class={`phone-bar ${side}`}
            role="meter"
            aria-label={side === 'caller' ? 'Your level' : "The agent's level"}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={0}
          >
            <div />
          </div>
        </div>
      ))}
    </div>
  );
}
