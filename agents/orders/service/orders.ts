// The order service's data: orders, what is in them, and returns. An order is known by its number and the postcode it goes to
// together; orders of a telephone number likewise.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { dayAfter } from '../../services/days.ts';
import { Refusal } from '../../services/refusal.ts';
import { guarded, WRONG_TRIES } from '../../services/wrong-tries.ts';

export const SCHEMA = `
CREATE TABLE IF NOT EXISTS orders (
  number TEXT PRIMARY KEY, phone TEXT NOT NULL, postcode TEXT NOT NULL, ordered TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('processing', 'on_its_way', 'delivered')), day TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS items (
  "order" TEXT NOT NULL REFERENCES orders, item INTEGER NOT NULL, name TEXT NOT NULL,
  PRIMARY KEY ("order", item)
) STRICT;
CREATE TABLE IF NOT EXISTS returns (
  number INTEGER PRIMARY KEY AUTOINCREMENT, "order" TEXT NOT NULL, item INTEGER NOT NULL, reason TEXT NOT NULL,
  send_back_by TEXT NOT NULL,
  -- A return is opened once, however often it is asked for.
  UNIQUE ("order", item),
  FOREIGN KEY ("order", item) REFERENCES items
) STRICT;
${WRONG_TRIES}`;

type Status = 'processing' | 'on_its_way' | 'delivered';

interface Sample {
  number: string;
  status: Status;
  /** Days from today: when it was ordered, and when it was or will be delivered. */
  ordered: number;
  day: number;
  items: string[];
}

/** The recorded caller says "one zero zero zero one, nine oh two one oh". */
export const CUSTOMER = { phone: '+15005550006', postcode: '90210' } as const;

const SAMPLES: readonly Sample[] = [
  { number: '10001', status: 'delivered', ordered: -6, day: -1, items: ['desk lamp', 'box of light bulbs'] },
  { number: '10002', status: 'on_its_way', ordered: -2, day: 2, items: ['tea kettle'] },
  { number: '10003', status: 'processing', ordered: -1, day: 5, items: ['bath towel', 'door mat'] },
  { number: '10004', status: 'delivered', ordered: -70, day: -65, items: ['alarm clock'] },
];

const OTHER = { phone: '+15005550007', postcode: '10115', number: '20001' } as const;

const RETURN_DAYS = 30;
const MAX_ORDERS = 3;

/** The sample orders, where they are not there yet. */
export function seed(db: DatabaseSync, today: string): void {
  const order = db.prepare(
    'INSERT OR IGNORE INTO orders (number, phone, postcode, ordered, status, day) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const add = ({ number, status, ordered, day, items }: Sample, phone: string, postcode: string): void => {
    const added = order.run(number, phone, postcode, dayAfter(today, ordered), status, dayAfter(today, day));
    if (added.changes === 0) return;
    const item = db.prepare('INSERT INTO items ("order", item, name) VALUES (?, ?, ?)');
    for (const [i, name] of items.entries()) item.run(number, i + 1, name);
  };
  for (const sample of SAMPLES) add(sample, CUSTOMER.phone, CUSTOMER.postcode);
  add(
    { number: OTHER.number, status: 'delivered', ordered: -9, day: -3, items: ['radio'] },
    OTHER.phone,
    OTHER.postcode,
  );
}

/** @throws Refusal 404 for a wrong pair, whichever of the two is wrong; 423 when there were too many */
export function traceOrder(db: DatabaseSync, number: string, postcode: string, nowMs: number) {
  const row = guarded(db, `order ${number}`, nowMs, () =>
    db.prepare('SELECT * FROM orders WHERE number = ? AND postcode = ?').get(number, postcode),
  );
  if (!row) throw new Refusal(404, 'order_not_found', 'There is no order with this number that goes to this postcode.');
  const items = db.prepare('SELECT item, name FROM items WHERE "order" = ? ORDER BY item').all(number);
  return { ...orderOf(row), items: items.map(({ item, name }) => ({ item: Number(item), name: String(name) })) };
}

/** The newest orders of a telephone number. @throws Refusal as `traceOrder` */
export function latestOrders(db: DatabaseSync, phone: string, postcode: string, nowMs: number) {
  const rows = guarded(db, `phone ${phone}`, nowMs, () => {
    const found = db
      .prepare('SELECT * FROM orders WHERE phone = ? AND postcode = ? ORDER BY ordered DESC, number LIMIT ?')
      .all(phone, postcode, MAX_ORDERS);
    return found.length > 0 ? found : undefined;
  });
  if (!rows)
    throw new Refusal(404, 'order_not_found', 'There are no orders of this telephone number that go to this postcode.');
  return { orders: rows.map(orderOf) };
}

function orderOf(row: Record<string, SQLOutputValue>) {
  const status = row['status'] as Status;
  const day = String(row['day']);
  return {
    order: String(row['number']),
    status,
    ordered: String(row['ordered']),
    ...(status === 'delivered' ? { delivered: day } : { expected: day }),
  };
}

/** @throws Refusal 404 without such an order */
export function listReturns(db: DatabaseSync, order: string) {
  knownOrder(db, order);
  const rows = db.prepare(`${RETURN} WHERE r."order" = ? ORDER BY r.number`).all(order);
  return { returns: rows.map(returnOf) };
}

/** Opens a return, or answers the one that is open. @throws Refusal 404 without such an item, 409 when it cannot be returned */
export function openReturn(db: DatabaseSync, order: string, item: number, reason: string, today: string) {
  const { status, day } = knownOrder(db, order);
  if (!db.prepare('SELECT 1 FROM items WHERE "order" = ? AND item = ?').get(order, item))
    throw new Refusal(404, 'item_not_found', 'There is no such item in this order.');
  const opened = () => db.prepare(`${RETURN} WHERE r."order" = ? AND r.item = ?`).get(order, item);
  const open = opened();
  if (open) return returnOf(open);
  if (status !== 'delivered') throw new Refusal(409, 'not_delivered', 'Only what has been delivered can be returned.');
  const last = dayAfter(String(day), RETURN_DAYS);
  if (last < today) throw new Refusal(409, 'too_late', `Returns are possible for ${RETURN_DAYS} days after delivery.`);
  db.prepare('INSERT INTO returns ("order", item, reason, send_back_by) VALUES (?, ?, ?, ?)').run(
    order,
    item,
    reason,
    last,
  );
  return returnOf(opened()!);
}

const RETURN = `SELECT 'R' || (1000 + r.number) AS id, r."order", r.item, i.name, r.reason, r.send_back_by
  FROM returns r JOIN items i ON i."order" = r."order" AND i.item = r.item`;

function returnOf(row: Record<string, SQLOutputValue>) {
  return {
    id: String(row['id']),
    order: String(row['order']),
    item: Number(row['item']),
    name: String(row['name']),
    reason: String(row['reason']),
    send_back_by: String(row['send_back_by']),
  };
}

function knownOrder(db: DatabaseSync, order: string) {
  const row = db.prepare('SELECT status, day FROM orders WHERE number = ?').get(order);
  if (!row) throw new Refusal(404, 'order_not_found', 'There is no such order.');
  return row;
}
