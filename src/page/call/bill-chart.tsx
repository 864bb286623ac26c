// How the cost of a call grew. The numbers stand in the table as well: this is a picture of it.
import { useEffect, useRef } from 'preact/hooks';
import { duration, usd } from '../format.ts';
import type { Running } from './bill-sums.ts';

const HEIGHT = 170;

export function BillChart({ running, totalNanoUsd }: { running: Running; totalNanoUsd: number }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (element === null || running.seconds.length < 2) return undefined;
    let over = false;
    let close = (): void => {};
    void draw(element, running).then((closer) => {
      if (over) closer();
      else close = closer;
    });
    return () => {
      over = true;
      close();
    };
  }, [running]);
  if (running.seconds.length < 2) return null;
  return (
    <figure class="card call-chart">
      <figcaption class="soft">Running total</figcaption>
      <div
        ref={box}
        role="img"
        aria-label={`The cost grew to ${usd(totalNanoUsd)}`}
        style={{ minHeight: `${HEIGHT}px` }}
      />
    </figure>
  );
}

/** The library comes when a chart is to be seen. @returns what takes the chart away */
async function draw(element: HTMLElement, { seconds, nanoUsd }: Running): Promise<() => void> {
  const [{ default: UPlot }] = await Promise.all([import('uplot'), import('uplot/dist/uPlot.min.css')]);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  let chart: { destroy(): void } | null = null;
  const make = (): void => {
    chart?.destroy();
    const colour = (name: string): string => getComputedStyle(probe(element, name)).color;
    const axis = {
      stroke: colour('soft'),
      grid: { stroke: colour('line'), width: 1 },
      ticks: { stroke: colour('line') },
    };
    const accent = colour('agent');
    chart = new UPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        cursor: { y: false, drag: { x: false, y: false } },
        legend: { show: false },
        scales: { x: { time: false } },
        axes: [
          { ...axis, values: (_, at) => at.map((s) => duration(s * 1_000)) },
          { ...axis, size: 64, values: (_, at) => at.map((dollars) => `$${Number(dollars.toFixed(4))}`) },
        ],
        series: [
          {},
          {
            stroke: accent,
            width: 2,
            fill: accent.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.14)'),
            points: { show: false },
            ...(UPlot.paths.stepped === undefined ? {} : { paths: UPlot.paths.stepped({ align: 1 }) }),
          },
        ],
      },
      [seconds, nanoUsd.map((nano) => nano / 1e9)],
      element,
    );
  };
  make();
  let width = element.clientWidth;
  const sizes = new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    make();
  });
  sizes.observe(element);
  const themes = new MutationObserver(make);
  themes.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
  dark.addEventListener('change', make);
  return () => {
    sizes.disconnect();
    themes.disconnect();
    dark.removeEventListener('change', make);
    chart?.destroy();
  };
}

/** An element that has one of the page's colours. */
function probe(element: HTMLElement, name: string): HTMLElement {
  const found = element.parentElement?.querySelector<HTMLElement>(`.call-probe.${name}`);
  if (found) return found;
  const made = document.createElement('span');
  made.className = `call-probe ${name}`;
  made.hidden = true;
  element.parentElement?.append(made);
  return made;
}
