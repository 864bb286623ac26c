// What the phone says to people: where a call stands, how it ended, and what to do when there is no sound. Pure.
import type { AudioProblem } from './browser-audio.ts';
import type { LineEnd, LinePhase } from './phone-line.ts';

/** `microphone`: the browser asks whether it may be used. */
export type PhonePhase = 'idle' | 'microphone' | LinePhase;

const PHASES: Record<PhonePhase, string> = {
  idle: 'Ready',
  microphone: 'Allow the microphone…',
  dialling: 'Dialling…',
  ringing: 'Ringing…',
  connected: 'Connected',
  between: 'On hold: one moment…',
  ended: 'Ended',
};

export const phaseInWords = (phase: PhonePhase): string => PHASES[phase];

const ENDS: Record<LineEnd['why'], string> = {
  hung_up: 'You hung up.',
  completed: 'The call has ended.',
  busy: 'Busy: no call is taken there now. Try again in a moment, or another number.',
  rejected: 'The call was turned away: the agent does not take it.',
  full: 'All lines of the browser phone are in use. Try again when one is free.',
  failed: 'The call could not go on because of a fault of the server; its log says more.',
  protocol: 'The server closed the line because of what this page sent. Load the page anew, then call again.',
  stopped: 'The server is being stopped. Call again in a moment.',
  socket_refused: 'The server cannot be reached. It may be restarting: call again in a moment.',
  socket_lost:
    'The connection was lost: the server may be restarting, or your network is down. Call again in a moment.',
};

export const endInWords = ({ why }: LineEnd): string => ENDS[why];

/** Whether somebody has to know what to do now. */
export const isFault = ({ why }: LineEnd): boolean => why !== 'hung_up' && why !== 'completed';

const PROBLEMS: Record<AudioProblem, string> = {
  unsupported: 'This browser cannot make calls. Use a current Chrome, Edge, Firefox or Safari.',
  insecure:
    'Browsers give the microphone only to pages that come by https, or from this very machine (localhost). Open this page that way.',
  denied: 'The microphone is blocked for this page. Allow it beside the address bar, then call again.',
  no_microphone: 'There is no microphone. Plug one in, then call again.',
  in_use: 'The microphone is used by another program. Close that, then call again.',
  failed: 'The sound could not be started. Load the page anew, then call again.',
};

export const problemInWords = (problem: AudioProblem): string => PROBLEMS[problem];
