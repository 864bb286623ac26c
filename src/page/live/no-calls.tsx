// What the grid says while nobody calls: how to make a call now, and how a number comes to ring here.
import type { ServerFacts } from '../../dashboard/schemas/live.ts';
import { Empty, Link } from '../ui.tsx';

export function NoCalls({ facts }: { facts: ServerFacts | null }) {
  const https = location.protocol === 'https:';
  return (
    <Empty title="No calls right now">
      <p>They appear here by themselves, half a second after they begin.</p>
      <p>
        <Link href="/phone" class="button primary live-call-now">
          Call the agent from this browser
        </Link>
      </p>
      {facts?.simulated === true && (
        <p class="hint">
          The simulator answers, at no cost. With <code>OPENAI_API_KEY</code> in <code>.env</code> the real model does.
        </p>
      )}
      <div class="live-connect">
        <h3>To connect a number</h3>
        <ol>
          <li>
            Set <code>PUBLIC_URL</code> to the https address under which the carrier reaches this server, and{' '}
            <code>TWILIO_AUTH_TOKEN</code>.
          </li>
          <li>
            In Twilio's console, in the number's voice settings, enter at “A call comes in”:
            <br />
            <code>{https ? location.origin : 'https://your.name'}/voice</code> (HTTP POST).
          </li>
          <li>An agent file must claim the number, or “*” for all others.</li>
        </ol>
        <p class="hint">
          Step by step: <code>docs/twilio.md</code>. Calls that are over are under <Link href="/calls">Calls</Link>.
        </p>
      </div>
    </Empty>
  );
}
