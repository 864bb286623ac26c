// Where the time of each answer went. What the caller waited and what this server added are told apart: only the first is what a
// caller feels, only the second is ours.
import { useMemo, useState } from 'preact/hooks';
import { latency, place } from '../format.ts';
import { Empty } from '../ui.tsx';
import { Paged } from './paged.tsx';
import type { Player } from './player.ts';
import type { Call } from './types.ts';
import { MEANING, type Part, PARTS, type Spread, spreadOf, waterfallOf, type WaterfallRow } from './waterfall.ts';

/** The scale is that of the slowest, unless it would make all others invisible. */
const MOST_TIMES_P95 = 3;

export function TurnsTab({ call, player }: { call: Call; player: Player }) {
  const rows = useMemo(() => waterfallOf(call.turns, call.tools), [call]);
  const [slowest, setSlowest] = useState(false);
  const sorted = useMemo(() => (slowest ? rows.toSorted((a, b) => b.totalMs - a.totalMs) : rows), [rows, slowest]);
  const heard = spreadOf(rows.map((row) => row.voiceToVoiceMs));
  const total = spreadOf(rows.map((row) => row.totalMs));
  if (total === null)
    return (
      <Empty title="No turn was answered with sound">
        <p>Each answer to the caller shows up here, with what its time went into.</p>
      </Empty>
    );
  const scaleMs = Math.max(1, Math.min(total.worst, total.p95 * MOST_TIMES_P95));
  const ours = spreadOf(rows.map((row) => row.oursMs));
  const unknown = rows.length - (heard?.count ?? 0);
  return (
    <div class="call-turns">
      <div class="call-spreads">
        <SpreadCard
          name="The caller waited"
          title="Voice to voice: from the caller's last sound to the first sound of the answer as they hear it"
          spread={heard}
        />
        <SpreadCard
          name="The model"
          title={MEANING.model.what}
          spread={spreadOf(rows.map((row) => row.latency.modelMs))}
        />
        <SpreadCard name="This server added" title={MEANING.ours.what} spread={ours} />
        <div class="card call-spread">
          <h2>Answers</h2>
          <p class="number">{rows.length}</p>
          <p class="hint">
            {unknown > 0
              ? `of ${unknown} nobody can say when the caller stopped`
              : 'all measured from the last sound of the caller'}
          </p>
        </div>
      </div>
      <div class="row spread">
        <ul class="call-legend" aria-label="Parts of an answer's time">
          {PARTS.map((part) => (
            <li key={part} title={MEANING[part].what}>
              <span class={`call-swatch part-${part}`} />
              {MEANING[part].name}
            </li>
          ))}
        </ul>
        <label class="call-check">
          <input type="checkbox" checked={slowest} onChange={(event) => setSlowest(event.currentTarget.checked)} />
          Slowest first
        </label>
      </div>
      <Paged rows={sorted} what="Answers">
        {(shown) => (
          <div class="scroll" tabIndex={0} role="region" aria-label="Answers and what their time went into">
            <table class="call-waterfall">
              <thead>
                <tr>
                  <th scope="col">At</th>
                  <th scope="col" class="call-words">
                    Caller
                  </th>
                  <th scope="col" class="wide">
                    Time of the answer <span class="number">0 to {latency(scaleMs)}</span>
                  </th>
                  <th scope="col" class="number" title="Voice to voice, as the caller hears it">
                    Caller's
                  </th>
                  <th scope="col" class="number" title={MEANING.wait.what}>
                    Wait
                  </th>
                  <th scope="col" class="number" title={MEANING.model.what}>
                    Model
                  </th>
                  <th scope="col" class="number" title={MEANING.tools.what}>
                    Tools
                  </th>
                  <th scope="col" class="number" title={MEANING.ours.what}>
                    Ours
                  </th>
                  <th scope="col" class="number" title={MEANING.queued.what}>
                    Queued
                  </th>
                  <th scope="col" class="number" title={MEANING.carrier.what}>
                    Carrier
                  </th>
                  <th scope="col" class="number" title={MEANING.unattributed.what}>
                    Unattr.
                  </th>
                </tr>
              </thead>
              <tbody>
                {shown.map((row) => (
                  <Row key={row.turn} row={row} scaleMs={scaleMs} player={player} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Paged>
    </div>
  );
}

function SpreadCard({ name, title, spread }: { name: string; title: string; spread: Spread | null }) {
  return (
    <div class="card call-spread" title={title}>
      <h2>{name}</h2>
      {spread === null ? (
        <p class="soft">not known</p>
      ) : (
        <>
          <p class="number">
            <b>{precise(spread.p50)}</b> <span class="soft">p50</span> <b>{precise(spread.p95)}</b>{' '}
            <span class="soft">p95</span>
          </p>
          <p class="hint number">worst {precise(spread.worst)}</p>
        </>
      )}
    </div>
  );
}

/** Ours is below a millisecond most of the time. */
const precise = (ms: number): string => (ms < 10 && ms % 1 !== 0 ? `${ms.toFixed(2)} ms` : latency(ms));
const cell = (ms: number | null): string => (ms === null ? '?' : ms === 0 ? '–' : precise(ms));

function Row({ row, scaleMs, player }: { row: WaterfallRow; scaleMs: number; player: Player }) {
  const { latency: of } = row;
  const share = (ms: number): string => `${Math.min(100, (ms / scaleMs) * 100)}%`;
  const unattributed = row.parts.find(({ part }) => part === 'unattributed')?.ms ?? 0;
  return (
    <tr class={row.worst ? 'worst' : ''}>
      <td>
        <button
          type="button"
          class="call-at number"
          onClick={() => player.seek(row.zeroAtMs)}
          aria-label={`Go to ${place(row.zeroAtMs)}`}
        >
          {place(row.zeroAtMs)}
        </button>
      </td>
      <td class="call-words">
        <span title={row.said ?? ''}>{row.said ?? <i class="soft">words not known</i>}</span>
      </td>
      <td class="wide">
        <div class="call-bars" role="img" aria-label={inWords(row)}>
          {row.parts.map(({ part, fromMs, ms }, i) => (
            <span
              key={`${part} ${i}`}
              class={`call-bar part-${part}`}
              title={`${MEANING[part as Part].name}: ${precise(ms)}`}
              style={{ left: share(fromMs), width: share(Math.max(0, Math.min(ms, scaleMs - fromMs))) }}
            />
          ))}
          {row.tools.map(({ name, fromMs, ms }, i) => (
            <span
              key={`tool ${i}`}
              class="call-bar beside"
              title={`${name}: ${precise(ms)}`}
              style={{ left: share(Math.max(0, fromMs)), width: share(ms) }}
            />
          ))}
          {row.totalMs > scaleMs && <span class="call-beyond">{latency(row.totalMs)} →</span>}
        </div>
      </td>
      <td class="number">
        {row.voiceToVoiceMs === null ? (
          <span title="Nobody can say when the caller stopped: the time counts from the end of the turn">?</span>
        ) : (
          <b>{precise(row.voiceToVoiceMs)}</b>
        )}
        {row.worst && <span class="call-worst">worst</span>}
      </td>
      <td
        class="number"
        title={of.endOfTurnFrom === 'configured_silence' ? 'By the silence that the agent file sets' : ''}
      >
        {cell(of.endOfTurnWaitMs)}
      </td>
      <td class="number">{cell(of.modelMs)}</td>
      <td class="number">{cell(of.toolsMs)}</td>
      <td class="number">{cell(of.ourMs)}</td>
      <td class="number">{cell(of.queuedMs)}</td>
      <td class="number">{cell(of.carrierMs)}</td>
      <td class="number">{cell(unattributed)}</td>
    </tr>
  );
}

function inWords(row: WaterfallRow): string {
  const parts = row.parts.map(({ part, ms }) => `${MEANING[part].name} ${precise(ms)}`);
  const tools = row.tools.map(({ name, ms }) => `tool ${name} ${precise(ms)}`);
  return [...parts, ...tools].join(', ');
}
