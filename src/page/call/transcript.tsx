// The transcript, aligned with the sound: a click on a line goes there, the line that is heard is marked and kept in sight until
// the reader scrolls away. Long ones are drawn in blocks, those in sight only; short ones whole, so that the browser finds in them.
import type { ComponentChildren } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { latency, number, place } from '../format.ts';
import { Button, Empty } from '../ui.tsx';
import type { Player } from './player.ts';
import { useWatched } from './player.ts';
import { type Entry, heardAt, marked, search } from './story.ts';
import { ToolCard } from './tool-card.tsx';

const BLOCK = 40;
/** So many are drawn whole. */
const WHOLE = 400;
const ENTRY_HEIGHT = 58;
/** Pixels round what is in sight that are drawn too. */
const AROUND = 800;

export function Transcript({
  entries,
  player,
  underWay,
}: {
  entries: readonly Entry[];
  player: Player;
  underWay: boolean;
}) {
  const heard = useWatched(
    player,
    useCallback((one: Player) => heardAt(entries, one.positionMs()), [entries]),
  );
  const playing = useWatched(player, isPlaying);
  const [wanted, setWanted] = useState('');
  const hits = useMemo(() => search(entries, wanted), [entries, wanted]);
  const [hit, setHit] = useState(0);
  const [follows, setFollows] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const [asked, setAsked] = useState<{ index: number; round: number } | null>(null);
  const show = useCallback((index: number) => setAsked((last) => ({ index, round: (last?.round ?? 0) + 1 })), []);

  // What is heard stays in sight while it plays, and where the reader went by the timeline.
  useEffect(() => {
    if (playing && follows && heard >= 0) show(heard);
  }, [heard, playing, follows]);
  useEffect(() => {
    if (playing) setFollows(true);
  }, [playing]);
  useEffect(
    () =>
      player.onSeek((ms) => {
        setFollows(true);
        const index = heardAt(entries, ms);
        if (index >= 0) show(index);
      }),
    [player, entries],
  );
  useEffect(() => {
    const at = heardAt(entries, player.positionMs());
    if (player.positionMs() > 0 && at > 0) show(at);
  }, []);
  const goTo = (next: number): void => {
    if (hits.length === 0) return;
    const at = (next + hits.length) % hits.length;
    setHit(at);
    setFollows(false);
    show(hits[at] as number);
  };
  useEffect(() => {
    setHit(0);
    if (hits.length > 0) {
      setFollows(false);
      show(hits[0] as number);
    }
  }, [wanted]);

  if (entries.length === 0)
    return (
      <Empty title="Nobody said anything">
        <p>
          {underWay
            ? 'What is said shows up here while the call goes on.'
            : 'Or the words are not kept any more: retention of the agent file removes them.'}
        </p>
      </Empty>
    );
  return (
    <div class="call-transcript">
      <form
        class="row call-search"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          goTo(hit + 1);
        }}
      >
        <input
          type="search"
          value={wanted}
          placeholder="Search the transcript"
          aria-label="Search the transcript"
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
        <span class="soft number call-hits" role="status">
          {wanted.trim() === ''
            ? ''
            : hits.length === 0
              ? 'nothing found'
              : `${number(hit + 1)} of ${number(hits.length)}`}
        </span>
        <Button kind="quiet" disabled={hits.length === 0} onClick={() => goTo(hit - 1)} aria-label="Previous find">
          ↑
        </Button>
        <Button kind="quiet" disabled={hits.length === 0} type="submit" aria-label="Next find">
          ↓
        </Button>
        {playing && !follows && (
          <Button class="end" onClick={() => setFollows(true)}>
            Follow the sound
          </Button>
        )}
      </form>
      <div
        ref={box}
        class="call-lines"
        tabIndex={0}
        role="region"
        aria-label="Transcript"
        onWheel={() => setFollows(false)}
        onTouchMove={() => setFollows(false)}
        onKeyDown={(event) => {
          if (SCROLLS.has(event.key)) setFollows(false);
        }}
      >
        <Lines
          entries={entries}
          player={player}
          heard={heard}
          wanted={wanted}
          hit={hits[hit] ?? -1}
          asked={asked}
          box={box}
        />
      </div>
    </div>
  );
}

