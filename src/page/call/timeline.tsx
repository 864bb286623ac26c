// The timeline of a call: the picture, the playhead over it, and what moves both. The picture is drawn anew when what it shows
// changes; while the call plays only the playhead moves.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { place } from '../format.ts';
import { Button } from '../ui.tsx';
import { type Band, longestOf } from './bands.ts';
import { type CloseUp, loadCloseUp, LONGEST_MS } from './close-up.ts';
import { type Colours, drawTimeline, HEIGHT, type Strength } from './draw-timeline.ts';
import type { Player } from './player.ts';
import { useWatched } from './player.ts';
import type { Levels } from './types.ts';
import { holding, moved, type ViewRange, whole, zoomed } from './view-range.ts';

const LEGEND: readonly (readonly [keyof Colours, string, string])[] = [
  ['caller', 'Caller speaks', 'From the first to the last sound of a turn of the caller'],
  ['agent', 'Agent is heard', 'As the caller hears it, by the playback ledger'],
  ['bad', 'Barge-in', 'The caller spoke over the agent, which stopped. Dashed: what was generated and never heard'],
  ['tool', 'Tool', 'From the request of the model until the result was there'],
  ['warn', 'Silence over 2 s, keys', 'Nobody was heard for more than two seconds; small squares are keys pressed'],
];
const STEP_MS = 1_000;
const LARGE_STEP_MS = 5_000;

