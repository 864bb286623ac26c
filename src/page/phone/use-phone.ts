// The phone of the page: joins the browser's sound to one call at a time, and gives what there is to draw.
import { useEffect, useRef, useState } from 'preact/hooks';
import { loadSession } from '../api.ts';
import { AudioError, type BrowserAudio, openAudio } from './browser-audio.ts';
import { type LineSocket, type LineState, PhoneLine } from './phone-line.ts';
import { type PhonePhase, problemInWords } from './words.ts';

/** The highest levels of late, 0 to 1: read by what draws them, which is oftener than the page is drawn. */
export interface Levels {
  caller: number;
  agent: number;
}

export interface Phone {
  phase: PhonePhase;
  /** Of the call under way or the last one; null: there was none. */
  line: LineState | null;
  muted: boolean;
  /** What keeps this browser from calling, in words; empty: nothing is known. */
  problem: string;
  levels: Levels;
  call: (to: string, name: string) => void;
  hangUp: () => void;
  mute: (on: boolean) => void;
  press: (digit: string) => void;
}

/** Hangs up and gives the microphone back when the view is left. */
export function usePhone(): Phone {
  const [line, setLine] = useState<LineState | null>(null);
  const [asking, setAsking] = useState(false);
  const [muted, setMuted] = useState(false);
  const [problem, setProblem] = useState('');
  const levels = useRef<Levels>({ caller: 0, agent: 0 });
  const audio = useRef<BrowserAudio | null>(null);
  /** Of the call under way or the last one, whose last words may still come. */
  const current = useRef<PhoneLine | null>(null);
  // Counts attempts: whoever hangs up while the browser asks for the microphone calls nobody.
  const attempt = useRef(0);
  /** The attempt that became the call that is drawn. */
  const latestCall = useRef(0);

  const silence = (): void => {
    audio.current?.close();
    audio.current = null;
    levels.current.caller = 0;
    levels.current.agent = 0;
    quiet();
  };
  const hangUp = (): void => {
    attempt.current++;
    setAsking(false);
    current.current?.hangUp();
    silence();
  };
  useEffect(
    () => () => {
      attempt.current++;
      current.current?.leave();
      silence();
    },
    [],
  );

  const call = (to: string, name: string): void => {
    if (audio.current !== null || asking) return;
    const mine = ++attempt.current;
    current.current?.leave();
    current.current = null;
    setProblem('');
    setLine(null);
    setMuted(false);
    setAsking(true);
    openAudio({
      frame({ bytes, atSample, level }) {
        levels.current.caller = Math.max(levels.current.caller, level);
        current.current?.frame(bytes, atSample);
      },
      marks(names) {
        for (const one of names) current.current?.markReturned(one);
      },
      agentLevel(level) {
        levels.current.agent = Math.max(levels.current.agent, level);
      },
      lost: () => setProblem('The microphone is gone. Hang up, plug it in again, and call again.'),
    }).then(
      (opened) => {
        if (attempt.current !== mine) return opened.close();
        setAsking(false);
        audio.current = opened;
        latestCall.current = mine;
        current.current = dial(to, name, opened, mine);
        return setLine(current.current.state);
      },
      (error: unknown) => {
        if (attempt.current !== mine) return;
        setAsking(false);
        setProblem(problemInWords(error instanceof AudioError ? error.problem : 'failed'));
      },
    );
  };

  const dial = (to: string, name: string, { playback }: BrowserAudio, mine: number): PhoneLine =>
    new PhoneLine({
      socket: new WebSocket(`${location.origin.replace(/^http/, 'ws')}/api/phone/socket`) as unknown as LineSocket,
      to,
      ...(name === '' ? {} : { name }),
      playback,
      nowMs: () => Date.now(),
      say: readAloud,
      changed(state) {
        // Of a call that was left for another nothing is drawn; one that was hung up still gets its last words.
        if (mine !== latestCall.current) return;
        setLine(state);
        if (state.phase !== 'ended') return;
        // A page is not told why a socket is refused or closed: the session may be over, then the log-in comes up.
        if (state.end?.why.startsWith('socket_')) void loadSession().catch(() => {});
        silence();
      },
    });

  return {
    phase: asking ? 'microphone' : (line?.phase ?? 'idle'),
    line,
    muted,
    problem,
    levels: levels.current,
    call,
    hangUp,
    mute(on) {
      setMuted(on);
      audio.current?.mute(on);
    },
    press(digit) {
      audio.current?.tone(digit);
      current.current?.press(digit);
    },
  };
}

/** Reads a sentence aloud as the carrier would, where the browser can; else the reader has the time to read it. */
function readAloud(text: string, said: () => void): void {
  if (!('speechSynthesis' in globalThis)) return;
  const utterance = new SpeechSynthesisUtterance(text);
  utterance.onend = said;
  speechSynthesis.speak(utterance);
}

function quiet(): void {
  if ('speechSynthesis' in globalThis) speechSynthesis.cancel();
}