const isPlaying = (player: Player): boolean => player.state().playing;
const SCROLLS = new Set(['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End']);

interface LinesProps {
  entries: readonly Entry[];
  player: Player;
  heard: number;
  wanted: string;
  hit: number;
  /** Bring this one into sight. */
  asked: { index: number; round: number } | null;
  box: { current: HTMLDivElement | null };
}

function Lines({ entries, player, heard, wanted, hit, asked, box }: LinesProps) {
  const isWhole = entries.length <= WHOLE;
  const blocks = useMemo(
    () =>
      Array.from({ length: Math.ceil(entries.length / BLOCK) }, (_, i) => entries.slice(i * BLOCK, (i + 1) * BLOCK)),
    [entries],
  );
  const [inSight, setInSight] = useState<ReadonlySet<number>>(new Set([0, 1]));
  const heights = useRef(new Map<number, number>());
  const askedBlock = asked === null ? -1 : Math.floor(asked.index / BLOCK);

  useEffect(() => {
    if (isWhole || box.current === null) return undefined;
    const observer = new IntersectionObserver(
      (changes) =>
        setInSight((before) => {
          const now = new Set(before);
          for (const { target, isIntersecting, boundingClientRect } of changes) {
            const block = Number((target as HTMLElement).dataset['block']);
            if (isIntersecting) now.add(block);
            else {
              // What was drawn keeps its height when it is taken away.
              if (before.has(block) && boundingClientRect.height > 0)
                heights.current.set(block, boundingClientRect.height);
              now.delete(block);
            }
          }
          return now;
        }),
      { root: box.current, rootMargin: `${AROUND}px 0px` },
    );
    for (const block of box.current.querySelectorAll('[data-block]')) observer.observe(block);
    return () => observer.disconnect();
  }, [isWhole, blocks.length]);

  // Twice: what was not drawn before is now, and its neighbours are where they will be.
  useEffect(() => {
    if (asked === null) return undefined;
    const go = (): void => bringIntoSight(box.current, asked.index);
    go();
    const frame = requestAnimationFrame(go);
    return () => cancelAnimationFrame(frame);
  }, [asked]);
  useEffect(() => performance.mark('trk-transcript-drawn') && undefined, []);

  return (
    <div role="list">
      {blocks.map((block, i) => {
        const drawn = isWhole || inSight.has(i) || i === askedBlock;
        const first = i * BLOCK;
        const within = (index: number): number => (index >= first && index < first + BLOCK ? index : -1);
        return (
          <div key={i} data-block={i} role="presentation">
            {drawn ? (
              <Block
                block={block}
                first={first}
                total={entries.length}
                player={player}
                heard={within(heard)}
                hit={within(hit)}
                wanted={wanted}
              />
            ) : (
              <div style={{ height: `${heights.current.get(i) ?? block.length * ENTRY_HEIGHT}px` }} />
            )}
          </div>
        );
      })}
    </div>
  );
}

/** Only the transcript moves, never the page under the reader. */
function bringIntoSight(box: HTMLDivElement | null, index: number): void {
  const line = box?.querySelector<HTMLElement>(`[data-entry="${index}"]`);
  if (!box || !line) return;
  const [outer, inner] = [box.getBoundingClientRect(), line.getBoundingClientRect()];
  if (inner.top >= outer.top + 8 && inner.bottom <= outer.bottom - 8) return;
  box.scrollTop += inner.top - outer.top - outer.height / 3;
}

