// Log in with the admin token, or by a one-time link whose code is behind the #, where no server's log sees it.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Session } from '../../dashboard/schemas/session.ts';
import { ApiError, giveUp, logIn } from '../api.ts';
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
          {error} {code !== null && 'The admin token opens this page as well.'}
        </Notice>
      )}
      {busy && code !== null ? <Loading what="Logging in" /> : <TokenForm enter={enter} busy={busy} />}
    </main>
  );
}

interface Given {
  token: string;
  name?: string;
}

/** @param name who they were, where they come back */
function TokenForm({ enter, busy, name = '' }: { enter: (given: Given) => void; busy: boolean; name?: string }) {
  const token = useRef<HTMLInputElement>(null);
  useEffect(() => token.current?.focus(), []);
  return (
    <form
      class="card"
      onSubmit={(event) => {
        event.preventDefault();
        const data = new FormData(event.currentTarget);
        const named = textOf(data.get('name')).trim();
        enter({ token: textOf(data.get('token')), ...(named === '' ? {} : { name: named }) });
      }}
    >
      <label>
        Admin token
        <input ref={token} name="token" type="password" autocomplete="current-password" required />
      </label>
      <p class="hint">
        The value of <code>ADMIN_TOKEN</code>. Without that key, the server prints one when it starts.
      </p>
      <label>
        Your name <span class="hint">(optional; the audit shows it)</span>
        <input name="name" autocomplete="name" maxLength={60} defaultValue={name} />
      </label>
      <Button kind="primary" type="submit" busy={busy}>
        Log in
      </Button>
    </form>
  );
}

/**
 * The session ran out in the middle of something. Nobody sees what lies below until they log in, and then they find it as it was.
 */
export function LogInAgain({ session: { name, scope } }: { session: Session }) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class="login-again"
      aria-labelledby={id}
      // Escape would give up what was begun; browsers close a dialog all the same when its cancelling is refused twice.
      onKeyDown={(event) => event.key === 'Escape' && event.preventDefault()}
      onCancel={(event) => event.preventDefault()}
      onClose={({ currentTarget }) => currentTarget.showModal()}
    >
      <h2 id={id}>Your session is over</h2>
      <p>Log in again: what you had begun is still there.</p>
      {error !== '' && <Notice tone="bad">{error}</Notice>}
      {scope === 'phone' && <p>You came by a link; ask for another one, or use the admin token.</p>}
      <TokenForm
        name={scope === 'operator' && name !== 'operator' ? name : ''}
        busy={busy}
        enter={(given) => {
          setBusy(true);
          setError('');
          logIn(given).catch((failure: unknown) => {
            setBusy(false);
            setError(failure instanceof ApiError ? failure.message : String(failure));
          });
        }}
      />
      <Button kind="quiet" onClick={giveUp}>
        Give up what was begun
      </Button>
    </dialog>
  );
}
