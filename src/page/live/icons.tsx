// One small drawing per state, so that a grid can be read without reading. They stand beside their word and say nothing to
// screen readers.
import type { JSX } from 'preact';

const DRAWN: Record<string, JSX.Element> = {
  connecting: <circle cx="8" cy="8" r="5.5" stroke-dasharray="2.5 2.5" />,
  listening: (
    <>
      <path d="M5 11.5V7a3.5 3.5 0 1 1 7 0c0 2-2 2.4-2 4.2a2 2 0 0 1-3.6 1.2" />
      <path d="M7 7a1.5 1.5 0 0 1 3 0" />
    </>
  ),
  caller_speaking: (
    <>
      <path d="M2 3h12v8H7l-3 3v-3H2z" class="live-filled" />
    </>
  ),
  thinking: (
    <>
      <circle cx="3.5" cy="8" r="1.2" class="live-filled" />
      <circle cx="8" cy="8" r="1.2" class="live-filled" />
      <circle cx="12.5" cy="8" r="1.2" class="live-filled" />
    </>
  ),
  speaking: (
    <>
      <path d="M2 6v4h2.5L8 13V3L4.5 6z" class="live-filled" />
      <path d="M10.5 5.5a3.5 3.5 0 0 1 0 5M12.6 3.4a6.5 6.5 0 0 1 0 9.2" />
    </>
  ),
  tool: (
    <path d="M10 2a4 4 0 0 0-3.6 5.6L2 12l2 2 4.4-4.4A4 4 0 0 0 13.8 4.5L11.5 6.8 9.2 4.5 11.5 2.3A4 4 0 0 0 10 2z" />
  ),
  transferring: <path d="M2 5.5h10M9 2.5l3 3-3 3M14 10.5H4M7 7.5l-3 3 3 3" />,
  ending: (
    <path d="M1.5 9.5c3.5-4 9.5-4 13 0l-1.7 2-2.3-1.200V8.600a8 8 0 0 0-5 0v1.7l-2.3 1.200z" class="live-filled" />
  ),
};

export const StateIcon = ({ state }: { state: string }) => (
  <svg class="live-icon" viewBox="0 0 16 16" width="18" height="18" aria-hidden="true" focusable="false">
    {DRAWN[state] ?? DRAWN['connecting']}
  </svg>
);
