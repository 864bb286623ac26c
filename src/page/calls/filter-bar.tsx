// The filter over the list: the words to look for, the chips of what is set, and the menu of what can be set.
import { useEffect, useRef, useState } from 'preact/hooks';
import { setQuery } from '../router.ts';
import { Button } from '../ui.tsx';
import { type Chip, chipsOf } from './chips.ts';
import { FilterForm } from './forms.tsx';
import { type Changes, KIND_NAMES, KINDS, type Kind } from './kinds.ts';
import { Popup } from './popup.tsx';
import type { CallFacets } from './types.ts';

/** Changes the filter; the place in the list belongs to the filter before. */
const change = (changes: Changes, options: { replace?: boolean } = {}): void =>
  setQuery({ ...changes, cursor: null }, options);

export function FilterBar({ query, facets }: { query: URLSearchParams; facets: CallFacets | null }) {
  const [open, setOpen] = useState<Kind | 'menu' | null>(null);
  const search = useRef<HTMLInputElement>(null);
  const bar = useRef<HTMLDivElement>(null);
  const chips = chipsOf(query);
  const edit = (kind: Kind): void => {
    if (kind !== 'words') return setOpen(kind);
    setOpen(null);
    search.current?.focus();
    search.current?.select();
  };
  const remove = (chip: Chip, index: number): void => {
    change(chip.without);
    // The chip that was pressed is gone: its place, or the menu's button, has the focus.
    requestAnimationFrame(() => {
      const left = bar.current?.querySelectorAll<HTMLElement>('.calls-chip-off') ?? [];
      (
        left[Math.min(index, left.length - 1)] ?? bar.current?.querySelector<HTMLElement>('.calls-popup button')
      )?.focus();
    });
  };
  return (
    <div class="calls-filter" role="search" aria-label="Filter of the calls" ref={bar}>
      <WordsField words={query.get('words') ?? ''} field={search} />
      <Popup
        label="+ Add filter"
        about="Filters"
        open={open !== null}
        setOpen={(wanted) => setOpen(wanted ? 'menu' : null)}
        step={open ?? ''}
      >
        {open === 'menu' && <Menu choose={edit} />}
        {open !== null && open !== 'menu' && open !== 'words' && (
          <FilterForm
            key={open}
            kind={open}
            query={query}
            facets={facets}
            apply={(changes) => {
              change(changes);
              setOpen(null);
            }}
          />
        )}
      </Popup>
      <ul class="calls-chips" aria-label="Filters that are set">
        {chips.map((chip, index) => (
          <li key={chip.kind ?? chip.name} class="calls-chip">
            <ChipText chip={chip} edit={edit} />
            <button
              type="button"
              class="calls-chip-off"
              aria-label={`Remove the filter ${chip.name}: ${chip.text}`}
              onClick={() => remove(chip, index)}
            >
              ✕
            </button>
          </li>
        ))}
        {chips.length > 1 && (
          <li>
            <Button
              kind="quiet"
              onClick={() => {
                change(Object.assign({}, ...chips.map(({ without }) => without)) as Changes);
                bar.current?.querySelector<HTMLElement>('.calls-popup button')?.focus();
              }}
            >
              Clear all
            </Button>
          </li>
        )}
      </ul>
    </div>
  );
}

function ChipText({ chip: { kind, name, text }, edit }: { chip: Chip; edit: (kind: Kind) => void }) {
  const words = (
    <>
      <b>{name}</b> {text}
    </>
  );
  if (kind === null) return <span class="calls-chip-text">{words}</span>;
  return (
    <button type="button" class="calls-chip-text" title={`${text}. Press to change it.`} onClick={() => edit(kind)}>
      {words}
    </button>
  );
}

const Menu = ({ choose }: { choose: (kind: Kind) => void }) => (
  <ul class="calls-menu">
    {KINDS.map((kind) => (
      <li key={kind}>
        <Button kind="quiet" onClick={() => choose(kind)}>
          {KIND_NAMES[kind]}
        </Button>
      </li>
    ))}
  </ul>
);

/** After the last key. */
const QUIET_MS = 400;
const MOST_WORDS = 200;

/** Looks for words when the typing pauses, and at once by Enter. */
function WordsField({ words, field }: { words: string; field: { current: HTMLInputElement | null } }) {
  const [typed, setTyped] = useState(words);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // What this field asked for last: only what came from elsewhere (a chip, "back") is written into it.
  const asked = useRef(words);
  useEffect(() => {
    if (words === asked.current) return;
    asked.current = words;
    clearTimeout(timer.current);
    setTyped(words);
  }, [words]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const ask = (text: string): void => {
    clearTimeout(timer.current);
    const wanted = text.trim();
    if (wanted === asked.current) return;
    // "Back" leads to before the search, not through each of its letters.
    const replace = asked.current !== '' && wanted !== '';
    asked.current = wanted;
    change({ words: wanted }, { replace });
  };
  return (
    <form
      class="calls-words"
      onSubmit={(event) => {
        event.preventDefault();
        ask(typed);
      }}
    >
      <input
        ref={field}
        type="search"
        name="words"
        aria-label="Words of the transcript"
        placeholder="Words said in the call"
        title="Calls in which all of these words were said, by either side; the last may be the beginning of a word"
        maxLength={MOST_WORDS}
        value={typed}
        onInput={(event) => {
          const text = event.currentTarget.value;
          setTyped(text);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => ask(text), QUIET_MS);
        }}
      />
    </form>
  );
}
