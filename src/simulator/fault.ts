// A refusal, as the `error` event of the API words it.

/** What goes into `error.error`, without the client's event id. */
export interface Fault {
  type: 'invalid_request_error' | 'server_error';
  code: string;
  message: string;
  param: string | null;
}

/** A request that the client should not have made. */
export const refusal = (code: string, message: string, param: string | null = null): Fault => ({
  type: 'invalid_request_error',
  code,
  message,
  param,
});

/** The refusal of an item id that the conversation does not hold. */
export const itemNotFound = (id: string, param = 'item_id'): Fault =>
  refusal('item_not_found', `Item with item_id '${id}' not found in conversation.`, param);
