// The running transcript: follows the end unless the reader scrolls up, draws a window of it, and reads finished lines out to
// those who want that. Everything in it is somebody's words: text, and nothing but text.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { LiveEntry } from '../../dashboard/schemas/live.ts';
import { latency, number, place, pretty } from '../format.ts';
import { inBrowser } from '../memory.ts';
import { Badge, Button, type Tone } from '../ui.tsx';
import { DRAWN, finalLines, firstDrawn, KIND_WORDS } from './transcript.ts';

const ALOUD = 'trk-live-aloud';
/** So near to the end counts as at the end, in pixels. */
const NEAR = 40;
/** Lines read out at once; whoever comes late hears the latest. */
const MOST_ALOUD = 3;

export function TranscriptLog({ entries, over }: { entries: readonly LiveEntry[]; over: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  /** Number of the first entry drawn when the reader left the end; null: they follow. */
  const [stoppedAt, setStoppedAt] = useState<number | null>(null);
  const [seen, setSeen] = useState(0);
  const first = firstDrawn(entries, stoppedAt);
  const drawn = entries.slice(first);
  const latest = entries.at(-1)?.entry ?? 0;
  const fromEnd = useRef<number | null>(null);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    if (fromEnd.current !== null) {
      // Earlier ones came above: what was seen stays where it was.
      element.scrollTop = element.scrollHeight - fromEnd.current;
      fromEnd.current = null;
    } else if (stoppedAt === null) element.scrollTop = element.scrollHeight;
  }, [entries, stoppedAt]);

  // A box of another size shows another part: whoever follows the end goes on doing so.
  const following = useRef(true);
  following.current = stoppedAt === null;
  const size = useRef('');
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => {
      size.current = sizeOf(element);
      if (following.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const scrolled = (): void => {
    const element = box.current;
    // Moved by its new size, and not by the reader.
    if (element === null || size.current !== sizeOf(element)) return;
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight <= NEAR;
    if (atEnd && stoppedAt !== null) setStoppedAt(null);
    if (!atEnd && stoppedAt === null) {
      setStoppedAt(entries[first]?.entry ?? 0);
      setSeen(latest);
    }
  };
  const newest = (): void => {
    setStoppedAt(null);
    box.current?.focus({ preventScroll: true });
  };
  const earlier = (): void => {
    const element = box.current;
    fromEnd.current = element === null ? null : element.scrollHeight - element.scrollTop;
    setStoppedAt(entries[Math.max(0, first - DRAWN)]?.entry ?? 0);
    setSeen(latest);
  };
  const missed = stoppedAt === null ? 0 : entries.filter(({ entry }) => entry > seen).length;

  return (
    <section class="card live-log-card" aria-labelledby="live-log-name">
      <div class="row spread live-log-top">
        <h2 id="live-log-name">Transcript</h2>
        <ReadOut entries={entries} over={over} />
      </div>
      {/* The log is silent by itself, because lines grow while they are spoken; ReadOut tells those that are finished. */}
      <div
        ref={box}
        class="live-log"
        role="log"
        aria-live="off"
        aria-label="Running transcript"
        tabIndex={0}
        onScroll={scrolled}
        onKeyDown={(event) => {
          if (event.key === 'End') newest();
        }}
      >
        {first > 0 && (
          <p>
            <Button kind="quiet" onClick={earlier}>
              Show earlier ({number(first)})
            </Button>
          </p>
        )}
        {drawn.map((entry) => (
          <Entry key={entry.entry} entry={entry} />
        ))}
        {entries.length === 0 && <p class="soft">Nothing was said yet. Words appear as they are spoken.</p>}
      </div>
      {stoppedAt !== null && (
        <Button kind="primary" class="live-newest" onClick={newest}>
          ↓ newest{missed > 0 ? ` (${number(missed)})` : ''}
        </Button>
      )}
    </section>
  );
}

const sizeOf = ({ clientWidth, clientHeight }: HTMLElement): string => `${clientWidth} ${clientHeight}`;

function ReadOut({ entries, over }: { entries: readonly LiveEntry[]; over: boolean }) {
  const [on, setOn] = useState(() => inBrowser.getItem(ALOUD) === 'on');
  const [lines, setLines] = useState<string[]>([]);
  const upTo = useRef<number | null>(null);
  useEffect(() => {
    // What was there when the reader came is not read out.
    if (upTo.current === null) {
      if (entries.length > 0) upTo.current = entries.at(-1)?.entry ?? 0;
      return;
    }
    const final = finalLines(entries, upTo.current, over);
    upTo.current = final.upTo;
    if (on && final.lines.length > 0) setLines(final.lines.slice(-MOST_ALOUD));
  }, [entries, over]);
  return (
    <>
      <label class="live-check">
        <input
          type="checkbox"
          checked={on}
          onChange={({ currentTarget }) => {
            inBrowser.setItem(ALOUD, currentTarget.checked ? 'on' : 'off');
            setOn(currentTarget.checked);
            setLines([]);
          }}
        />
        Screen reader: read new lines
      </label>
      <div class="visually-hidden" aria-live="polite" data-testid="read-out">
        {lines.map((line) => (
          <p key={line}>{line}</p>
        ))}
      </div>
    </>
  );
}

function Entry({ entry }: { entry: LiveEntry }): JSX.Element {
  return useMemo(() => drawEntry(entry), [entry]);
}

const drawEntry = (entry: LiveEntry): JSX.Element => (
  <div class="live-entry" data-entry={entry.entry} data-kind={entry.kind}>
    <span class="live-at number" title="Since the media started">
      {place(entry.atMs)}
    </span>
    <EntryBody entry={entry} />
  </div>
);

function EntryBody({ entry }: { entry: LiveEntry }): JSX.Element {
  const { kind, text, heard, unheard, tool } = entry;
  if (kind === 'caller' || kind === 'agent')
    return (
      <div class={`live-said ${kind}`}>
        <span class={`live-by ${kind}`}>{KIND_WORDS[kind]}</span>{' '}
        {kind === 'agent' && unheard !== null && unheard !== '' ? (
          <span>
            {heard}{' '}
            <del title="Said by the model, but never heard by the caller">
              <span class="visually-hidden">(not heard: </span>
              {unheard}
              <span class="visually-hidden">)</span>
            </del>
          </span>
        ) : (
          <bdi>{text === '' ? <span class="soft">…</span> : text}</bdi>
        )}
      </div>
    );
  if (kind === 'tool')
    return (
      <details class="live-tool">
        <summary>
          <strong>{text}</strong>
          <ToolStatus status={tool?.status ?? 'running'} />
          {tool?.durationMs !== null && tool?.durationMs !== undefined && (
            <span class="soft number">{latency(tool.durationMs)}</span>
          )}
        </summary>
        <h3>Arguments</h3>
        <pre>{pretty(tool?.arguments ?? '')}</pre>
        <h3>Result</h3>
        <pre>{tool?.output === null || tool === null ? 'none yet' : pretty(tool.output)}</pre>
      </details>
    );
  return (
    <div class={`live-note ${kind}`}>
      <strong>{KIND_WORDS[kind]}</strong> <bdi>{text}</bdi>
    </div>
  );
}

const TOOL_TONES: Record<string, Tone> = { running: 'info', ok: 'good', built_in: 'good' };

const ToolStatus = ({ status }: { status: string }) => (
  <Badge tone={TOOL_TONES[status] ?? 'warn'}>{status.replaceAll('_', ' ')}</Badge>
);
