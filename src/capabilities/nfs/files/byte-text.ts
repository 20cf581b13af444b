// Names of files are bytes, not text: an old share has names in Latin-1, and one that was changed on its way is another file. So inside of a
// worker a name is a string with one character for each byte. What people read is made of it at the end.

declare const marked: unique symbol

/** Text with one character for each byte, all below 256. Its order is that of the bytes. */
export type ByteText = string & { readonly [marked]: true }

/** The bytes of `text` in UTF-8. */
export function bytesOf(text: string): ByteText {
  return latin(Buffer.from(text, 'utf8'))
}

/** What a buffer holds. */
export function latin(buffer: Buffer): ByteText {
  return buffer.toString('latin1') as ByteText
}

/** Several in a row. */
export function joined(...parts: readonly (ByteText | '/' | '')[]): ByteText {
  return parts.join('') as ByteText
}

/** For people: what is no UTF-8 shows as the replacement character. */
export function shown(bytes: ByteText): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
