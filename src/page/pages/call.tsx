// One call: its timeline on top, and what was said, how long it took, what it cost and what went over the sockets below.
import { useEffect, useLayoutEffect, useMemo, useState } from 'preact/hooks';
import { useApi } from '../api.ts';
import { bandsOf, SILENCE_MS, silences } from '../call/bands.ts';
import { BillTab } from '../call/bill-tab.tsx';
import { EventsTab } from '../call/events-tab.tsx';
import { extrasOf } from '../call/extras.ts';
import { AgentTab, FilesTab } from '../call/file-tabs.tsx';
import { Header } from '../call/header.tsx';
import { usePlayer } from '../call/player.ts';
import { storyOf } from '../call/story.ts';
import { Timeline } from '../call/timeline.tsx';
import { Transcript } from '../call/transcript.tsx';
import { TurnsTab } from '../call/turns-tab.tsx';
import type { Call, Levels, TapeEvents } from '../call/types.ts';
import { party } from '../format.ts';
import { setQuery, usePlace } from '../router.ts';
import { Button, Empty, Failure, Link, Loading, Notice, Tabs, useTitle } from '../ui.tsx';
import '../call/call.css';

const TABS = [
  ['transcript', 'Transcript'],
  ['turns', 'Turns'],
  ['bill', 'Bill'],
  ['events', 'Events'],
  ['agent', 'Agent'],
  ['files', 'Files'],
] as const;
type Tab = (typeof TABS)[number][0];

const BUCKETS = 2_000;
/** A call under way is looked at anew. */
const AGAIN_MS = 5_000;
/** The address follows the reader, not every pixel of a drag: browsers refuse too many changes. */
const ADDRESS_MS = 400;

export function CallPage({ id }: { id: string }) {
  const asked = useApi<Call>(`/calls/${id}`);
  const drawn = useApi<Levels>(`/calls/${id}/levels?buckets=${BUCKETS}`);
  const call = asked.data;
  useTitle(call === null ? 'Call' : `${party(call.from)}, ${call.agent}`);
  if (call === null)
    return asked.error?.status === 404 ? (
      <Empty whole title="There is no such call">
        <p>
          It may have been removed by the retention of its agent, or the address is cut off.{' '}
          <Link href="/calls">All calls</Link>
        </p>
      </Empty>
    ) : (
      <>
        <Failure error={asked.error} retry={asked.reload} />
        {asked.loading && <Loading what="Loading the call" />}
      </>
    );
  return (
    <Known
      call={call}
      levels={drawn.data}
      reload={() => {
        asked.reload();
        drawn.reload();
      }}
      trouble={
        <>
          <Failure error={asked.error} retry={asked.reload} />
          {/* What cannot be drawn is said once: the server may be away for both. */}
          {asked.error === null && <Failure error={drawn.error} retry={drawn.reload} />}
        </>
      }
    />
  );
}

