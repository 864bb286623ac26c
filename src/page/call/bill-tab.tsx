// The bill of a call, line by line: what was bought, how much of it, at which price, and how sure that is.
import { useEffect, useMemo } from 'preact/hooks';
import { useApi } from '../api.ts';
import { number, timeOfDay, usd } from '../format.ts';
import { Badge, Empty, Failure, Loading, Money } from '../ui.tsx';
import { BillChart } from './bill-chart.tsx';
import { byWhat, cacheShare, difference, differences, runningTotal } from './bill-sums.ts';
import { Paged } from './paged.tsx';
import type { Bill, BillLine, Call } from './types.ts';
import { whatInWords } from './words.ts';

const STATES = {
  estimated: 'The quantities are ours',
  metered: 'The seller counted the quantities',
  billed: "The seller's report was seen",
} as const;

export function BillTab({ call, round }: { call: Call; round: number }) {
  const { data: bill, error, loading, reload } = useApi<Bill>(`/calls/${call.callId}/bill`);
  // The call is under way: it was looked at anew.
  useEffect(() => {
    if (round > 0) reload();
  }, [round]);
  const zero = call.mediaStartedWallMs ?? call.admittedWallMs;
  const running = useMemo(() => runningTotal(bill?.lines ?? [], zero), [bill, zero]);
  if (bill === null) return loading ? <Loading what="Loading the bill" /> : <Failure error={error} retry={reload} />;
  if (bill.lines.length === 0)
    return (
      <Empty title="Nothing was charged">
        <p>
          Answers of the model, transcriptions, minutes of the carrier and tools with a price show up here, one line
          each.
        </p>
      </Empty>
    );
  const cache = cacheShare(bill.lines);
  const differ = differences(bill);
  return (
    <div class="call-bill">
      <Failure error={error} retry={reload} />
      <div class="call-spreads">
        <Sum name="Total" title="By the price book; what the sellers report may differ" lines={bill.total.lines}>
          <Money nanoUsd={bill.total.nanoUsd} unpriced={bill.total.unpricedLines} />
        </Sum>
        {byWhat(bill.lines).map(({ what, nanoUsd, unpriced, lines }) => (
          <Sum key={what} name={whatInWords(what)} title={`All lines of this kind`} lines={lines}>
            <Money nanoUsd={nanoUsd} unpriced={unpriced} />
          </Sum>
        ))}
        <div
          class="card call-spread"
          title="Which share of the tokens that went into answers the model had in its cache, at a lower price"
        >
          <h2>From the cache</h2>
          <p class="number">
            <b>{cache === null ? '–' : `${Math.round(cache.share * 100)} %`}</b>
          </p>
          <p class="hint number">
            {cache === null ? 'no tokens' : `${number(cache.cached)} of ${number(cache.input)} tokens`}
          </p>
        </div>
        <div class="card call-spread" title="What the sellers report less what we said, of the lines that both priced">
          <h2>Billed − ours</h2>
          <p class="number">
            <b>{differ.lines === 0 ? '–' : signed(differ.nanoUsd)}</b>
          </p>
          <p class="hint number">
            {differ.lines === 0 ? 'not reconciled yet' : `${differ.lines} of ${bill.lines.length} lines`}
          </p>
        </div>
      </div>
      <BillChart running={running} totalNanoUsd={bill.total.nanoUsd} />
      <Paged rows={bill.lines} what="Lines">
        {(shown) => (
          <div class="scroll" tabIndex={0} role="region" aria-label="Lines of the bill">
            <table>
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">What</th>
                  <th scope="col">Product</th>
                  <th scope="col">Quantity</th>
                  <th scope="col">Unit price</th>
                  <th scope="col" class="number" title="By the price book, rounded once">
                    Cost
                  </th>
                  <th scope="col">State</th>
                  <th scope="col" class="number" title="What the seller says less what we said">
                    Difference
                  </th>
                </tr>
              </thead>
              <tbody>
                {shown.map((line) => (
                  <Line key={`${line.what} ${line.source}`} line={line} />
                ))}
              </tbody>
              <tfoot>
                <tr>
                  <th scope="row" colSpan={5}>
                    Total
                  </th>
                  <td class="number">
                    <b>{usd(bill.total.nanoUsd, bill.total.unpricedLines)}</b>
                  </td>
                  <td class="hint">
                    {(Object.keys(STATES) as (keyof typeof STATES)[])
                      .filter((state) => bill.byState[state].lines > 0)
                      .map((state) => `${bill.byState[state].lines} ${state}`)
                      .join(', ')}
                  </td>
                  <td class="number">{differ.lines === 0 ? '' : signed(differ.nanoUsd)}</td>
                </tr>
              </tfoot>
            </table>
          </div>
        )}
      </Paged>
      <p class="hint">
        Prices: {[...new Set(bill.lines.map((line) => line.priceBook))].join('; ')}. Prices of tokens are dollars for a
        million.
      </p>
    </div>
  );
}

