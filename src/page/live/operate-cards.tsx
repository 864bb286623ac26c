// What can be done to a live call: a whisper, a line to be said, a hand-over, an end. What the caller hears and what they do
// not are two fields that look and are named differently, because a whisper that is said aloud cannot be taken back.
import type { RefObject } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { api, ApiError } from '../api.ts';
import { number } from '../format.ts';
import { Button, Dialog } from '../ui.tsx';

/** As the API takes it. */
const MOST_SAID = 600;

interface Outcome {
  tone: 'good' | 'bad' | '';
  text: string;
}

const NOTHING: Outcome = { tone: '', text: '' };

/** Why it could not be done, in words, and that nothing was done. */
function failed(error: unknown): Outcome {
  if (!(error instanceof ApiError)) return { tone: 'bad', text: String(error) };
  if (error.status === 404) return { tone: 'bad', text: 'Not done: the call is over.' };
  if (error.status === 0)
    return { tone: 'bad', text: 'Perhaps not done: the server cannot be reached. Try again when it is back.' };
  return { tone: 'bad', text: `Not done: ${error.message}` };
}

/** What became of it; before that, `hint`. */
const Told = ({ outcome, hint = '' }: { outcome: Outcome; hint?: string }) => (
  <p class={`live-outcome number ${outcome.tone === '' ? 'soft' : outcome.tone}`}>
    <span role="status">{outcome.text}</span>
    {outcome.text === '' && hint}
  </p>
);

export interface LineField {
  name: string;
  explains: string;
  button: string;
  done: string;
  key: string;
  class: string;
}

/** A field for words, sent by Enter. */
export function LineCard({
  callId,
  action,
  field,
  over,
  focus,
}: {
  callId: string;
  action: 'whisper' | 'say';
  field: LineField;
  over: boolean;
  focus: RefObject<HTMLTextAreaElement | null>;
}) {
  const id = useId();
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState(NOTHING);
  const send = (): void => {
    if (busy || over) return;
    if (text.trim() === '') {
      setOutcome({ tone: 'bad', text: 'Write something first.' });
      return;
    }
    setBusy(true);
    setOutcome(NOTHING);
    api('POST', `/live/calls/${callId}/${action}`, { text: text.trim() })
      .then(
        () => {
          setOutcome({ tone: 'good', text: field.done });
          setText('');
        },
        (error: unknown) => setOutcome(failed(error)),
      )
      .finally(() => setBusy(false));
  };
  return (
    <section class={`card ${field.class}`} aria-labelledby={id}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <h2 id={id}>
          {field.name} <kbd aria-hidden="true">{field.key}</kbd>
        </h2>
        <p class="hint" id={`${id}-hint`}>
          {field.explains}
        </p>
        <textarea
          ref={focus}
          aria-labelledby={id}
          aria-describedby={`${id}-hint`}
          maxLength={MOST_SAID}
          rows={2}
          value={text}
          disabled={over}
          onInput={({ currentTarget }) => {
            setText(currentTarget.value);
            setOutcome(NOTHING);
          }}
          onKeyDown={(event) => {
            // Enter sends; Shift and Enter, or the Enter that ends a composed character, do not.
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            send();
          }}
        />
        <div class="row spread">
          <Told outcome={outcome} hint={`${number(text.length)} of ${MOST_SAID} · Enter sends`} />
          <Button type="submit" busy={busy} disabled={over}>
            {field.button}
          </Button>
        </div>
      </form>
    </section>
  );
}

/** Closes the dialog that a button is in, so that the focus goes back to where it was. */
const closeDialog = (element: Element): void => element.closest('dialog')?.close();

export type Asked = 'transfer' | 'hang-up';

/** Hand-over and hang-up; both ask first. */
export function EndCard({
  callId,
  targets,
  over,
  asked,
  ask,
}: {
  callId: string;
  targets: readonly string[];
  over: boolean;
  asked: Asked | null;
  ask: (what: Asked | null) => void;
}) {
  const id = useId();
  const [chosen, setChosen] = useState('');
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState(NOTHING);
  const [hungUp, setHungUp] = useState(false);
  const select = useRef<HTMLSelectElement>(null);
  const target = targets.includes(chosen) ? chosen : (targets[0] ?? '');

  // Nobody confirms what cannot be done any more.
  useEffect(() => {
    if (over && asked !== null) ask(null);
  }, [over, asked]);

  const perform = (action: Asked, body: object, done: string): void => {
    setBusy(true);
    setOutcome(NOTHING);
    api('POST', `/live/calls/${callId}/${action}`, body)
      .then(
        () => {
          setOutcome({ tone: 'good', text: done });
          if (action === 'hang-up') setHungUp(true);
        },
        (error: unknown) => setOutcome(failed(error)),
      )
      .finally(() => setBusy(false));
  };

  return (
    <section class="card" aria-labelledby={id}>
      <div class="row spread">
        <h2 id={id}>End or hand over</h2>
        <Button kind="danger" busy={busy} disabled={over} onClick={() => ask('hang-up')}>
          {hungUp ? 'Hang up now…' : 'Hang up…'} <kbd aria-hidden="true">h</kbd>
        </Button>
      </div>
      {targets.length === 0 ? (
        <p class="hint">
          This agent has nobody to hand over to: its file has no <code>transfer</code>.
        </p>
      ) : (
        <div class="row">
          <label class="live-inline">
            To
            <select
              ref={select}
              value={target}
              disabled={over}
              onChange={({ currentTarget }) => setChosen(currentTarget.value)}
            >
              {targets.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <Button busy={busy} disabled={over} onClick={() => ask('transfer')}>
            Hand over… <kbd aria-hidden="true">t</kbd>
          </Button>
        </div>
      )}
      <Told outcome={outcome} />
      {asked === 'transfer' && targets.length > 0 && !over && (
        <Dialog title={`Hand this call over to “${target}”?`} onClose={() => ask(null)}>
          <p class="live-ask">
            The agent tells the caller and connects them. If nobody answers there, the caller is back with the agent.
          </p>
          <div class="row end">
            <Button onClick={({ currentTarget }) => closeDialog(currentTarget)}>Cancel</Button>
            <Button
              kind="primary"
              onClick={({ currentTarget }) => {
                closeDialog(currentTarget);
                perform('transfer', { target }, `The call is being handed over to “${target}”, once nobody speaks.`);
              }}
            >
              Hand over
            </Button>
          </div>
        </Dialog>
      )}
      {asked === 'hang-up' && !over && (
        <Dialog title="Hang up this call?" onClose={() => ask(null)}>
          <p class="live-ask">
            {hungUp
              ? 'The goodbye is being said already. Once more ends the call at once.'
              : 'The agent says goodbye, then the call ends. Once more ends it at once.'}
          </p>
          <div class="row end">
            <Button onClick={({ currentTarget }) => closeDialog(currentTarget)}>Cancel</Button>
            <Button
              kind="danger"
              onClick={({ currentTarget }) => {
                closeDialog(currentTarget);
                perform('hang-up', {}, 'The agent says goodbye; then the call ends.');
              }}
            >
              Hang up
            </Button>
          </div>
        </Dialog>
      )}
    </section>
  );
}
