// The browser phone: whoever may, calls an agent from here, without any carrier. One click and a word, and it answers.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { PhoneFacts } from '../../dashboard/phone/phone-facts.ts';
import { useApi, useSession } from '../api.ts';
import { duration } from '../format.ts';
import { Captions } from '../phone/captions.tsx';
import { Meters } from '../phone/meters.tsx';
import '../phone/phone.css';
import { type Phone, usePhone } from '../phone/use-phone.ts';
import { endInWords, isFault, phaseInWords } from '../phone/words.ts';
import { Button, Failure, Link, Loading, Notice, useNow, useTitle } from '../ui.tsx';

const PAD: readonly (readonly [digit: string, letters: string, name: string])[] = [
  ['1', '', '1'],
  ['2', 'ABC', '2'],
  ['3', 'DEF', '3'],
  ['4', 'GHI', '4'],
  ['5', 'JKL', '5'],
  ['6', 'MNO', '6'],
  ['7', 'PQRS', '7'],
  ['8', 'TUV', '8'],
  ['9', 'WXYZ', '9'],
  ['*', '', 'star'],
  ['0', '+', '0'],
  ['#', '', 'pound'],
];
const KEYS = '0123456789*#';

export function PhonePage(_: { id: string }) {
  useTitle('Phone');
  const facts = useApi<PhoneFacts>('/phone');
  const phone = usePhone();
  const title = <h1>Phone</h1>;
  if (facts.data === null)
    return (
      <>
        {title}
        <Failure error={facts.error} retry={facts.reload} />
        {facts.loading && <Loading />}
      </>
    );
  return (
    <>
      {title}
      <Hints facts={facts.data} />
      <div class="phone">
        <Handset facts={facts.data} phone={phone} />
        <section class="card phone-talk" aria-labelledby="captions">
          <h2 id="captions">Live captions</h2>
          <Captions line={phone.line} />
        </section>
      </div>
    </>
  );
}

function Hints({ facts: { simulated, draining, agents } }: { facts: PhoneFacts }) {
  return (
    <>
      {draining && (
        <Notice tone="warn">
          The server is being stopped and takes no new calls. Load this page anew in a moment.
        </Notice>
      )}
      {simulated && (
        <Notice>
          The simulator answers: there is no <code>OPENAI_API_KEY</code>. It hears when you speak and when you
          interrupt, and says what its script has.
        </Notice>
      )}
      {agents.length === 0 && (
        <Notice tone="warn">No agent answers a number. Give one a number in its agent file: answers: ["*"].</Notice>
      )}
    </>
  );
}