export function Timeline({
  player,
  levels,
  bands,
  durationMs,
  audioUrl,
}: {
  player: Player;
  levels: Levels | null;
  bands: readonly Band[];
  durationMs: number;
  audioUrl: string | null;
}) {
  const [range, setRange] = useState<ViewRange>(() => whole(durationMs));
  const shown = useMemo(() => fitting(range, durationMs), [range, durationMs]);
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const legend = useRef<HTMLUListElement>(null);
  const width = useWidth(box);
  const [colours, looked] = useColours(legend);
  const close = useCloseUp(audioUrl, shown, levels?.bucketMs ?? 0, width);
  const longestBandMs = useMemo(() => longestOf(bands), [bands]);
  const latest = useRef({ shown, durationMs, width });
  latest.current = { shown, durationMs, width };

  useLayoutEffect(() => {
    if (canvas.current === null || colours === null) return;
    const strength: Strength | null = close ?? (levels === null ? null : { fromMs: 0, ...levels });
    drawTimeline(canvas.current, width, { range: shown, strength, bands, longestBandMs, durationMs, colours });
    if (levels !== null && width > 0) performance.mark('trk-timeline-drawn');
  }, [shown, levels, close, bands, width, colours, looked, durationMs]);

  // The playhead, and the range that follows it while the call plays.
  useEffect(() => {
    const move = (): void => {
      const now = latest.current;
      const at = player.positionMs();
      if (player.state().playing && (at < now.shown.fromMs || at > now.shown.toMs))
        setRange(holding(now.shown, now.durationMs, at));
      const x = ((at - now.shown.fromMs) / (now.shown.toMs - now.shown.fromMs)) * now.width;
      if (head.current === null) return;
      head.current.style.transform = `translateX(${Math.round(x * 2) / 2}px)`;
      head.current.hidden = x < 0 || x > now.width;
    };
    move();
    return player.watch(move);
  }, [player, shown, width]);

  // The reader went somewhere by a click elsewhere: it is shown.
  useEffect(
    () =>
      player.onSeek((ms) =>
        setRange((now) => holding(fitting(now, latest.current.durationMs), latest.current.durationMs, ms)),
      ),
    [player],
  );

  // A native scrollbar says where in the call this is; both follow each other. What the bar is set to here comes back as an
  // event, when the range may be another already: only what the reader did to it counts.
  const barLeft = useRef(0);
  useLayoutEffect(() => {
    const bar = scroller.current;
    if (bar === null) return;
    bar.scrollLeft = (shown.fromMs / (shown.toMs - shown.fromMs)) * width;
    barLeft.current = bar.scrollLeft;
  }, [shown, width]);
  const scrolled = (): void => {
    const bar = scroller.current;
    if (bar === null || width === 0 || Math.abs(bar.scrollLeft - barLeft.current) <= 1) return;
    const { shown: now, durationMs: all } = latest.current;
    const fromMs = (bar.scrollLeft / width) * (now.toMs - now.fromMs);
    setRange(moved(now, all, fromMs - now.fromMs));
  };

  // Not passive: with Ctrl the browser would zoom the whole page.
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const wheel = (event: WheelEvent): void => {
      const { shown: now, durationMs: all, width: wide } = latest.current;
      const perPixel = (now.toMs - now.fromMs) / Math.max(1, wide);
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const at = now.fromMs + (event.clientX - element.getBoundingClientRect().left) * perPixel;
        setRange(zoomed(now, all, Math.exp(-event.deltaY / 300), at));
        return;
      }
      const across = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
      if (Math.abs(across) <= Math.abs(event.shiftKey ? 0 : event.deltaY)) return;
      event.preventDefault();
      setRange(moved(now, all, across * perPixel));
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, []);

  const zoom = (factor: number): void => {
    const at = player.positionMs();
    const middle = (shown.fromMs + shown.toMs) / 2;
    setRange(zoomed(shown, durationMs, factor, at >= shown.fromMs && at <= shown.toMs ? at : middle));
  };
  const seekTo = (event: PointerEvent): void => {
    const { left } = (box.current as HTMLDivElement).getBoundingClientRect();
    player.seek(shown.fromMs + ((event.clientX - left) / Math.max(1, width)) * (shown.toMs - shown.fromMs));
  };
  const pressed = (event: KeyboardEvent): void => {
    const at = player.positionMs();
    const keys: Record<string, () => void> = {
      ArrowLeft: () => player.seek(at - (event.shiftKey ? LARGE_STEP_MS : STEP_MS)),
      ArrowRight: () => player.seek(at + (event.shiftKey ? LARGE_STEP_MS : STEP_MS)),
      ArrowDown: () => player.seek(at - LARGE_STEP_MS),
      ArrowUp: () => player.seek(at + LARGE_STEP_MS),
      PageDown: () => player.seek(at - 60_000),
      PageUp: () => player.seek(at + 60_000),
      Home: () => player.seek(0),
      End: () => player.seek(durationMs),
      ' ': () => player.toggle(),
      '+': () => zoom(2),
      '=': () => zoom(2),
      '-': () => zoom(0.5),
    };
    const act = keys[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };

  return (
    <section class="call-timeline card" aria-label="Timeline">
      <Controls player={player} durationMs={durationMs} zoom={zoom} showAll={() => setRange(whole(durationMs))} />
      <div
        ref={box}
        class="call-picture"
        style={{ height: `${HEIGHT}px` }}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          seekTo(event);
        }}
        onPointerMove={(event) => {
          if (event.currentTarget.hasPointerCapture(event.pointerId)) seekTo(event);
        }}
      >
        <canvas ref={canvas} aria-hidden="true" />
        <Position player={player} durationMs={durationMs} bands={bands} onKeyDown={pressed} />
        <div ref={head} class="call-head" aria-hidden="true" />
      </div>
      <div ref={scroller} class="call-scroller" onScroll={scrolled} tabIndex={-1} aria-hidden="true">
        <div style={{ width: `${(durationMs / (shown.toMs - shown.fromMs)) * width}px` }} />
      </div>
      <ul ref={legend} class="call-legend" aria-label="Colours">
        {LEGEND.map(([colour, name, meaning]) => (
          <li key={colour} title={meaning}>
            <span class={`call-swatch ${colour}`} data-colour={colour} />
            {name}
          </li>
        ))}
        <li class="call-keys soft" title="With the focus on the picture">
          <kbd>Space</kbd> play, <kbd>←</kbd> <kbd>→</kbd> 1 s, with <kbd>Shift</kbd> 5 s, <kbd>+</kbd> <kbd>−</kbd>{' '}
          zoom
        </li>
      </ul>
      {(['text', 'soft', 'line', 'back'] as const).map((colour) => (
        <span key={colour} class={`call-probe ${colour}`} data-colour={colour} hidden />
      ))}
    </section>
  );
}

/** A range that was the whole of a shorter call (it is under way) is the whole of the longer one. */
function fitting(range: ViewRange, durationMs: number): ViewRange {
  const width = Math.min(range.toMs - range.fromMs, Math.max(1, durationMs));
  const fromMs = Math.max(0, Math.min(range.fromMs, durationMs - width));
  return { fromMs, toMs: fromMs + Math.max(1, width) };
}

const RATES = [1, 1.5, 2] as const;
const stateOf = (player: Player) => player.state();
const tenthsOf = (player: Player): number => Math.floor(player.positionMs() / 100);