function Known({
  call,
  levels,
  reload,
  trouble,
}: {
  call: Call;
  levels: Levels | null;
  reload: () => void;
  trouble: preact.ComponentChildren;
}) {
  const { query } = usePlace();
  const tab = TABS.find(([name]) => name === query.get('tab'))?.[0] ?? 'transcript';
  const [startMs] = useState(() => Math.max(0, (Number(query.get('t')) || 0) * 1_000));
  const player = usePlayer(startMs);
  const underWay = call.endedWallMs === null;
  const [round, setRound] = useState(0);

  // The record is written when the call is over.
  const record = useApi<unknown>(underWay ? null : `/calls/${call.callId}/record`);
  const extras = useMemo(() => (record.data === null ? null : extrasOf(record.data)), [record.data]);
  const wantsKeys = underWay || extras === null || extras.keysPressed > 0;
  const keys = useApi<TapeEvents>(
    wantsKeys && (underWay || !record.loading)
      ? `/calls/${call.callId}/events?from=carrier&text=leg.digit_pressed&limit=1000`
      : null,
  );

  const durationMs = Math.max(1, call.durationMs ?? 0, levels?.durationMs ?? 0, lastOf(call));
  const bands = useMemo(
    () =>
      bandsOf(
        call.turns,
        call.tools,
        (keys.data?.events ?? []).map(({ atMs }) => atMs),
        durationMs,
        extras?.ourStopsAtMs,
      ),
    [call, keys.data, durationMs, extras],
  );
  const story = useMemo(() => storyOf(call.turns, call.tools, extras), [call, extras]);
  const hasAudio = levels?.from === 'audio';
  // A browser says of a download that is not there that it failed, and not why: it is not offered.
  const there = {
    audio: hasAudio,
    tape: levels?.from !== 'turns' && keys.error?.status !== 404,
    record: !underWay && record.error?.status !== 404,
  };
  const audioUrl = hasAudio ? `/api/calls/${call.callId}/audio` : null;
  useLayoutEffect(
    () => player.knows({ durationMs, url: audioUrl, silences: silences(bands, durationMs, SILENCE_MS) }),
    [durationMs, audioUrl, bands],
  );

  // Where the reader went is in the address.
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = player.onSeek((ms) => {
      clearTimeout(timer);
      timer = setTimeout(
        () => setQuery({ t: ms === 0 ? null : (ms / 1_000).toFixed(1) }, { replace: true }),
        ADDRESS_MS,
      );
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [player]);
  useEffect(() => {
    if (!underWay) return undefined;
    const timer = setInterval(() => {
      if (document.hidden || player.state().playing) return;
      reload();
      setRound((n) => n + 1);
    }, AGAIN_MS);
    return () => clearInterval(timer);
  }, [underWay]);

  return (
    <>
      {trouble}
      {underWay && (
        <Notice tone="info">
          This call is under way, or its process died. <Link href={`/live/${call.callId}`}>See it live</Link>; what is
          kept so far shows here. <Button onClick={reload}>Load anew</Button>
        </Notice>
      )}
      <Header call={call} extras={extras} durationMs={durationMs} there={there} player={player} />
      <Timeline player={player} levels={levels} bands={bands} durationMs={durationMs} audioUrl={audioUrl} />
      {levels !== null && !hasAudio && (
        <p class="hint call-why">
          There is no recording to play: {WHY[levels.from]} The agent does not record calls, or the recording was
          removed by its retention.
        </p>
      )}
      <Tabs<Tab>
        label="Parts of the call"
        tabs={TABS}
        chosen={tab}
        choose={(name) => setQuery({ tab: name === 'transcript' ? null : name }, { replace: true })}
      >
        {tab === 'transcript' && <Transcript entries={story} player={player} underWay={underWay} />}
        {tab === 'turns' && <TurnsTab call={call} player={player} />}
        {tab === 'bill' && <BillTab call={call} round={round} />}
        {tab === 'events' && <EventsTab callId={call.callId} player={player} underWay={underWay} />}
        {tab === 'agent' && <AgentTab callId={call.callId} />}
        {tab === 'files' && (
          <FilesTab call={call} record={{ data: record.data, error: record.error?.message ?? '' }} there={there} />
        )}
      </Tabs>
    </>
  );
}

const WHY: Record<Levels['from'], string> = {
  audio: '',
  tape: 'what you see is who spoke when, by the tape.',
  turns: 'what you see is who spoke when, by the turns that are kept.',
};

/** The end of what is known of a call that has no length yet. */
function lastOf(call: Call): number {
  let last = 0;
  for (const { atMs, committedAtMs, soundAtMs, heardMs } of call.turns)
    last = Math.max(last, atMs ?? 0, committedAtMs ?? 0, (soundAtMs ?? 0) + (heardMs ?? 0));
  for (const { atMs, durationMs } of call.tools) last = Math.max(last, atMs + (durationMs ?? 0));
  return last;
}
