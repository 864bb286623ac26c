// Single keys for those who live on this page, the dialog that lists them beside what the numbers mean, and the switch that
// turns them off (a speech user's words would press them all).
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { inBrowser } from '../memory.ts';
import { Button, Dialog } from '../ui.tsx';

export interface Key {
  key: string;
  does: string;
  run(): void;
}

const KEPT = 'trk-live-keys';
const enabled = (): boolean => inBrowser.getItem(KEPT) !== 'off';

/** Where letters are written, they are letters. */
const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement && target.type !== 'checkbox' && target.type !== 'range'));

/** Runs `keys` while the view is open and no dialog lies over it; one that closes is there until its end was told. */
export function useKeys(keys: readonly Key[]): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (isTyping(event.target) || document.querySelector('dialog') !== null || !enabled()) return;
      const key = latest.current.find((one) => one.key === event.key);
      if (key === undefined) return;
      event.preventDefault();
      key.run();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
}

/** The button that opens the list; `children`: what else is explained there. */
export function KeysHelp({ keys, children }: { keys: readonly Key[]; children?: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const [on, setOn] = useState(enabled);
  useKeys([{ key: '?', does: '', run: () => setOpen(true) }]);
  return (
    <>
      <Button kind="quiet" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        Help <kbd aria-hidden="true">?</kbd>
      </Button>
      {open && (
        <Dialog title="Keys and meanings" onClose={() => setOpen(false)}>
          <div class="live-help">
            <h3>Keys</h3>
            <dl>
              {[...keys, { key: '?', does: 'this list' }].map(({ key, does }) => (
                <div key={key}>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
            <label class="live-check">
              <input
                type="checkbox"
                checked={on}
                onChange={({ currentTarget }) => {
                  inBrowser.setItem(KEPT, currentTarget.checked ? 'on' : 'off');
                  setOn(currentTarget.checked);
                }}
              />
              Single keys do this
            </label>
            {children}
          </div>
        </Dialog>
      )}
    </>
  );
}