function Handset({ facts, phone }: { facts: PhoneFacts; phone: Phone }) {
  const id = useId();
  const session = useSession();
  // "*" stands for a number that the agent may answer by name as well.
  const lines = facts.agents.flatMap(({ name, answers }) => [...new Set(answers)].map((to) => ({ name, to })));
  const [to, setTo] = useState(lines[0]?.to ?? '');
  const [name, setName] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const { phase, problem } = phone;
  const busy = phase !== 'idle' && phase !== 'ended';
  const known = lines.find((one) => one.to === to.replace(/[\s().-]/g, ''));
  const answeredBy = known?.name ?? facts.anyNumber;
  const call = (): void => {
    if (to.trim() === '') field.current?.focus();
    else phone.call(to.trim(), name.trim());
  };
  const press = (digit: string): void => {
    if (busy) phone.press(digit);
    else setTo((before) => before + digit);
  };
  const actions = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The button that had the focus is gone: the keyboard goes on where it was. Mute comes first, so that an Enter that is held
    // down does not hang up.
    if (document.activeElement === document.body && (busy || phase === 'ended'))
      actions.current?.querySelector('button')?.focus();
  }, [busy]);
  useKeys({ busy, call, hangUp: phone.hangUp, press });
  return (
    <>
      <section class="card phone-set" aria-label="Telephone">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            call();
          }}
        >
          {lines.length > 1 && (
            <label>
              Agent
              <select
                value={known?.to ?? ''}
                disabled={busy}
                onChange={({ currentTarget }) => setTo(currentTarget.value)}
              >
                {known === undefined && <option value="">Another number</option>}
                {lines.map((one) => (
                  <option key={one.to} value={one.to}>
                    {one.name} · {one.to}
                  </option>
                ))}
              </select>
            </label>
          )}
          <label>
            Number
            <input
              ref={field}
              class="phone-number"
              type="tel"
              autocomplete="off"
              required
              maxLength={100}
              value={to}
              disabled={busy}
              aria-describedby={`${id}-who`}
              onInput={({ currentTarget }) => setTo(currentTarget.value)}
            />
          </label>
          <p class="hint" id={`${id}-who`}>
            {answeredBy === null
              ? 'No agent answers this number: the call will be turned away.'
              : `${answeredBy} answers. No telephone call is placed: you talk to this server.`}
          </p>
          {session?.scope === 'operator' && (
            <details>
              <summary class="hint">Call under another name</summary>
              <label>
                <span class="hint">Agent files may list who may call; without a name you are “browser”.</span>
                <input
                  maxLength={60}
                  autocomplete="off"
                  placeholder="browser"
                  value={name}
                  disabled={busy}
                  onInput={({ currentTarget }) => setName(currentTarget.value)}
                />
              </label>
            </details>
          )}
          <div class="phone-state">
            <span role="status">{phaseInWords(phase)}</span>
            <Timer phone={phone} />
          </div>
          <Meters levels={() => phone.levels} on={busy} />
          <div class="phone-actions" ref={actions}>
            {busy ? (
              <>
                <Button aria-pressed={phone.muted} onClick={() => phone.mute(!phone.muted)}>
                  {phone.muted ? 'Muted' : 'Mute'}
                </Button>
                <Button kind="danger" onClick={phone.hangUp}>
                  Hang up
                </Button>
              </>
            ) : (
              <Button kind="primary" type="submit">
                Call
              </Button>
            )}
          </div>
        </form>
        <Outcome phone={phone} problem={problem} isOperator={session?.scope === 'operator'} />
      </section>
      <section class="card phone-keys" aria-label="Keypad">
        <div class="phone-pad">
          {PAD.map(([digit, letters, label]) => (
            // What is written on a key is part of its name, for those who speak to their computer.
            <Button key={digit} aria-label={letters === '' ? label : undefined} onClick={() => press(digit)}>
              {digit}
              <small aria-hidden="true">{letters}</small>
            </Button>
          ))}
        </div>
        <p class="hint">Keys: digits, * and # dial or press; Enter calls, Escape hangs up.</p>
      </section>
    </>
  );
}

function Timer({ phone: { line } }: { phone: Phone }) {
  const now = useNow(500);
  if (line === null || line.connectedAtMs === null) return null;
  return (
    <span class="number" aria-label="Length of the call">
      {duration((line.endedAtMs ?? now) - line.connectedAtMs)}
    </span>
  );
}

/** What went wrong or how it ended, and where to go from here. */
function Outcome({ phone, problem, isOperator }: { phone: Phone; problem: string; isOperator: boolean }) {
  const { line } = phone;
  const end = line?.end ?? null;
  return (
    <>
      {problem !== '' && <Notice tone="bad">{problem}</Notice>}
      {end !== null && (
        <Notice tone={isFault(end) ? 'warn' : 'info'}>
          {endInWords(end)}{' '}
          {isOperator && line !== null && line.callId !== '' && (
            <Link href={`/calls/${line.callId}`}>What happened in this call</Link>
          )}
        </Notice>
      )}
      {line !== null && line.callId !== '' && end === null && isOperator && (
        <p class="hint">
          <Link href={`/live/${line.callId}`} target="_blank">
            Watch this call live
          </Link>{' '}
          in another tab: leaving this page hangs up.
        </p>
      )}
    </>
  );
}

/** The whole page is the keypad, except where somebody types. */
function useKeys(does: { busy: boolean; call: () => void; hangUp: () => void; press: (digit: string) => void }): void {
  const latest = useRef(does);
  latest.current = does;
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const { busy, call, hangUp, press } = latest.current;
      if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
      const { target } = event;
      // A dialog over the phone has its own Escape and Enter: who logs in again does not lose the call.
      if (target instanceof Element && target.closest('dialog') !== null) return;
      if (event.key === 'Escape' && busy) return hangUp();
      if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) return;
      if (KEYS.includes(event.key)) return press(event.key);
      // A button under the focus has its own Enter.
      if (
        event.key === 'Enter' &&
        !busy &&
        !(target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement)
      )
        return call();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
}