function Controls({
  player,
  durationMs,
  zoom,
  showAll,
}: {
  player: Player;
  durationMs: number;
  zoom: (factor: number) => void;
  showAll: () => void;
}) {
  const { playing, playable, rate, skipsSilence, error } = useWatched(player, stateOf);
  return (
    <div class="row call-controls">
      <Button kind="primary" disabled={!playable} onClick={() => player.toggle()} class="call-play">
        {playing ? '❚❚ Pause' : '▶ Play'}
      </Button>
      <span class="number call-place">
        <Clock player={player} /> <span class="soft">/ {place(durationMs)}</span>
      </span>
      <div class="row call-tight" role="group" aria-label="Speed">
        {RATES.map((one) => (
          <Button
            key={one}
            kind="quiet"
            disabled={!playable}
            aria-pressed={rate === one}
            onClick={() => player.setRate(one)}
          >
            {one} ×
          </Button>
        ))}
      </div>
      <label class="call-check">
        <input
          type="checkbox"
          checked={skipsSilence}
          disabled={!playable}
          onChange={(event) => player.setSkipsSilence(event.currentTarget.checked)}
        />
        Skip silence
      </label>
      {error !== '' && (
        <span class="call-error" role="alert">
          {error}
        </span>
      )}
      <div class="row call-tight end" role="group" aria-label="Zoom">
        <Button
          kind="quiet"
          onClick={() => zoom(0.5)}
          aria-label="Zoom out"
          title="Zoom out; Ctrl and the wheel do it too"
        >
          −
        </Button>
        <Button kind="quiet" onClick={() => zoom(2)} aria-label="Zoom in" title="Zoom in; Ctrl and the wheel do it too">
          +
        </Button>
        <Button kind="quiet" onClick={showAll}>
          Whole call
        </Button>
      </div>
    </div>
  );
}

const Clock = ({ player }: { player: Player }) => <>{place(useWatched(player, tenthsOf) * 100)}</>;

/** What keyboard and screen readers hold: a slider over the picture. It speaks in whole seconds. */
function Position({
  player,
  durationMs,
  bands,
  onKeyDown,
}: {
  player: Player;
  durationMs: number;
  bands: readonly Band[];
  onKeyDown: (event: KeyboardEvent) => void;
}) {
  const second = useWatched(player, secondOf);
  const now = bands.filter(
    ({ fromMs, toMs, kind }) => kind in SPOKEN && fromMs <= second * 1_000 + 999 && toMs >= second * 1_000,
  );
  const what = [...new Set(now.map(({ kind }) => SPOKEN[kind] as string))].join(', ');
  return (
    <div
      class="call-position"
      role="slider"
      tabIndex={0}
      aria-label="Position in the call"
      aria-valuemin={0}
      aria-valuemax={Math.round(durationMs / 1_000)}
      aria-valuenow={second}
      aria-valuetext={`${place(second * 1_000)} of ${place(durationMs)}${what === '' ? '' : `, ${what}`}`}
      onKeyDown={onKeyDown}
    />
  );
}

const secondOf = (player: Player): number => Math.floor(player.positionMs() / 1_000);
const SPOKEN: Partial<Record<Band['kind'], string>> = {
  caller: 'caller speaks',
  agent: 'agent is heard',
  barge_in: 'barge-in',
  tool: 'tool runs',
  silence: 'silence',
  key: 'key pressed',
};

/** How wide an element is, in pixels of the document. */
function useWidth(ref: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    setWidth(element.clientWidth);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return width;
}

/** The colours that the page has now, of elements that have them: a canvas does not know light from dark. */
function useColours(legend: { current: HTMLElement | null }): readonly [Colours | null, number] {
  const [colours, set] = useState<Colours | null>(null);
  const [looked, setLooked] = useState(0);
  useLayoutEffect(() => {
    const look = (): void => {
      const found: Partial<Colours> = {};
      for (const one of legend.current?.parentElement?.querySelectorAll<HTMLElement>('[data-colour]') ?? [])
        found[one.dataset['colour'] as keyof Colours] = getComputedStyle(one).color;
      set(found as Colours);
      setLooked((n) => n + 1);
    };
    look();
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', look);
    const themes = new MutationObserver(look);
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    return () => {
      dark.removeEventListener('change', look);
      themes.disconnect();
    };
  }, []);
  return [colours, looked];
}

const PAUSE_MS = 200;

/** Finer levels of what is shown, once it is shown closely; null: not close, not there yet, or there is no recording. */
function useCloseUp(url: string | null, range: ViewRange, bucketMs: number, width: number): CloseUp | null {
  const [close, setClose] = useState<CloseUp | null>(null);
  const shownMs = range.toMs - range.fromMs;
  const coarse = bucketMs > (shownMs / Math.max(1, width)) * 1.5;
  const wanted = url !== null && coarse && shownMs <= LONGEST_MS;
  const covered = close !== null && close.fromMs <= range.fromMs + 1 && close.toMs >= range.toMs - 100;
  useEffect(() => {
    if (!wanted || covered) return undefined;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      const around = shownMs / 2;
      // Without it the coarse picture stays.
      loadCloseUp(url, range.fromMs - around, range.toMs + around, abort.signal).then(setClose, () => {});
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [url, wanted, covered, range]);
  return wanted && covered ? close : null;
}
