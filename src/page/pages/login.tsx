// Log in with the admin token, or by a one-time link whose code is behind the #, where no server's log sees it.
import { useEffect, useState } from 'preact/hooks';
import { ApiError, logIn } from '../api.ts';
import { navigate } from '../router.ts';
import { Button, Loading, Notice, useTitle } from '../ui.tsx';

const codeOf = (hash: string): string | null => /^#code=([\w.-]+)$/.exec(hash)?.[1] ?? null;

const textOf = (value: FormDataEntryValue | null): string => (typeof value === 'string' ? value : '');

/** @param known somebody is logged in already, and a new code only leads on */
export function LoginPage({ known }: { known: boolean }) {
  useTitle('Log in');
  const [code] = useState(() => codeOf(location.hash));
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(code !== null || known);
  const path = location.pathname === '/login' ? '/live' : location.pathname + location.search;

  const enter = (given: { token?: string; code?: string; name?: string }): void => {
    setBusy(true);
    logIn(given).then(
      () => navigate(path, { replace: true }),
      (failure: unknown) => {
        setBusy(false);
        // The code is used up: it does not stay in the address bar.
        if (code !== null) history.replaceState(null, '', location.pathname);
        setError(failure instanceof ApiError ? failure.message : String(failure));
      },
    );
  };
  useEffect(() => {
    if (code !== null) enter({ code });
    else if (known) navigate(path, { replace: true });
  }, []);

  return (
    <main class="login">
      <h1>
        <img src="/icon.svg" alt="" width="34" height="34" /> Trunkline
      </h1>
      {error !== '' && (
        <Notice tone="bad">
          {error}{' '}
          {code !== null && 'A link works once, and for a short while. Use the admin token, or ask for another link.'}
        </Notice>
      )}
      {busy && code !== null ? (
        <Loading what="Logging in" />
      ) : (
        <form
          class="card"
          onSubmit={(event) => {
            event.preventDefault();
            const data = new FormData(event.currentTarget);
            const name = textOf(data.get('name')).trim();
            enter({ token: textOf(data.get('token')), ...(name === '' ? {} : { name }) });
          }}
        >
          <label>
            Admin token
            <input name="token" type="password" autocomplete="current-password" required autofocus />
          </label>
          <p class="hint">
            The value of <code>ADMIN_TOKEN</code>. Without that key, the server prints one when it starts.
          </p>
          <label>
            Your name <span class="hint">(optional; the audit shows it)</span>
            <input name="name" autocomplete="name" maxLength={60} />
          </label>
          <Button kind="primary" type="submit" busy={busy}>
            Log in
          </Button>
        </form>
      )}
    </main>
  );
}
