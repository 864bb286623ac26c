// What is round every view: where one can go, how the server is, light or dark, and the way out.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Session } from '../dashboard/schemas/session.ts';
import { logOut } from './api.ts';
import { ConnectionBanner } from './live/banner.tsx';
import { inBrowser } from './memory.ts';
import { usePlace } from './router.ts';
import { Button, Link } from './ui.tsx';

const PLACES = [
  ['/live', 'Live'],
  ['/calls', 'Calls'],
  ['/phone', 'Phone'],
  ['/audit', 'Audit'],
] as const;

export function Frame({ session, children }: { session: Session; children: ComponentChildren }) {
  const { path } = usePlace();
  const here = path === '/' ? '/live' : path;
  const places = session.scope === 'phone' ? PLACES.filter(([to]) => to === '/phone') : PLACES;
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="top">
        <Link href={session.scope === 'phone' ? '/phone' : '/live'} class="brand">
          <img src="/icon.svg" alt="" width="22" height="22" /> Trunkline
        </Link>
        <nav aria-label="Views">
          {places.map(([to, name]) => (
            <Link key={to} href={to} aria-current={here === to || here.startsWith(`${to}/`) ? 'page' : undefined}>
              {name}
            </Link>
          ))}
        </nav>
        <div class="row end">
          <Theme />
          <span class="who" title="Who you are in the audit">
            {session.name}
          </span>
          <Button kind="quiet" onClick={() => void logOut()}>
            Log out
          </Button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      {session.scope === 'operator' && <ConnectionBanner asks={here !== '/live'} />}
    </>
  );
}

const THEMES = ['system', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];
const KEY = 'trk-theme';

/** Light, dark, or as the system has it; remembered in this browser. */
function Theme() {
  const [theme, setTheme] = useState<Theme>(() => {
    const kept = inBrowser.getItem(KEY);
    return THEMES.find((one) => one === kept) ?? 'system';
  });
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
    inBrowser.setItem(KEY, theme);
  }, [theme]);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] as Theme;
  return (
    <Button
      kind="quiet"
      title={`Colours: ${theme}. Press for ${next}.`}
      aria-label={`Colours: ${theme}`}
      onClick={() => setTheme(next)}
    >
      {theme === 'light' ? '☀' : theme === 'dark' ? '☾' : '◐'}
    </Button>
  );
}
