// Listening in: one button, a meter and a volume for each side. Nobody on the line hears the listener.
import type { Ref } from 'preact';
import { useEffect, useImperativeHandle, useRef, useState } from 'preact/hooks';
import { loudness } from '../format.ts';
import { Button } from '../ui.tsx';
import type { Side } from './listen-frame.ts';
import type { ListenReport } from './listen-worklet.ts';
import { Listening, type ListenState } from './listen.ts';

const WORDS: Record<ListenState, string> = {
  off: 'Nobody on the line hears you.',
  starting: 'Opening the audio…',
  on: 'You hear both sides; they do not hear you.',
  again: 'The line to the server was lost; trying again…',
  over: 'The call is over.',
  failed: '',
};

export interface ListenHandle {
  toggle(): void;
}

export function ListenCard({
  callId,
  over,
  handle,
  onListening,
}: {
  callId: string;
  over: boolean;
  handle: Ref<ListenHandle>;
  onListening: (on: boolean) => void;
}) {
  const [state, setState] = useState<ListenState>('off');
  const [why, setWhy] = useState('');
  const bars = useRef<Partial<Record<Side, HTMLElement | null>>>({});
  const listening = useRef<Listening | null>(null);

  const report = (told: ListenReport): void => {
    // Twenty times a second: written straight into the page.
    for (const side of ['caller', 'agent'] as const) {
      const meter = bars.current[side];
      const bar = meter?.firstElementChild as HTMLElement | null | undefined;
      if (!meter || !bar) continue;
      const level = loudness(told[side]);
      bar.style.transform = `scaleX(${level.toFixed(3)})`;
      meter.setAttribute('aria-valuenow', String(Math.round(level * 100)));
    }
  };
  useEffect(() => {
    const made = new Listening(callId, {
      state(now, because) {
        setState(now);
        setWhy(because);
        onListening(now === 'starting' || now === 'on' || now === 'again');
        if (now !== 'on') report({ caller: 0, agent: 0 });
      },
      report,
    });
    listening.current = made;
    return () => made.stop();
  }, [callId]);
  useEffect(() => {
    if (over) listening.current?.stop();
  }, [over]);

  const on = state === 'starting' || state === 'on' || state === 'again';
  const toggle = (): void => {
    if (over) return;
    if (on) listening.current?.stop();
    else void listening.current?.start();
  };
  useImperativeHandle(handle, () => ({ toggle }), [on, over]);

  return (
    <section class="card" aria-labelledby="live-listen" data-listen={state}>
      <div class="row spread">
        <h2 id="live-listen">Listen in</h2>
        <Button kind={on ? 'plain' : 'primary'} aria-pressed={on} disabled={over} onClick={toggle}>
          {on ? 'Stop listening' : 'Listen'} <kbd aria-hidden="true">l</kbd>
        </Button>
      </div>
      {(['caller', 'agent'] as const).map((side) => (
        <div class="live-meter" key={side}>
          <span class={`live-by ${side}`}>{side === 'caller' ? 'Caller' : 'Agent'}</span>
          <div
            class={`live-bar ${side}`}
            role="meter"
            aria-label={`Level of the ${side}`}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={0}
            ref={(element) => void (bars.current[side] = element)}
          >
            <span />
          </div>
          <input
            type="range"
            min="0"
            max="1"
            step="0.05"
            defaultValue="1"
            aria-label={`Volume of the ${side}`}
            title={`Volume of the ${side}`}
            onInput={({ currentTarget }) => listening.current?.volume(side, Number(currentTarget.value))}
          />
        </div>
      ))}
      <label class="live-check">
        <input type="checkbox" onChange={({ currentTarget }) => listening.current?.apart(currentTarget.checked)} />
        Caller left, agent right
      </label>
      <p class={`live-outcome ${state === 'failed' ? 'bad' : 'soft'}`} role="status">
        {why === '' ? WORDS[state] : why}
      </p>
    </section>
  );
}
