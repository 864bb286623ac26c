// One call that is under way: what is said now, both sides to be heard, and what can be done to it.
import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { LiveCall } from '../../dashboard/schemas/live.ts';
import { number, reasonInWords } from '../format.ts';
import { useConnection } from '../live/connection.ts';
import { KeysHelp, useKeys, type Key } from '../live/keys.tsx';
import { ListenCard, type ListenHandle } from '../live/listen-card.tsx';
import '../live/live.css';
import { Answer, StateMark } from '../live/marks.tsx';
import { EndCard, LineCard, type Asked, type LineField } from '../live/operate-cards.tsx';
import { Since } from '../live/since.tsx';
import { TranscriptLog } from '../live/transcript-log.tsx';
import { useLiveCall, type LiveCallState } from '../live/use-live-call.ts';
import { Empty, Link, Loading, Money, Notice, useTitle } from '../ui.tsx';

const WHISPER: LineField = {
  name: 'Whisper to the agent',
  explains: 'The caller does not hear it; the agent heeds it.',
  button: 'Whisper',
  done: 'The agent knows. The caller heard nothing.',
  key: 'w',
  class: 'live-unheard-card',
};
const SAY: LineField = {
  name: 'Say to the caller',
  explains: 'The caller hears it, once they have finished.',
  button: 'Say aloud',
  done: 'The agent will say it.',
  key: 'a',
  class: 'live-heard-card',
};

export function LiveCallPage({ id }: { id: string }) {
  const [listening, setListening] = useState(false);
  const { state, call, entries, up } = useLiveCall(id, listening);
  const [asked, ask] = useState<Asked | null>(null);
  const listen = useRef<ListenHandle>(null);
  const whisper = useRef<HTMLTextAreaElement>(null);
  const say = useRef<HTMLTextAreaElement>(null);
  const over = state.is === 'over';
  const simulated = useConnection().facts?.simulated === true;
  useTitle(call === null ? 'Live call' : `${call.caller} · ${call.agent}`);

  const keys: Key[] = [
    { key: 'l', does: 'listen, or stop', run: () => listen.current?.toggle() },
    { key: 'w', does: 'whisper to the agent', run: () => whisper.current?.focus() },
    { key: 'a', does: 'say aloud to the caller', run: () => say.current?.focus() },
    { key: 't', does: 'hand over (asks first)', run: () => ask(over ? null : 'transfer') },
    { key: 'h', does: 'hang up (asks first)', run: () => ask(over ? null : 'hang-up') },
  ];
  useKeys(keys);

  if (state.is === 'unknown')
    return (
      <Empty whole title="No such call">
        <p>
          Nobody knows a call by this id. See <Link href="/live">the live calls</Link> or{' '}
          <Link href="/calls">all calls</Link>.
        </p>
      </Empty>
    );
  if (call === null && over)
    return (
      <>
        <h1>Live call</h1>
        <OverNotice id={id} state={state} />
      </>
    );
  if (call === null) return <Loading what={up ? 'Looking for the call' : 'Waiting for the server'} />;
  return (
    <>
      <div class="row spread">
        <h1>
          <Link href="/live">Live</Link> <span class="soft">›</span> {call.caller}
        </h1>
        <KeysHelp keys={keys} />
      </div>
      {over && <OverNotice id={id} state={state} />}
      {state.is === 'looking' && (
        <Notice tone="warn">
          This server does not have the call any more. Another process may be taking it over; this page looks for it.
        </Notice>
      )}
      <Header call={call} over={over} />
      <div class={`live-now ${up || over ? '' : 'live-stale'}`}>
        <TranscriptLog entries={entries} over={over} />
        <div class="live-side">
          <ListenCard callId={id} over={over} handle={listen} onListening={setListening} />
          {simulated && !over && (
            <p class="hint">
              The simulator answers: what you whisper or have said reaches it, but it says what its script has.
            </p>
          )}
          <LineCard callId={id} action="whisper" field={WHISPER} over={over} focus={whisper} />
          <LineCard callId={id} action="say" field={SAY} over={over} focus={say} />
          <EndCard callId={id} targets={call.targets} over={over} asked={asked} ask={ask} />
        </div>
      </div>
    </>
  );
}

/** What ended it, as soon as that is known, and where it lies now. */
const OverNotice = ({ id, state }: { id: string; state: LiveCallState }) => (
  <Notice tone="info">
    <strong>This call is over.</strong>{' '}
    {state.is === 'over' && state.ending !== null && `${reasonInWords(state.ending.reason)}. `}
    <Link href={`/calls/${id}`}>Open its record</Link>: recording, turns, bill.
  </Notice>
);

const Header = ({ call, over }: { call: LiveCall; over: boolean }) => (
  <section class="card live-head" aria-label="The call now">
    <dl>
      <Item name="State" wide>
        <StateMark call={call} over={over} />
      </Item>
      <Item name="Latest answer" wide>
        <Answer latencyMs={call.latencyMs} />
      </Item>
      <Item name="Age" meaning="Since the call was let in">
        <Since atMs={call.admittedWallMs} stopped={over} />
      </Item>
      <Item name="Cost so far">
        <Money nanoUsd={call.costNanoUsd} unpriced={call.unpricedLines} />
      </Item>
      <Item name="Agent" meaning="The agent file that answers">
        {call.agent}
      </Item>
      <Item name="Dialled" wide meaning="What the caller dialled">
        {call.called} <span class="soft">({call.direction})</span>
      </Item>
      <Item name="Turns" meaning="Turns so far">
        <span class="number">{number(call.turns)}</span>
      </Item>
      <Item name="Barge-ins" meaning="The caller spoke over the agent, and the agent stopped">
        <span class="number">{number(call.bargeIns)}</span>
      </Item>
      <Item name="Troubles" meaning="Model sessions or media that were lost so far">
        <span class={`number ${call.troubles > 0 ? 'live-bad' : ''}`}>{number(call.troubles)}</span>
      </Item>
    </dl>
  </section>
);

interface ItemOptions {
  name: string;
  meaning?: string;
  wide?: boolean;
  children: ComponentChildren;
}

const Item = ({ name, meaning, wide = false, children }: ItemOptions) => (
  <div title={meaning} class={wide ? 'live-wide' : ''}>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);
