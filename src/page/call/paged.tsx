// A long table, so many rows at a time.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { number } from '../format.ts';
import { Button } from '../ui.tsx';

const ROWS = 200;

export function Paged<Row>({
  rows,
  what,
  children,
}: {
  rows: readonly Row[];
  /** What they are: 'turns'. */
  what: string;
  children: (shown: readonly Row[]) => ComponentChildren;
}) {
  const [page, setPage] = useState(0);
  const pages = Math.max(1, Math.ceil(rows.length / ROWS));
  const at = Math.min(page, pages - 1);
  const shown = rows.slice(at * ROWS, (at + 1) * ROWS);
  return (
    <>
      {children(shown)}
      {pages > 1 && (
        <nav class="row call-pages" aria-label={`Pages of ${what}`}>
          <Button disabled={at === 0} onClick={() => setPage(at - 1)}>
            Previous
          </Button>
          <span class="number" role="status">
            {what} {number(at * ROWS + 1)} to {number(at * ROWS + shown.length)} of {number(rows.length)}
          </span>
          <Button disabled={at === pages - 1} onClick={() => setPage(at + 1)}>
            Next
          </Button>
        </nav>
      )}
    </>
  );
}
