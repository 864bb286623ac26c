// What a lost or refused connection to a model means, in words for operators: WebSocket close codes, HTTP statuses of the
// handshake, network and TLS error codes, and providers' words for a session that is over. Pure.
//
// Which of them another try may cure: HTTP statuses and close codes as OpenAI's own SDK has it (npm openai 7.55.0), but for
// 1000, which the SDK takes for a wanted end: in the middle of a call nobody wanted it.

interface Meaning {
  words: string;
  /** The same again may go well a moment later. */
  retryable: boolean;
}

const passing = (words: string): Meaning => ({ words, retryable: true });
const lasting = (words: string): Meaning => ({ words, retryable: false });

/** RFC 6455, section 7.4.1, and the IANA registry. 1005, 1006 and 1015 are never sent: they name what did not come. */
const CLOSE_CODES: Record<string, Meaning> = {
  1000: passing('the server ended the session as if all were done'),
  1001: passing('the server is going away, or the session reached its longest life'),
  1002: lasting('the server says that we broke the protocol'),
  1003: lasting('the server cannot take this kind of message'),
  1005: passing('the server closed without giving a reason'),
  1006: passing('the connection broke without a word'),
  1007: lasting('the server says that a message was not valid text'),
  1008: lasting('the server refuses us by its policy, or the key is not valid'),
  1009: lasting('a message was too large'),
  1010: lasting('the server misses a protocol extension'),
  1011: passing('the server met a fault of its own'),
  1012: passing('the server restarts'),
  1013: passing('the server asks to try again later'),
  1014: passing('a gateway got a bad answer from the server'),
  1015: passing('the encryption of the connection failed'),
};

/** The answer to the handshake. */
const STATUSES: Record<string, Meaning> = {
  400: lasting('the request was not understood'),
  401: lasting('the API key is not valid'),
  402: lasting('the account must pay first'),
  403: lasting('the API key may not use this model, or this region is refused'),
  404: lasting('there is no such model or address'),
  408: passing('the server waited too long for the request'),
  409: lasting('the request conflicts with another'),
  410: lasting('this address is no longer served'),
  413: lasting('the request is too large'),
  421: lasting('this server does not serve that address'),
  426: lasting('the server asks for another protocol'),
  429: passing('the rate limit or the quota of the account is reached'),
  500: passing('the server met a fault of its own'),
  502: passing('a gateway could not reach the server'),
  503: passing('the server is overloaded or under maintenance'),
  504: passing('a gateway waited too long for the server'),
};

/** Groups of HTTP statuses, by their first digit, for those that stand in no list. */
const STATUS_GROUPS: Record<string, Meaning> = {
  2: lasting('the server answered, but not as a WebSocket; something between may not let WebSockets through'),
  3: lasting('the server sends us elsewhere, and redirects are not followed because the key would go with them'),
  4: lasting('the request was refused'),
  5: lasting('the server failed'),
};

/** Codes of Node's network errors, and of what this machine may lack. */
const NETWORK: Record<string, Meaning> = {
  ENOTFOUND: passing("the name of the model's host cannot be resolved"),
  EAI_AGAIN: passing('the name server does not answer'),
  ECONNREFUSED: passing('nobody listens at that address, or a firewall refuses'),
  ECONNRESET: passing('the other side cut the connection'),
  ECONNABORTED: passing('the connection was aborted'),
  EPIPE: passing('the other side had closed the connection'),
  ETIMEDOUT: passing('the host does not answer'),
  EHOSTUNREACH: passing('there is no way to the host'),
  ENETUNREACH: passing('there is no way to the network of the host'),
  ENETDOWN: passing('our own network is down'),
  EADDRNOTAVAIL: passing('this machine has no free port or address for the connection'),
  EMFILE: passing('this process has too many open files and sockets'),
  ENFILE: passing('this machine has too many open files and sockets'),
  EACCES: lasting('this machine does not allow the connection'),
};

