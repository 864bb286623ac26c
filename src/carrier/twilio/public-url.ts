// The origin under which Twilio reaches us, taken apart once. Everything Twilio signs or is sent to is built from it,
// never from Host or X-Forwarded-*, which a caller of ours may choose (openai-agents-js PR 1968).
import { TrunklineError } from '../../errors.ts';

/** PUBLIC_URL as the bases of other URLs; no trailing slash, no credentials. */
export interface PublicUrl {
  /** For webhooks: `https://voice.example.com`. */
  http: string;
  /** For media sockets: `wss://voice.example.com`. */
  ws: string;
  /** The same with its port written out: `wss://voice.example.com:443`. */
  wsWithPort: string;
}

/** Takes `publicUrl` apart; throws TRK_CONFIG when it is not an http or https URL. */
export function parsePublicUrl(publicUrl: string): PublicUrl {
  const url = URL.canParse(publicUrl) ? new URL(publicUrl) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new TrunklineError('TRK_CONFIG', 'PUBLIC_URL must be an origin such as https://voice.example.com');
  }
  const secure = url.protocol === 'https:';
  const path = url.pathname.replace(/\/+$/, '');
  const scheme = secure ? 'wss' : 'ws';
  return {
    http: `${url.protocol}//${url.host}${path}`,
    ws: `${scheme}://${url.host}${path}`,
    wsWithPort: `${scheme}://${url.hostname}:${url.port || (secure ? '443' : '80')}${path}`,
  };
}

/** What an operator enters in Twilio's console. */
export interface WebhookUrls {
  /** "A call comes in", HTTP POST. The part after # is Twilio's own and is never sent to us. */
  voice: string;
  /** The file whose text goes into a TwiML Bin for "Primary handler fails": a bin answers when this server cannot. */
  fallbackBin: string;
  /** "Call status changes", HTTP POST. */
  status: string;
}

/**
 * The URLs to configure in Twilio's console. By default Twilio retries once, on connect failure only, and waits up to
 * 15 s; the overrides leave a second instance time to answer inside that (docs, "Webhooks: connection overrides").
 */
export function webhookUrls(publicUrl: string): WebhookUrls {
  const { http } = parsePublicUrl(publicUrl);
  return {
    voice: `${http}/voice#rc=2&rp=ct,rt,5xx&ct=2000&rt=4000&tt=14000`,
    fallbackBin: 'twiml/bins/fallback-apology.xml',
    status: `${http}/voice/status`,
  };
}