const Sum = ({
  name,
  title,
  lines,
  children,
}: {
  name: string;
  title: string;
  lines: number;
  children: preact.ComponentChildren;
}) => (
  <div class="card call-spread" title={title}>
    <h2>{name}</h2>
    <p class="number">
      <b>{children}</b>
    </p>
    <p class="hint number">{lines === 1 ? '1 line' : `${number(lines)} lines`}</p>
  </div>
);

function Line({ line }: { line: BillLine }) {
  const differs = difference(line);
  return (
    <tr>
      <td class="number">
        <time dateTime={new Date(line.atWallMs).toISOString()}>{timeOfDay(line.atWallMs)}</time>
      </td>
      <td>{whatInWords(line.what)}</td>
      <td title={`${line.seller}: ${line.source}`}>{line.product}</td>
      <td>
        <Quantity line={line} />
        {line.doubt !== null && (
          <p class="call-doubt" title="Why the quantities, as they were reported, cannot be right">
            ⚠ {line.doubt}
          </p>
        )}
      </td>
      <td>
        <Price line={line} />
      </td>
      <td class="number">
        {line.costNanoUsd === null ? <span title="No price is known">?</span> : exact(line.costNanoUsd)}
      </td>
      <td>
        <Badge
          tone={line.state === 'billed' ? 'good' : line.state === 'metered' ? 'info' : 'warn'}
          title={STATES[line.state]}
        >
          {line.state}
        </Badge>
      </td>
      <td class="number">{differs === null ? '' : differs === 0 ? 'none' : signed(differs)}</td>
    </tr>
  );
}

/** Six decimals: lines cost parts of a cent. */
const exact = (nanoUsd: number): string => `$${(nanoUsd / 1e9).toFixed(6)}`;
const signed = (nanoUsd: number): string => `${nanoUsd < 0 ? '−' : '+'}${exact(Math.abs(nanoUsd))}`;

const MODALITIES = ['audio', 'text', 'image'] as const;

/** Tokens as a small table: what went in fresh and out of the cache, and what came out. */
function Quantity({ line: { quantities: q } }: { line: BillLine }) {
  if (q.unit === 'count') return <span class="number">{number(q.count)} ×</span>;
  if (q.unit === 'seconds') return <span class="number">{q.seconds.toFixed(1)} s</span>;
  if (q.unit === 'minutes')
    return (
      <span class="number" title="As the carrier rounds them">
        {number(q.minutes)} min <span class="soft">({q.seconds.toFixed(1)} s)</span>
      </span>
    );
  const used = MODALITIES.filter((one) => q[one].fresh + q[one].cached + q[one].out > 0);
  return (
    <div class="call-tokens number">
      {used.map((one) => (
        <span key={one}>
          <b>{one}</b> {number(q[one].fresh)} fresh, {number(q[one].cached)} cached, {number(q[one].out)} out
        </span>
      ))}
    </div>
  );
}

function Price({ line: { unitPrice: price, quantities: q } }: { line: BillLine }) {
  if (price === null) return <span class="soft">not known</span>;
  if (price.per !== 'token')
    return (
      <span class="number">
        ${Number((price.nanoUsd / 1e9).toFixed(6))} a {price.per}
      </span>
    );
  const used = MODALITIES.filter((one) => q.unit === 'tokens' && q[one].fresh + q[one].cached + q[one].out > 0);
  // Nano-dollars a token are thousandths of dollars a million.
  const million = (nanoUsd: number): string => `$${Number((nanoUsd / 1_000).toFixed(3))}`;
  return (
    <div class="call-tokens number" title="Dollars for a million tokens: fresh, cached, out">
      {used.map((one) => (
        <span key={one}>
          {million(price[one].fresh)} / {million(price[one].cached)} / {million(price[one].out)}
        </span>
      ))}
    </div>
  );
}
