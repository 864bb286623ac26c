// Who did what to calls and to what is kept, the newest first.
import { useState } from 'preact/hooks';
import type { z } from 'zod';
import type { audit } from '../../dashboard/schemas/agents.ts';
import { api, useApi } from '../api.ts';
import { Button, Empty, Failure, Link, Loading, Moment, useTitle } from '../ui.tsx';

type Audit = z.infer<typeof audit>;

export function AuditPage() {
  useTitle('Audit');
  const first = useApi<Audit>('/audit?limit=100');
  const [more, setMore] = useState<Audit[]>([]);
  const pages = [...(first.data === null ? [] : [first.data]), ...more];
  const next = pages.at(-1)?.next ?? null;
  const entries = pages.flatMap((page) => page.entries);
  return (
    <>
      <h1>Audit</h1>
      <Failure error={first.error} retry={first.reload} />
      {first.data === null && first.loading && <Loading />}
      {first.data !== null && entries.length === 0 && (
        <Empty title="Nobody has done anything yet">
          <p>Log-ins, whispers, hang-ups, hand-overs by operators and what is removed for privacy show up here.</p>
        </Empty>
      )}
      {entries.length > 0 && (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">What</th>
                <th scope="col">To</th>
                <th scope="col">Note</th>
              </tr>
            </thead>
            <tbody>
              {entries.map(({ id, atWallMs, actor, action, subject, note }) => (
                <tr key={id}>
                  <td>
                    <Moment at={atWallMs} />
                  </td>
                  <td>{actor}</td>
                  <td>{action}</td>
                  <td>
                    {/^[0-9a-f-]{36}$/.test(subject) ? (
                      <Link href={`/calls/${subject}`}>{subject.slice(0, 8)}</Link>
                    ) : (
                      subject
                    )}
                  </td>
                  <td>{note}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {next !== null && (
        <Button
          onClick={() =>
            void api<Audit>('GET', `/audit?limit=100&before=${next}`).then((page) => setMore([...more, page]))
          }
        >
          Older
        </Button>
      )}
    </>
  );
}
