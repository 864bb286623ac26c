// Who called whom, how it went and what it cost; and what can be taken away from here.
import { party, reasonInWords } from '../format.ts';
import { Badge, Copy, Length, Link, Moment, Money, type Tone } from '../ui.tsx';
import type { Extras } from './extras.ts';
import type { FilesThere } from './file-tabs.tsx';
import type { Player } from './player.ts';
import type { Call } from './types.ts';
import { byInWords, replayCommand } from './words.ts';

export function Header({
  call,
  extras,
  durationMs,
  there,
  player,
}: {
  call: Call;
  extras: Extras | null;
  durationMs: number;
  there: FilesThere;
  player: Player;
}) {
  const path = `/api/calls/${call.callId}`;
  const doing = call.by === null ? '' : byInWords(call.by, reasonInWords(call.reason));
  return (
    <header class="call-header">
      <div class="row spread">
        <h1 class="call-title">
          <span>{party(call.from)}</span> <span class="soft">to</span> <span>{party(call.to)}</span>{' '}
          <Badge title="Whether the call was answered or placed here">{call.direction}</Badge>
        </h1>
        <div class="row call-actions">
          {there.audio && (
            <Download
              href={`${path}/audio`}
              name="audio"
              title="The recording: 8 kHz mu-law WAV, caller left, agent right"
            />
          )}
          {there.tape && (
            <Download
              href={`${path}/tape`}
              name="tape"
              title="The tape, which npx trunkline replay plays again: everything that came in and was decided"
            />
          )}
          {there.record && <Download href={`${path}/record`} name="JSON" title="The record file of the call" />}
          {there.tape && <Copy text={replayCommand(call.callId)} label="Copy replay command" />}
          <Copy text={() => linkTo(player.positionMs())} label="Copy link to this moment" />
        </div>
      </div>
      <dl class="call-facts">
        <Fact name="Ended" title="Why the call ended, and whose doing it was">
          <span class="call-reason">
            {reasonInWords(call.reason)}
            {doing === '' ? '' : <span class="soft"> ({doing})</span>}
          </span>
        </Fact>
        <Fact name="Outcome" title="Whether the call did what it was for, and what it was about in the agent's words">
          <span class="row call-tight">
            {call.result === null ? '–' : <Badge tone={toneOf(call.result)}>{call.result}</Badge>}
            {call.disposition !== null && <Badge tone="info">{call.disposition}</Badge>}
          </span>
        </Fact>
        <Fact name="Agent" title={`The agent file as it was: ${call.agentHash}`}>
          {call.agent}{' '}
          <Link href="?tab=agent" class="mono" title="The agent file as it was">
            {call.agentHash.slice(0, 8)}
          </Link>
        </Fact>
        <Fact name="Started" title="When the call was let in, in your time zone">
          <Moment at={call.admittedWallMs} />
        </Fact>
        <Fact name="Duration" title="From the start of the media to the end of the call">
          <Length ms={durationMs} />
        </Fact>
        <Fact name="Cost" title="By the price book; line by line in the bill">
          <Money nanoUsd={call.cost.nanoUsd} unpriced={call.cost.unpricedLines} />
        </Fact>
        <Fact name="Quality" title={qualityTitle(call.quality, extras)}>
          {call.quality === null ? (
            '–'
          ) : (
            <Badge tone={call.quality >= 80 ? 'good' : call.quality >= 50 ? 'warn' : 'bad'}>
              {call.quality} of 100
            </Badge>
          )}
        </Fact>
        <Fact name="Model" title="The one that the call began with">
          {call.model}
        </Fact>
      </dl>
      {call.detail !== null && call.detail !== '' && <p class="hint">For engineers: {call.detail}</p>}
    </header>
  );
}

const Fact = ({ name, title, children }: { name: string; title: string; children: preact.ComponentChildren }) => (
  <div title={title}>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

const Download = ({ href, name, title }: { href: string; name: string; title: string }) => (
  <a class="button" href={href} download="" title={title}>
    ↓ {name[0]?.toUpperCase() + name.slice(1)}
  </a>
);

const toneOf = (result: string): Tone => (result === 'success' ? 'good' : result === 'failure' ? 'bad' : 'quiet');

/** The address of this view, at a moment. */
export function linkTo(ms: number): string {
  const url = new URL(location.href);
  url.searchParams.set('t', (ms / 1_000).toFixed(1));
  return url.href;
}

function qualityTitle(quality: number | null, extras: Extras | null): string {
  if (quality === null) return 'Nothing was heard that could be judged';
  const lost = extras?.deductions ?? [];
  const why = lost.map(({ points, part, why: because }) => `−${points} ${part.replaceAll('_', ' ')}: ${because}`);
  return ['How the call was for its caller, from 0 to 100', ...why].join('\n');
}
