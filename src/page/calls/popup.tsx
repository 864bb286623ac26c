// A button that opens a panel below it: closed by Escape, by a click elsewhere, or by what is in it. The focus goes in, and comes
// back to the button.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef } from 'preact/hooks';
import { Button } from '../ui.tsx';

export function Popup({
  label,
  about,
  open,
  setOpen,
  step = '',
  children,
}: {
  label: ComponentChildren;
  /** What the panel is, for screen readers. */
  about: string;
  open: boolean;
  setOpen: (open: boolean) => void;
  /** What of several things the panel shows: the focus goes into each anew. */
  step?: string;
  children: ComponentChildren;
}) {
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLDivElement>(null);
  const wasOpen = useRef(false);
  // At once: whoever types ahead means what is in the panel.
  useLayoutEffect(() => {
    if (open) box.current?.querySelector<HTMLElement>('[data-first], button, input, select, a')?.focus();
    // Only from where the focus would be lost: a click elsewhere keeps it there.
    else if (wasOpen.current && (document.activeElement === document.body || document.activeElement === null))
      button.current?.querySelector('button')?.focus();
    wasOpen.current = open;
  }, [open, step]);
  useEffect(() => {
    if (!open) return undefined;
    const pressed = (event: PointerEvent): void => {
      const way = event.composedPath();
      const inside = [box.current, button.current].some((part) => part !== null && way.includes(part));
      if (!inside) setOpen(false);
    };
    document.addEventListener('pointerdown', pressed);
    return () => document.removeEventListener('pointerdown', pressed);
  }, [open]);
  return (
    <div
      class="calls-popup"
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return;
        event.stopPropagation();
        setOpen(false);
        button.current?.querySelector('button')?.focus();
      }}
    >
      <div ref={button}>
        <Button aria-expanded={open} aria-controls={open ? id : undefined} onClick={() => setOpen(!open)}>
          {label}
        </Button>
      </div>
      {open && (
        <div id={id} ref={box} class="calls-panel" role="group" aria-label={about}>
          {children}
        </div>
      )}
    </div>
  );
}
