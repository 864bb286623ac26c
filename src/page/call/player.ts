// Where in the call the reader is, and the sound of it. One clock for the timeline, the transcript and the address bar; without
// a recording it has a position all the same, and nothing to play. Told apart: what changes sixty times a second (the
// position), which nobody should draw a whole view for, and what changes by a click.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { quietUntil } from './quiet.ts';

export interface PlayerState {
  playing: boolean;
  /** There is a recording. */
  playable: boolean;
  rate: number;
  skipsSilence: boolean;
  /** What is wrong with the sound; '' nothing. */
  error: string;
}

export interface Player {
  state(): PlayerState;
  positionMs(): number;
  /** `by`: 'reader' moved it, and wants to see where it is now. */
  seek(ms: number, by?: 'reader' | 'page'): void;
  toggle(): void;
  setRate(rate: number): void;
  setSkipsSilence(skips: boolean): void;
  /** What lies in the call: its length, whether there is sound, and stretches without any. */
  knows(about: { durationMs: number; url: string | null; silences: readonly { fromMs: number; toMs: number }[] }): void;
  /** Told of every change, of the position too. @returns an unsubscribe */
  watch(told: () => void): () => void;
  /** Told where the reader went. */
  onSeek(told: (ms: number) => void): () => void;
  close(): void;
}

export function createPlayer(startMs: number): Player {
  let about: Parameters<Player['knows']>[0] = { durationMs: 0, url: null, silences: [] };
  let state: PlayerState = { playing: false, playable: false, rate: 1, skipsSilence: false, error: '' };
  let positionMs = Math.max(0, startMs);
  let audio: HTMLAudioElement | null = null;
  let frame = 0;
  const watchers = new Set<() => void>();
  const seekers = new Set<(ms: number) => void>();
  const tell = (): void => {
    for (const told of watchers) told();
  };
  const set = (change: Partial<PlayerState>): void => {
    state = { ...state, ...change };
    tell();
  };
  const within = (ms: number): number => Math.max(0, about.durationMs === 0 ? ms : Math.min(ms, about.durationMs));

  const tick = (): void => {
    frame = 0;
    if (audio === null || !state.playing) return;
    positionMs = audio.currentTime * 1_000;
    const until = state.skipsSilence ? quietUntil(about.silences, positionMs) : null;
    if (until !== null) seek(until, 'page');
    tell();
    frame = requestAnimationFrame(tick);
  };

  const seek = (ms: number, by: 'reader' | 'page' = 'reader'): void => {
    positionMs = within(ms);
    if (audio !== null) audio.currentTime = positionMs / 1_000;
    if (by === 'reader') for (const told of seekers) told(positionMs);
    tell();
  };

  /** The element comes with the first wish to hear something: until then not a byte of the recording is loaded. */
  const element = (url: string): HTMLAudioElement => {
    if (audio !== null) return audio;
    const made = new Audio();
    made.preload = 'metadata';
    made.src = url;
    made.playbackRate = state.rate;
    made.currentTime = positionMs / 1_000;
    made.onplay = () => {
      set({ playing: true, error: '' });
      if (frame === 0) frame = requestAnimationFrame(tick);
    };
    made.onpause = () => set({ playing: false });
    made.onended = () => {
      positionMs = about.durationMs;
      set({ playing: false });
    };
    made.onerror = () => {
      audio = null;
      set({
        playing: false,
        error: 'The recording could not be played. The server may be restarting; press play again.',
      });
    };
    audio = made;
    return made;
  };

  return {
    state: () => state,
    positionMs: () => positionMs,
    seek,
    toggle() {
      if (about.url === null) return;
      const sound = element(about.url);
      if (!sound.paused) return sound.pause();
      if (positionMs >= about.durationMs - 50) seek(0, 'page');
      // Refusals come as errors of the element, or because it was paused again at once.
      sound.play().catch(() => {});
    },
    setRate(rate) {
      if (audio !== null) audio.playbackRate = rate;
      set({ rate });
    },
    setSkipsSilence: (skipsSilence) => set({ skipsSilence }),
    knows(now) {
      about = now;
      set({ playable: now.url !== null });
    },
    watch(told) {
      watchers.add(told);
      return () => void watchers.delete(told);
    },
    onSeek(told) {
      seekers.add(told);
      return () => void seekers.delete(told);
    },
    close() {
      cancelAnimationFrame(frame);
      if (audio === null) return;
      audio.onerror = audio.onpause = null;
      audio.pause();
      // Lets go of the connection.
      audio.removeAttribute('src');
      audio.load();
    },
  };
}

/** One player for as long as the view is there. */
export function usePlayer(startMs: number): Player {
  const player = useMemo(() => createPlayer(startMs), []);
  useEffect(() => () => player.close(), []);
  return player;
}

/** Draws anew when what is picked changes, and only then. `pick` gives something that can be compared by `===`. */
export function useWatched<T>(player: Player, pick: (player: Player) => T): T {
  const [picked, set] = useState(() => ({ pick, value: pick(player) }));
  useEffect(() => {
    const look = (): void => {
      const value = pick(player);
      set((before) => (before.pick === pick && before.value === value ? before : { pick, value }));
    };
    look();
    return player.watch(look);
  }, [player, pick]);
  // What was picked otherwise is an answer to another question: a place in a transcript that has other lines now.
  return picked.pick === pick ? picked.value : pick(player);
}
