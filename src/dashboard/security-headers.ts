// What browsers are told about our answers, so that a fault in the page or a hostile name in a transcript stays harmless.

/** Of everything: nothing is guessed at, framed, or read by pages of others. */
const EVERYWHERE = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

/** A year. Browsers heed it by https only. */
const STRICT_TRANSPORT = 'max-age=31536000';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "media-src 'self' blob:",
  // Browsers that run this page's scripts take the sockets of this very host for 'self' too.
  "connect-src 'self'",
  "worker-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const NO_DEVICES = ['camera', 'geolocation', 'display-capture', 'usb', 'serial', 'payment', 'midi'];

/** For the page and its files. `https`: the public origin is, so the page may be asked for by it only. */
export function pageHeaders({ https }: { https: boolean }): Record<string, string> {
  return {
    ...EVERYWHERE,
    'content-security-policy': POLICY,
    'permissions-policy': ['microphone=(self)', ...NO_DEVICES.map((name) => `${name}=()`)].join(', '),
    ...(https ? { 'strict-transport-security': STRICT_TRANSPORT } : {}),
  };
}

/** For the API: data, which is never a page of its own. */
export const API_HEADERS: Readonly<Record<string, string>> = {
  ...EVERYWHERE,
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
};
