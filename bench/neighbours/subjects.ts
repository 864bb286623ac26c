// The neighbours as subjects of the bench: what others use to put a Realtime model on a Twilio call from Node. Each is
// installed in the exact version named here and served by a small script written as its documentation tells its users to.
import { copyFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { SubjectSpec } from '../subject-spec.ts';
import { installed } from './install.ts';

/** Under both: what their own examples serve with, in the versions that the product uses too. */
const SERVED_WITH = { '@fastify/formbody': '9.0.1', '@fastify/websocket': '11.3.6', fastify: '5.12.8', ws: '8.23.0' };

interface Neighbour {
  name: string;
  note: string;
  dependencies: Record<string, string>;
  /** Our script, in this folder. */
  server: string;
  voicePath: string;
}

const NEIGHBOURS: Neighbour[] = [
  {
    name: 'openai-agents',
    note: '@openai/agents 0.20.0 with TwilioRealtimeTransportLayer of @openai/agents-extensions 0.18.0, as their Twilio guide puts it together; keeps the history of the conversation, a mark after every delta; leaves signatures to its user (not checked here), drops what the caller says before the model answers the socket; no recording, cost, metrics, log or limits; vendor traces off',
    dependencies: { ...SERVED_WITH, '@openai/agents': '0.20.0', '@openai/agents-extensions': '0.18.0', zod: '4.6.7' },
    server: 'openai-agents-server.mjs',
    voicePath: '/incoming-call',
  },
  {
    name: 'twilio-realtime-agents',
    note: 'twilio-realtime-agents 1.2.0, as the quick start of its README puts it together; transcript and token counts in memory, a mark about every second; leaves signatures to its user (not checked here); no recording, cost, metrics, log or limits; its deafness during the greeting is switched off, so that every frame counts',
    dependencies: { ...SERVED_WITH, 'twilio-realtime-agents': '1.2.0', zod: '4.6.7' },
    server: 'twilio-realtime-agents-server.mjs',
    voicePath: '/twilio/voice',
  },
];

/** Those that can be had; says in one sentence which cannot and why. Bounded by the install's own deadline. */
export async function neighbourSubjects(progress: (text: string) => void = console.log): Promise<SubjectSpec[]> {
  const had = await Promise.all(
    NEIGHBOURS.map(async (neighbour) => {
      try {
        return specOf(neighbour, await installed(neighbour.name, neighbour.dependencies));
      } catch (error) {
        return `${neighbour.name} (${error instanceof Error ? error.message : String(error)})`;
      }
    }),
  );
  const refused = had.filter((one) => typeof one === 'string');
  if (refused.length > 0) progress(`neighbours left out, because they could not be installed: ${refused.join(', ')}`);
  return had.filter((one) => typeof one !== 'string');
}

function specOf({ name, note, server, voicePath }: Neighbour, folder: string): SubjectSpec {
  return {
    name,
    note,
    start({ modelOrigin, port, dataDir }) {
      // Modules are looked up from where the script lies.
      copyFileSync(join(import.meta.dirname, server), join(dataDir, 'server.mjs'));
      symlinkSync(join(folder, 'node_modules'), join(dataDir, 'node_modules'));
      return {
        command: process.execPath,
        // The flag that every other subject runs with too.
        args: ['--max-semi-space-size=16', 'server.mjs'],
        env: { NODE_ENV: 'production', PORT: `${port}`, OPENAI_BASE_URL: modelOrigin, OPENAI_API_KEY: 'x' },
        cwd: dataDir,
      };
    },
    readyPath: null,
    voicePath,
    mediaPath: null,
    statusPath: null,
    authToken: null,
    greets: true,
    sendsMarks: true,
    clears: true,
    metrics: false,
    maxAheadMs: null,
  };
}
