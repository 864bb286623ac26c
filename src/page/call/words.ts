// What codes of a call are called for people. Pure.

const BY: Record<string, string> = {
  agent: 'by the agent',
  caller: 'by the caller',
  operator: 'by an operator or a limit',
  model: 'by the model',
  carrier: 'by the carrier',
  us: 'by this server',
};

/** Whose doing the end was; '' where the reason in words says it already. */
export const byInWords = (by: string, reason: string): string =>
  reason.toLowerCase().includes(by) ? '' : (BY[by] ?? `by ${by}`);

const STATUS: Record<string, { words: string; tone: 'good' | 'bad' | 'warn' | 'quiet' }> = {
  ok: { words: 'done', tone: 'good' },
  built_in: { words: 'built in', tone: 'quiet' },
  running: { words: 'running', tone: 'quiet' },
  aborted: { words: 'aborted: the call ended first', tone: 'warn' },
  unsettled: { words: 'its end is not known', tone: 'warn' },
};

/** How a tool run ended; what is not known here failed by that name. */
export const statusInWords = (status: string): { words: string; tone: 'good' | 'bad' | 'warn' | 'quiet' } =>
  STATUS[status] ?? { words: status.replaceAll('_', ' '), tone: 'bad' };

const WHAT: Record<string, string> = {
  answer: 'Answer',
  transcription: 'Transcription',
  session: 'Model session',
  leg: 'Call leg',
  media_stream: 'Media stream',
  recording: 'Recording',
  message: 'Message',
  machine_detection: 'Machine detection',
  tool: 'Tool',
};

/** What was bought. */
export const whatInWords = (what: string): string => WHAT[what] ?? what;

/** Plays a tape again, from the folder of the server. */
export const replayCommand = (callId: string): string => `npx trunkline replay data/calls/${callId}/tape.jsonl`;
