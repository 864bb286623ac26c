// What all pages are made of: links, buttons, notices, badges, dialogs, tabs. Plain HTML elements wherever there is one, so that
// keyboard and screen readers find what they know.
import type { AnchorHTMLAttributes, ButtonHTMLAttributes, ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { ApiError } from './api.ts';
import { duration, moment, momentInFull, usd } from './format.ts';
import { navigate } from './router.ts';

/** A link inside the page: opens here without loading anew, in a new tab where the reader asks for that. */
export function Link({ href, ...rest }: { href: string } & AnchorHTMLAttributes<HTMLAnchorElement>): JSX.Element {
  return (
    <a
      {...rest}
      href={href}
      onClick={(event) => {
        if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        navigate(href);
      }}
    />
  );
}

/** `busy` keeps it from being pressed twice. */
export function Button({
  kind = 'plain',
  busy = false,
  ...rest
}: { kind?: 'plain' | 'primary' | 'danger' | 'quiet'; busy?: boolean } & ButtonHTMLAttributes<HTMLButtonElement>) {
  return <button type="button" {...rest} class={`button ${kind}`} disabled={busy || rest.disabled === true} />;
}

export type Tone = 'good' | 'bad' | 'warn' | 'info' | 'quiet';

export const Badge = ({
  tone = 'quiet',
  title,
  children,
}: {
  tone?: Tone;
  title?: string;
  children: ComponentChildren;
}) => (
  <span class={`badge ${tone}`} title={title}>
    {children}
  </span>
);

/** Says something: what is wrong and what to do. `role`: errors are read out at once. */
export const Notice = ({ tone = 'info', children }: { tone?: Tone; children: ComponentChildren }) => (
  <div class={`notice ${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
    {children}
  </div>
);

/** An error of the API, with a way to try again. */
export function Failure({ error, retry }: { error: ApiError | null; retry?: () => void }) {
  if (error === null || error.status === 401) return null;
  return (
    <Notice tone="bad">
      <span>{error.message}</span> {retry && <Button onClick={retry}>Try again</Button>}
    </Notice>
  );
}

/** What is there when there is nothing: says how something comes to be here. */
export const Empty = ({
  title,
  whole = false,
  children,
}: {
  title: string;
  /** It is all that there is on the page. */
  whole?: boolean;
  children?: ComponentChildren;
}) => (
  <div class="empty">
    {whole ? <h1>{title}</h1> : <h2>{title}</h2>}
    {children}
  </div>
);

export const Loading = ({ what = 'Loading' }: { what?: string }) => (
  <p class="loading" role="status">
    {what}…
  </p>
);

/** A moment in the viewer's zone; the zone shows on hover. */
export const Moment = ({ at }: { at: number }) => (
  <time dateTime={new Date(at).toISOString()} title={momentInFull(at)}>
    {moment(at)}
  </time>
);

export const Money = ({ nanoUsd, unpriced = 0 }: { nanoUsd: number; unpriced?: number }) => (
  <span
    class="number"
    title={unpriced > 0 ? `${unpriced} line(s) have no known price: it costs more` : 'By the price book, in US dollars'}
  >
    {usd(nanoUsd, unpriced)}
  </span>
);

export const Length = ({ ms }: { ms: number | null }) => <span class="number">{ms === null ? '–' : duration(ms)}</span>;

/** A dialog over the page; Escape and the button close it, the focus comes back to where it was. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    ref.current?.showModal();
  }, []);
  return (
    <dialog ref={ref} aria-labelledby={id} onClose={onClose}>
      <header class="row spread">
        <h2 id={id}>{title}</h2>
        <Button kind="quiet" aria-label="Close" onClick={() => ref.current?.close()}>
          ✕
        </Button>
      </header>
      {children}
    </dialog>
  );
}

/** Tabs as the ARIA authoring practices describe them: arrows move, the chosen one is in the order of Tab. */
export function Tabs<Name extends string>({
  label,
  tabs,
  chosen,
  choose,
  children,
}: {
  label: string;
  tabs: readonly (readonly [Name, string])[];
  chosen: Name;
  choose: (name: Name) => void;
  children: ComponentChildren;
}) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const move = (by: number): void => {
    const at = tabs.findIndex(([name]) => name === chosen);
    const next = tabs[(at + by + tabs.length) % tabs.length];
    if (next === undefined) return;
    choose(next[0]);
    list.current?.querySelector<HTMLElement>(`[data-tab="${next[0]}"]`)?.focus();
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} ref={list}>
        {tabs.map(([name, text]) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`${id}-${name}`}
            data-tab={name}
            aria-selected={name === chosen}
            aria-controls={`${id}-panel`}
            tabIndex={name === chosen ? 0 : -1}
            onClick={() => choose(name)}
            onKeyDown={(event) => {
              if (event.key === 'ArrowRight') move(1);
              if (event.key === 'ArrowLeft') move(-1);
            }}
          >
            {text}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`} tabIndex={0}>
        {children}
      </div>
    </>
  );
}

/** Copies a text, and says that it did. `text` may be found when it is asked for. */
export function Copy({ text, label = 'Copy' }: { text: string | (() => string); label?: string }) {
  const [said, setSaid] = useState('');
  const say = (what: string): void => {
    setSaid(what);
    setTimeout(() => setSaid(''), 1_500);
  };
  return (
    <Button
      kind="quiet"
      onClick={() => {
        copy(typeof text === 'string' ? text : text()).then(
          () => say('Copied'),
          () => say('The browser refused'),
        );
      }}
    >
      {said === '' ? label : said}
    </Button>
  );
}

/** The clipboard is there over https and on this machine only; elsewhere the browser copies what is marked. */
async function copy(text: string): Promise<void> {
  if (window.isSecureContext) return navigator.clipboard.writeText(text);
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'visually-hidden';
  document.body.append(field);
  const focused = document.activeElement;
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  if (!done) throw new Error('refused');
}

/** The time now, drawn anew every second, for ages that grow. */
export function useNow(everyMs = 1_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** The title of the browser's tab. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === '' ? 'Trunkline' : `${title} · Trunkline`;
  }, [title]);
}
