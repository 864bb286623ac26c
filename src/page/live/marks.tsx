// The pieces of a call that the grid and the call's own view share: its state, how its latest answer came, what went wrong.
import type { LiveCall } from '../../dashboard/schemas/live.ts';
import { number } from '../format.ts';
import { StateIcon } from './icons.tsx';
import { Since } from './since.tsx';
import { answerLight, stateInWords, type Light } from './states.ts';

export function StateMark({ call, over = false }: { call: LiveCall; over?: boolean }) {
  const { word, meaning } = over ? { word: 'Over', meaning: 'This call has ended' } : stateInWords(call.state);
  return (
    <span class={`live-state live-is-${over ? 'over' : call.state}`} title={meaning}>
      <StateIcon state={over ? 'ending' : call.state} />
      <span>
        <span class="live-word">{word}</span>
        <span class="live-sub">
          <Since atMs={call.stateSinceWallMs} title="Time in this state" stopped={over} />
        </span>
      </span>
    </span>
  );
}

/** A light that is told apart without its colour: by its shape, and by the word beside it. */
export const Lamp = ({ light }: { light: Light }) => <span class={`live-lamp ${light}`} aria-hidden="true" />;

const ANSWER_MEANING =
  "The latest answer, from the last sound of the caller to the agent's first as the caller hears it: quick up to 1 s, slow up to 2 s";

export function Answer({ latencyMs }: { latencyMs: number | null }) {
  const { light, word, value } = answerLight(latencyMs);
  return (
    <span class="live-answer" title={ANSWER_MEANING}>
      <Lamp light={light} />
      <span>
        <span class="live-word">{value === '' ? '–' : <span class="number">{value}</span>}</span>
        <span class="live-sub">{word}</span>
      </span>
    </span>
  );
}

/** Turns, barge-ins, troubles: each with its word for those who do not see the sign. */
export const Counts = ({ call }: { call: LiveCall }) => (
  <span class="live-counts">
    <Count sign="↔" words={call.turns === 1 ? 'turn' : 'turns'} count={call.turns} meaning="Turns so far" />
    <Count
      sign="✂"
      words={call.bargeIns === 1 ? 'barge-in' : 'barge-ins'}
      count={call.bargeIns}
      meaning="Barge-ins: the caller spoke over the agent, and the agent stopped"
    />
    <Count
      sign="⚠"
      words={call.troubles === 1 ? 'trouble' : 'troubles'}
      count={call.troubles}
      meaning="Troubles: model sessions or media that were lost so far"
      bad={call.troubles > 0}
    />
  </span>
);

const Count = ({
  sign,
  words,
  count,
  meaning,
  bad = false,
}: {
  sign: string;
  words: string;
  count: number;
  meaning: string;
  bad?: boolean;
}) => (
  <span class={`live-count ${bad ? 'bad' : count === 0 ? 'none' : ''}`} title={meaning}>
    <span aria-hidden="true">{sign}</span>
    <span class="number">{number(count)}</span>
    <span class="visually-hidden"> {words}</span>
  </span>
);
