// kill -9, ten times at random points, over one data folder: `npm run prove crash` does it two hundred times.
import { expect, test } from 'vitest';
import { crashRounds } from '../../bench/crash-rounds.ts';
import { seededRandom } from '../../src/phone/seeded-random.ts';
import { ENGINES, useEngines } from './engines.ts';

const engines = useEngines();
const SECONDS_FOR_ALL = 60_000;

test.each(ENGINES)(
  'of what a killed process said is on the disk, %s has each usage exactly once',
  async (engine) => {
    const seed = 5;
    const { promised, kept, missing, doubled, torn, errors } = await crashRounds({
      dataDir: await engines.folder(),
      databaseUrl: engine === 'postgres' ? await engines.postgres.freshUrl() : null,
      rounds: engine === 'postgres' ? 3 : 10,
      random: seededRandom(seed),
    });
    expect({ seed, missing, doubled, torn, errors }).toEqual({ seed, missing: [], doubled: [], torn: [], errors: [] });
    expect(promised).toBeGreaterThan(100);
    expect(kept).toBeGreaterThanOrEqual(promised);
  },
  SECONDS_FOR_ALL,
);
