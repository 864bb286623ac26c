// Conversation items as the API takes them. Content types differ by role: assistant text is `output_text` (beta's `text`
// is refused), everybody else's is `input_text`.

/** A text message item. */
export const conversationItem = (role: 'system' | 'user' | 'assistant', text: string): Record<string, unknown> => ({
  type: 'message',
  role,
  content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text }],
});
