// Every fault that the simulator can commit, each from its file in test/fixtures/scripts/faults: what a client sees of it.
// What the caller should experience stands in the file; the same files are played through the whole server elsewhere.
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { FAULTS_OF_ANSWERS } from './faults-of-answers.ts';
import { FAULTS_OF_CONNECTIONS } from './faults-of-connections.ts';
import { FOLDER, Played } from './played-fault.ts';
import { closeSimulators } from './socket-client.ts';

afterEach(closeSimulators);

const FAULTS = { ...FAULTS_OF_CONNECTIONS, ...FAULTS_OF_ANSWERS };
const files = readdirSync(FOLDER).map((name) => name.replace('.yaml', ''));

test('every file of the folder is played here, and says what the caller should experience', () => {
  expect(Object.keys(FAULTS).sort()).toEqual(files.sort());
  for (const name of files) {
    const comment = readFileSync(new URL(`${name}.yaml`, FOLDER), 'utf8').match(/^(# .*\n)+/)?.[0];
    expect(comment, name).toMatch(/Caller:/);
  }
});

test.for(Object.entries(FAULTS))('%s', ([name, play]) => play(new Played(name)));
