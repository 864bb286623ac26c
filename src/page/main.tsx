// The operators' page: who is logged in decides what is drawn, the path decides which view. Heavy views come when they are asked for.
import { render, type FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError, loadSession, useLapsedSession, useSession } from './api.ts';
import { Frame } from './frame.tsx';
import { LoginPage, LogInAgain } from './pages/login.tsx';
import { NotFound } from './pages/not-found.tsx';
import { usePlace } from './router.ts';
import { Loading, Notice } from './ui.tsx';

type View = FunctionComponent<{ id: string }>;

/** Paths and the views that they show, the first that fits; `(.+)` is the id. */
const VIEWS: readonly [RegExp, scope: 'operator' | 'phone', () => Promise<View>][] = [
  [/^\/(?:live)?$/, 'operator', async () => (await import('./pages/live.tsx')).LivePage],
  [/^\/live\/([\w-]+)$/, 'operator', async () => (await import('./pages/live-call.tsx')).LiveCallPage],
  [/^\/calls$/, 'operator', async () => (await import('./pages/calls.tsx')).CallsPage],
  [/^\/calls\/([\w-]+)$/, 'operator', async () => (await import('./pages/call.tsx')).CallPage],
  [/^\/phone$/, 'phone', async () => (await import('./pages/phone.tsx')).PhonePage],
  [/^\/audit$/, 'operator', async () => (await import('./pages/audit.tsx')).AuditPage],
];

function Page() {
  const session = useSession();
  const lapsed = useLapsedSession();
  const { path } = usePlace();
  const [failed, setFailed] = useState('');
  useEffect(() => {
    let again: ReturnType<typeof setTimeout>;
    const load = (): void => {
      loadSession().then(
        () => setFailed(''),
        (error: unknown) => {
          setFailed(error instanceof ApiError ? error.message : String(error));
          again = setTimeout(load, 2_000);
        },
      );
    };
    load();
    return () => clearTimeout(again);
  }, []);
  if (session === undefined) return <main>{failed === '' ? <Loading /> : <Notice tone="bad">{failed}</Notice>}</main>;
  // Of one that ran out the view stays: a half-written line, a call in this browser.
  const shown = session ?? lapsed;
  if (shown === null || path === '/login' || location.hash.startsWith('#code='))
    return <LoginPage known={session !== null} />;
  return (
    <>
      <Frame session={shown}>
        <Shown path={path} scope={shown.scope} />
      </Frame>
      {session === null && <LogInAgain session={shown} />}
    </>
  );
}

function Shown({ path, scope }: { path: string; scope: 'operator' | 'phone' }) {
  const found = VIEWS.find(([pattern]) => pattern.test(path));
  const [view, setView] = useState<{ of: unknown; draw: View } | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    if (found === undefined) return undefined;
    // Whoever went on meanwhile does not get the view that comes late.
    let wanted = true;
    setFailed(false);
    found[2]().then(
      (draw) => wanted && setView({ of: found, draw }),
      // The server was replaced by a later version, whose files have other names.
      () => wanted && setFailed(true),
    );
    return () => {
      wanted = false;
    };
  }, [found]);
  if (found === undefined) return <NotFound />;
  if (scope === 'phone' && found[1] !== 'phone')
    return (
      <Notice tone="warn">
        This link is for the <a href="/phone">browser phone</a> only.
      </Notice>
    );
  if (failed)
    return (
      <Notice tone="bad">
        This view could not be loaded: the server may have been updated. <a href={path}>Load the page anew</a>.
      </Notice>
    );
  if (view === null || view.of !== found) return <Loading />;
  const id = found[0].exec(path)?.[1] ?? '';
  // Another call is another view: nothing of the one before stays.
  return <view.draw key={id} id={id} />;
}

render(<Page />, document.getElementById('page') as HTMLElement);
