// How the server is, in one line above the calls: each number with a light, a word, and what it means on hover.
import type { ServerFacts } from '../../dashboard/schemas/live.ts';
import { momentInFull, usd } from '../format.ts';
import { Lamp } from './marks.tsx';
import { serverFactsInWords } from './states.ts';

const PLACES = ['Calls', 'New calls', 'Model', 'Loop delay', 'Spent today', 'Store'];

export function ServerStrip({ facts }: { facts: ServerFacts | null }) {
  if (facts === null)
    return (
      <dl class="live-strip" aria-busy="true" aria-label="The server">
        {PLACES.map((name) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>…</dd>
          </div>
        ))}
      </dl>
    );
  return (
    <dl class="live-strip" aria-label="The server">
      {serverFactsInWords(facts, usd).map(({ name, value, light, meaning }) => (
        <div key={name} title={meaning} data-fact={name}>
          <dt>{name}</dt>
          <dd>
            <Lamp light={light} />
            <span class={`number ${light === 'good' || light === 'quiet' ? '' : `live-${light}`}`}>{value}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** The same meanings for those who cannot hover. */
export const FactMeanings = ({ facts }: { facts: ServerFacts | null }) =>
  facts === null ? null : (
    <>
      <h3>The server</h3>
      <dl>
        {serverFactsInWords(facts, usd).map(({ name, meaning }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{meaning}.</dd>
          </div>
        ))}
        <div>
          <dt>Version</dt>
          <dd>
            {facts.version}, process {facts.node}, started {momentInFull(facts.startedWallMs)}
          </dd>
        </div>
      </dl>
    </>
  );
