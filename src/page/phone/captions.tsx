// The running transcript of the phone's own call. Words come from strangers: they are text, and nothing else.
import { Fragment } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { LiveEntry } from '../../dashboard/schemas/live.ts';
import type { LineState, Notice } from './phone-line.ts';
import { Badge, Empty } from '../ui.tsx';

const KINDS: Record<LiveEntry['kind'], string> = {
  caller: 'You',
  agent: 'Agent',
  barge_in: 'Interrupted',
  tool: 'Looks something up',
  operator: 'Operator',
  trouble: 'Trouble',
  transfer: 'Hand-over',
  hand_off: 'Another agent',
  keys: 'Keys',
};

/** So near to the end the reader follows it. */
const NEAR_PX = 60;

export function Captions({ line }: { line: LineState | null }) {
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const entries = [...(line?.entries.values() ?? [])].sort((a, b) => a.atMs - b.atMs || a.entry - b.entry);
  useEffect(() => {
    const { current } = box;
    if (current !== null && follows.current) current.scrollTop = current.scrollHeight;
  });
  const notices = line?.notices ?? [];
  return (
    <div
      class="phone-captions"
      ref={box}
      // A region that scrolls can be reached by keyboard.
      tabIndex={0}
      role="log"
      aria-label="Live captions"
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        follows.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
      }}
    >
      {entries.length === 0 && notices.length === 0 && <Silence line={line} />}
      <Notices of={notices.filter(({ behind }) => behind === null || line?.entries.has(behind) !== true)} />
      {entries.map((entry) => (
        <Fragment key={entry.entry}>
          <Caption entry={entry} />
          <Notices of={notices.filter(({ behind }) => behind === entry.entry)} />
        </Fragment>
      ))}
    </div>
  );
}

const Notices = ({ of }: { of: readonly Notice[] }) => (
  <>
    {of.map(({ kind, text }, i) => (
      <p key={i} class="phone-aside">
        <Badge tone={kind === 'say' ? 'info' : 'warn'}>{kind === 'say' ? 'Announcement' : 'Not here'}</Badge> {text}
      </p>
    ))}
  </>
);

function Silence({ line }: { line: LineState | null }) {
  if (line === null)
    return (
      <Empty title="Nobody is on the line">
        <p>Call an agent: what both of you say is written here while you speak.</p>
      </Empty>
    );
  if (line.end !== null)
    return (
      <Empty title="Nothing was said">
        <p>The call ended without a word that was written down.</p>
      </Empty>
    );
  return (
    <Empty title="Listening">
      <p>What is said shows up here a moment after it is spoken.</p>
    </Empty>
  );
}

function Caption({ entry: { kind, text, heard, unheard, tool } }: { entry: LiveEntry }) {
  if (kind !== 'caller' && kind !== 'agent')
    return (
      <p class="phone-aside">
        <Badge tone={kind === 'trouble' ? 'bad' : kind === 'tool' ? 'info' : 'quiet'}>{KINDS[kind]}</Badge> {text}
        {tool !== null && tool.durationMs !== null && (
          <span class="hint">
            {' '}
            {tool.status}, {tool.durationMs} ms
          </span>
        )}
      </p>
    );
  return (
    <p class={`phone-line ${kind}`}>
      <span class="phone-who">{KINDS[kind]}</span>
      <span>
        {heard === null ? text : heard}
        {unheard !== null && unheard !== '' && (
          <>
            {' '}
            <s title="Said, but never heard">{unheard}</s>
          </>
        )}
      </span>
    </p>
  );
}
