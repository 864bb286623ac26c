// Text as both engines take it.

/** PostgreSQL refuses a text with a zero in it. */
export const storable = (text: string): string => text.replaceAll('\0', '\u{fffd}');