/** Some lines; drawn anew only when something of them changes. */
function Block(props: {
  block: readonly Entry[];
  first: number;
  total: number;
  player: Player;
  heard: number;
  hit: number;
  wanted: string;
}) {
  const { block, first, total, player, heard, hit, wanted } = props;
  return useMemo(
    () => (
      <>
        {block.map((entry, i) => (
          <Line
            key={entry.key}
            entry={entry}
            index={first + i}
            total={total}
            player={player}
            isHeard={first + i === heard}
            isHit={first + i === hit}
            wanted={wanted}
          />
        ))}
      </>
    ),
    [block, first, total, player, heard, hit, wanted],
  );
}

function Line({
  entry,
  index,
  total,
  player,
  isHeard,
  isHit,
  wanted,
}: {
  entry: Entry;
  index: number;
  total: number;
  player: Player;
  isHeard: boolean;
  isHit: boolean;
  wanted: string;
}) {
  const seek = (event: MouseEvent): void => {
    // Whoever marks words or opens a tool does not want to go anywhere.
    if ((event.target as Element).closest('details, button') !== null || String(getSelection()) !== '') return;
    player.seek(entry.fromMs);
  };
  const kind = entry.kind === 'aside' ? `aside ${entry.tone}` : entry.kind;
  return (
    <div
      class={`call-line ${kind}${isHeard ? ' heard' : ''}${isHit ? ' hit' : ''}`}
      role="listitem"
      aria-setsize={total}
      aria-posinset={index + 1}
      aria-current={isHeard ? 'true' : undefined}
      data-entry={index}
      onClick={seek}
    >
      <button
        type="button"
        class="call-at number"
        onClick={() => player.seek(entry.fromMs)}
        aria-label={`Go to ${place(entry.fromMs)}`}
      >
        {place(entry.fromMs)}
      </button>
      <Said entry={entry} wanted={wanted} isHit={isHit} />
    </div>
  );
}

function Said({ entry, wanted, isHit }: { entry: Entry; wanted: string; isHit: boolean }): ComponentChildren {
  switch (entry.kind) {
    case 'caller':
      return (
        <p>
          <b class="call-who">Caller</b>{' '}
          {entry.turn.said === null ? (
            <i class="soft">words not known</i>
          ) : (
            <Marked text={entry.turn.said} wanted={wanted} />
          )}
        </p>
      );
    case 'agent':
      return (
        <p>
          <b class="call-who">Agent</b> <AgentWords entry={entry} wanted={wanted} />
        </p>
      );
    case 'barge_in':
      return (
        <p class="call-mark">
          <span aria-hidden="true">✂</span> {entry.ours ? 'Stopped by us' : 'Barge-in'}
          {entry.unheardMs > 0 ? `: ${latency(entry.unheardMs)} were never heard` : ''}
        </p>
      );
    case 'tool':
      return <ToolCard tool={entry.tool} open={isHit && wanted.trim() !== ''} />;
    case 'aside':
      return (
        <p>
          <b>{entry.what}</b> <Marked text={entry.text} wanted={wanted} />
        </p>
      );
  }
}

function AgentWords({ entry: { turn }, wanted }: { entry: Entry & { kind: 'caller' | 'agent' }; wanted: string }) {
  const { said, heard, unheard } = turn;
  if (said === null) return <i class="soft">words not known</i>;
  // Where words and sound could not be matched, nobody knows which of them were heard.
  if (heard === null || unheard === null) return <Marked text={said} wanted={wanted} />;
  return (
    <>
      <Marked text={heard} wanted={wanted} />
      {unheard !== '' && (
        <>
          {' '}
          <del title="Generated, and never heard by the caller">
            <span class="visually-hidden">(never heard: </span>
            <Marked text={unheard} wanted={wanted} />
            <span class="visually-hidden">)</span>
          </del>
        </>
      )}
      {turn.whole === false && (
        <span class="soft" title="It was stopped while the model was still producing it: words and sound may not match">
          {' '}
          …
        </span>
      )}
    </>
  );
}

function Marked({ text, wanted }: { text: string; wanted: string }) {
  if (wanted.trim() === '') return <>{text}</>;
  return <>{marked(text, wanted).map((piece, i) => (piece.hit ? <mark key={i}>{piece.text}</mark> : piece.text))}</>;
}
