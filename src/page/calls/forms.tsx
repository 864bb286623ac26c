// A small form for each kind of filter: what it holds now, what it becomes. What cannot be meant is said beside the field.
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { ALL_REASONS, duration, reasonInWords } from '../format.ts';
import { Button } from '../ui.tsx';
import { dollarsOf, leastAndMost, millisecondsOf, numberOf, secondsOf } from './amounts.ts';
import { dateField, midnight, PRESETS, presetStretch, type Stretch, stretchOfFields } from './days.ts';
import { type Changes, KIND_NAMES, type Kind, withoutKind } from './kinds.ts';
import { timeOf, timeText } from './query.ts';
import type { CallFacets } from './types.ts';

interface FormProps {
  query: URLSearchParams;
  facets: CallFacets | null;
  apply: (changes: Changes) => void;
}

export function FilterForm({ kind, ...props }: FormProps & { kind: Exclude<Kind, 'words'> }) {
  const Fields = FIELDS[kind];
  return (
    <>
      <h2>{KIND_NAMES[kind]}</h2>
      <Fields {...props} apply={(changes) => props.apply({ ...withoutKind(kind), ...changes })} />
    </>
  );
}

/** A form whose fields become changes; what `read` throws is said to the reader. */
function Form({
  read,
  apply,
  children,
}: {
  read: (data: FormData) => Changes;
  apply: (changes: Changes) => void;
  children: ComponentChildren;
}) {
  const [wrong, setWrong] = useState('');
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        try {
          apply(read(new FormData(event.currentTarget)));
        } catch (error) {
          setWrong(error instanceof Error ? error.message : String(error));
        }
      }}
    >
      {children}
      {wrong !== '' && (
        <p class="calls-wrong" role="alert">
          {wrong}
        </p>
      )}
      <Button kind="primary" type="submit">
        Apply
      </Button>
    </form>
  );
}

const typed = (data: FormData, name: string): string => {
  const value = data.get(name);
  return typeof value === 'string' ? value : '';
};

function When({ query, apply }: FormProps) {
  const [sinceMs, untilMs] = [timeOf(query.get('since')), timeOf(query.get('until'))];
  const changes = (stretch: Stretch): Changes => ({
    since: stretch.sinceMs === null ? null : timeText(stretch.sinceMs),
    until: stretch.untilMs === null ? null : timeText(stretch.untilMs),
  });
  const now = Date.now();
  return (
    <>
      <div class="calls-presets">
        {PRESETS.map((preset) => (
          <Button key={preset} onClick={() => apply(changes(presetStretch(preset, now)))}>
            {preset}
          </Button>
        ))}
      </div>
      <Form
        apply={apply}
        read={(data) => {
          const stretch = stretchOfFields(typed(data, 'first'), typed(data, 'last'));
          if (stretch === null) throw new Error('Choose days that the calendar has.');
          if (stretch.sinceMs !== null && stretch.untilMs !== null && stretch.sinceMs >= stretch.untilMs)
            throw new Error('The last day is before the first.');
          return changes(stretch);
        }}
      >
        <div class="calls-pair">
          <label>
            First day
            <input name="first" type="date" defaultValue={sinceMs === null ? '' : dateField(sinceMs)} />
          </label>
          <label>
            Last day
            <input name="last" type="date" defaultValue={untilMs === null ? '' : dateField(midnight(untilMs - 1))} />
          </label>
        </div>
        <p class="hint">Both days are in it, in your time zone ({Intl.DateTimeFormat().resolvedOptions().timeZone}).</p>
      </Form>
    </>
  );
}

/** One of what has occurred; what is set now is offered even where it never occurred. */
function OneOf({
  name,
  label,
  all,
  query,
  apply,
}: FormProps & { name: string; label: string; all: readonly string[] | null }) {
  const now = query.get(name) ?? '';
  const offered = [...new Set([...(all ?? []), ...(now === '' ? [] : [now])])];
  if (all === null) return <p class="hint">Looking up what there is…</p>;
  if (offered.length === 0) return <p class="hint">No call has one yet.</p>;
  return (
    <Form apply={apply} read={(data) => ({ [name]: typed(data, name) })}>
      <label>
        {label}
        <select name={name} defaultValue={now === '' ? offered[0] : now} data-first>
          {offered.map((one) => (
            <option key={one} value={one} selected={one === (now === '' ? offered[0] : now)}>
              {one}
            </option>
          ))}
        </select>
      </label>
    </Form>
  );
}

function Choice({
  name,
  choices,
  query,
  apply,
}: FormProps & { name: string; choices: readonly (readonly [value: string, text: string])[] }) {
  return (
    <div class="calls-presets">
      {choices.map(([value, text]) => (
        <Button key={value} aria-pressed={query.get(name) === value} onClick={() => apply({ [name]: value })}>
          {text}
        </Button>
      ))}
    </div>
  );
}

