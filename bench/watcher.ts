// The operators of `watched-trunkline.ts`: read what the page's streams give as fast as it comes, as browsers would.
import WebSocket from 'ws';

const origin = process.env['WATCHED'] ?? '';
const authorization = `Bearer ${process.env['ADMIN_TOKEN'] ?? ''}`;
const LIST_EVERY_MS = 1_000;
const LOOK_EVERY_MS = 200;

/** Follows a stream of events to its end. */
async function follow(path: string): Promise<void> {
  const response = await fetch(`${origin}/api${path}`, { headers: { authorization } });
  if (!response.ok || response.body === null) throw new Error(`${path} answered with ${response.status}`);
  for await (const _part of response.body);
}

async function ask<T>(path: string): Promise<T> {
  const response = await fetch(`${origin}/api${path}`, { headers: { authorization } });
  if (!response.ok) throw new Error(`${path} answered with ${response.status}`);
  return (await response.json()) as T;
}

/** Opens one call as soon as there is one: its transcript, and both its sides by ear. */
async function openACall(): Promise<void> {
  for (;;) {
    const { calls } = await ask<{ calls: { callId: string }[] }>('/live');
    const [call] = calls;
    if (call !== undefined) {
      const path = `/live/calls/${call.callId}`;
      const ears = new WebSocket(`${origin.replace(/^http/, 'ws')}/api${path}/listen`, { headers: { authorization } });
      ears.on('message', () => {});
      ears.on('error', (error) => process.stderr.write(`watcher: listening in: ${error.message}\n`));
      return follow(`${path}/events`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

setInterval(() => void ask('/calls?limit=50').catch(told), LIST_EVERY_MS);
await Promise.all([follow('/live/events'), follow('/live/events'), openACall()].map((one) => one.catch(told)));

/** A server that stops is no news. */
function told(error: unknown): void {
  if (error instanceof Error && error.message !== 'terminated' && error.message !== 'fetch failed')
    process.stderr.write(`watcher: ${error.message}\n`);
}
