// A path that nothing lies behind.
import { Empty, Link, useTitle } from '../ui.tsx';

export function NotFound() {
  useTitle('Not found');
  return (
    <Empty whole title="There is nothing here">
      <p>
        Try <Link href="/live">the live calls</Link> or <Link href="/calls">all calls</Link>.
      </p>
    </Empty>
  );
}