/** Codes of OpenSSL and Node for a certificate or handshake that is not accepted. */
const TLS: Record<string, Meaning> = {
  CERT_HAS_EXPIRED: lasting("the host's certificate has expired (or our clock is wrong)"),
  CERT_NOT_YET_VALID: lasting("the host's certificate is not valid yet (or our clock is wrong)"),
  CERT_REVOKED: lasting("the host's certificate was revoked"),
  CERT_UNTRUSTED: lasting("the host's certificate is not trusted here"),
  CERT_REJECTED: lasting("the host's certificate is rejected here"),
  CERT_SIGNATURE_FAILURE: lasting("the signature of the host's certificate is wrong"),
  DEPTH_ZERO_SELF_SIGNED_CERT: lasting("the host's certificate is signed by itself; a proxy may stand between"),
  SELF_SIGNED_CERT_IN_CHAIN: lasting('a certificate in the chain is signed by itself; a proxy may stand between'),
  UNABLE_TO_GET_ISSUER_CERT: lasting("the issuer of the host's certificate is not known"),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: lasting("the issuer of the host's certificate is not known here"),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: lasting('the host does not send its whole chain of certificates'),
  HOSTNAME_MISMATCH: lasting("the host's certificate is for another name"),
  ERR_TLS_CERT_ALTNAME_INVALID: lasting("the host's certificate is for another name"),
  ERR_TLS_HANDSHAKE_TIMEOUT: passing('the encryption was not agreed in time'),
  ERR_SSL_WRONG_VERSION_NUMBER: lasting('the host does not speak TLS at that port (https for http?)'),
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: lasting('the host accepts no TLS version that we speak'),
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: lasting('the host refused the encryption'),
  EPROTO: lasting('the encryption failed'),
};

/** Codes in error events after which the session is over or its configuration refused, and our own names for an end. */
const SESSION: Record<string, Meaning> = {
  session_expired: passing('the session reached its longest life'),
  rate_limit_exceeded: passing('the rate limit of the account is reached'),
  server_error: passing('the server met a fault of its own'),
  insufficient_quota: lasting('the account has no quota left and must pay'),
  invalid_api_key: lasting('the API key is not valid'),
  model_not_found: lasting('there is no such model, or the API key may not use it'),
  'no pong': passing('the server has not answered for several seconds'),
  'does not read': passing('the server no longer takes what we send'),
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: lasting('the server sent a message larger than we take'),
};

/** By `ws`, where a frame breaks RFC 6455; the code itself says how. */
const BROKEN_FRAME = passing('the server sent a frame that is not WebSocket');
/** Errors without a code: `ws` says them only in words. */
const NO_CODE = passing('the handshake was not completed in time or not as a WebSocket');
const TLS_FAMILY = lasting('the encryption failed');

function meaningOf(detail: string): Meaning | null {
  const [kind, number] = detail.split(' ', 2);
  if (kind === 'close' && number !== undefined) return CLOSE_CODES[number] ?? null;
  if (kind === 'HTTP' && number !== undefined) return STATUSES[number] ?? STATUS_GROUPS[number.charAt(0)] ?? null;
  const known = [NETWORK, TLS, SESSION].find((list) => Object.hasOwn(list, detail))?.[detail];
  if (known) return known;
  if (detail.startsWith('WS_ERR_')) return BROKEN_FRAME;
  if (/^ERR_(SSL|TLS)_/.test(detail)) return TLS_FAMILY;
  return detail === 'Error' ? NO_CODE : null;
}

/**
 * A code with what it means: `close 1013` becomes "1013: the server asks to try again later", `HTTP 401` "HTTP 401: the
 * API key is not valid". What is not known stays as it is.
 */
export function explain(detail: string): string {
  const meaning = meaningOf(detail);
  if (meaning === null) return detail;
  if (meaning === NO_CODE) return meaning.words;
  return `${detail.replace(/^close /, '')}: ${meaning.words}`;
}

/** Whether the same again may go well a moment later; what is not known is final, as in the SDK. */
export const isRetryable = (detail: string): boolean => meaningOf(detail)?.retryable ?? false;