function Reasons({ query, facets, apply }: FormProps) {
  const now = (query.get('reason') ?? '').split(',');
  const occurred = new Set(facets?.reasons ?? []);
  const known = [...new Set([...ALL_REASONS, ...occurred])];
  const offered = [...known.filter((one) => occurred.has(one)), ...known.filter((one) => !occurred.has(one))];
  return (
    <Form
      apply={apply}
      read={(data) => {
        const chosen = data.getAll('reason').filter((one) => typeof one === 'string');
        return { reason: chosen.length === 0 ? null : chosen.join(',') };
      }}
    >
      <fieldset class="calls-reasons">
        <legend class="hint">Calls that ended for any of these:</legend>
        {offered.map((reason) => (
          <label key={reason} class={occurred.has(reason) ? '' : 'soft'} title={reason}>
            <input type="checkbox" name="reason" value={reason} defaultChecked={now.includes(reason)} />
            {reasonInWords(reason)}
          </label>
        ))}
      </fieldset>
      {facets !== null && <p class="hint">Those in grey have not occurred yet.</p>}
    </Form>
  );
}

function Range({
  query,
  apply,
  least,
  most,
  hint,
  read,
  write,
}: FormProps & {
  least: string;
  most: string;
  hint: string;
  /** @throws Error that says what to type */
  read: (typed: string) => string | null;
  write: (amount: string) => string;
}) {
  const id = useId();
  const field = (name: string, label: string) => (
    <label>
      {label}
      <input
        name={name}
        inputMode="text"
        autocomplete="off"
        aria-describedby={id}
        defaultValue={query.has(name) ? write(query.get(name) ?? '') : ''}
      />
    </label>
  );
  return (
    <Form
      apply={apply}
      read={(data) => {
        const [from, to] = leastAndMost(read(typed(data, least)), read(typed(data, most)));
        return { [least]: from, [most]: to };
      }}
    >
      <div class="calls-pair">
        {field(least, 'At least')}
        {field(most, 'At most')}
      </div>
      <p class="hint" id={id}>
        {hint}
      </p>
    </Form>
  );
}

const asIs = (amount: string): string => amount;
const asDuration = (seconds: string): string => (/^\d+$/.test(seconds) ? duration(Number(seconds) * 1_000) : seconds);

function PhoneNumber({ query, apply }: FormProps) {
  const id = useId();
  return (
    <Form apply={apply} read={(data) => numberOf(typed(data, 'number'))}>
      <label>
        Number of the caller or the one called
        <input
          name="number"
          maxLength={100}
          autocomplete="off"
          aria-describedby={id}
          defaultValue={query.get('number') ?? query.get('from') ?? ''}
        />
      </label>
      <p class="hint" id={id}>
        Any digits of it, or how it begins: 4567, +1555 or +15551234567. A SIP address is found whole, as a caller's.
      </p>
    </Form>
  );
}

const FIELDS: Record<Exclude<Kind, 'words'>, (props: FormProps) => ReturnType<typeof Form>> = {
  when: When,
  agent: (props) => <OneOf {...props} name="agent" label="Answered by" all={props.facets?.agents ?? null} />,
  direction: (props) => <Choice {...props} name="direction" choices={DIRECTIONS} />,
  reason: Reasons,
  result: (props) => <Choice {...props} name="result" choices={RESULTS} />,
  duration: (props) => (
    <Range
      {...props}
      {...{ least: 'min_seconds', most: 'max_seconds', read: secondsOf, write: asDuration }}
      hint="Seconds, or minutes and seconds: 90, 1:30 or 1:02:03."
    />
  ),
  cost: (props) => (
    <Range
      {...props}
      {...{ least: 'min_usd', most: 'max_usd', read: dollarsOf, write: asIs }}
      hint="US dollars by the price book: 0.25 or 3."
    />
  ),
  latency: (props) => (
    <Range
      {...props}
      {...{ least: 'min_latency_ms', most: 'max_latency_ms', read: millisecondsOf, write: asIs }}
      hint="Median of the call as the caller hears it, in milliseconds, or in seconds with an s: 800 or 1.2 s."
    />
  ),
  number: PhoneNumber,
  disposition: (props) => (
    <OneOf {...props} name="disposition" label="The agent noted" all={props.facets?.dispositions ?? null} />
  ),
};

const DIRECTIONS = [
  ['inbound', 'Inbound: we were called'],
  ['outbound', 'Outbound: we called'],
] as const;
const RESULTS = [
  ['success', 'Success'],
  ['failure', 'Failure'],
] as const;
