// What the end of a media stream means, in words for operators: close codes of the socket, and Twilio's own error numbers.
// Twilio's pages of errors 31901 to 31951, as of 2026-11; close codes of RFC 6455, section 7.4.1. Pure.

const CLOSE_CODES: Record<string, string> = {
  1000: 'Twilio closed the socket without saying stop',
  1001: 'Twilio went away without saying stop',
  1002: 'Twilio says that we broke the protocol',
  1003: 'Twilio cannot take this kind of message',
  1005: 'Twilio closed the socket without giving a reason',
  1006: 'the connection broke without a word: network, proxy, or an idle timeout',
  1007: 'Twilio says that a message was not valid text',
  1008: 'Twilio refuses us by its policy',
  1009: 'Twilio says that a message was too large',
  1011: 'Twilio met a fault of its own',
  1012: 'Twilio restarts',
  1013: 'Twilio asks to try again later',
};

const ERRORS: Record<string, string> = {
  31901: 'no answer to the request for a media socket',
  31903: 'the media socket broke: network, proxy, or an idle timeout',
  31910: 'no encryption could be agreed: certificate, port, or not wss',
  31920: 'the request for a media socket was not answered with 101',
  31921: 'our side closed the media socket',
  31924: 'a frame broke the WebSocket protocol',
  31930: 'our side reads too slowly: caller audio was thrown away',
  31941: 'the TwiML asks for a track that cannot be had',
  31950: 'a message of ours could not be decoded',
  31951: 'a message of ours is not one that Twilio takes',
};

/** A close code of the media socket with its meaning: "1006: the connection broke …". */
export const explainClose = (code: number): string => withWords(String(code), CLOSE_CODES);

/** An error number of Twilio's with its meaning: "31920: the request …"; a number that is not known stays alone. */
export const explainStreamError = (code: string): string => withWords(code, ERRORS);

const withWords = (code: string, list: Record<string, string>): string =>
  Object.hasOwn(list, code) ? `${code}: ${list[code]}` : code;
