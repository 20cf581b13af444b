// What went wrong with a request, in words for somebody who reads a page: the address that was asked helps nobody there, and the log has it.

/** `GET /api/v1/pods?limit=500: ` at the beginning of a message, also behind other words; the address may be whole. */
const request = /\b(?:GET|LIST|WATCH|POST|PUT|PATCH|DELETE|HEAD) (?:https?:\/\/|\/)\S*?(?::\s+|\s+|$)/g
/** Whole addresses that are left. */
const address = /\bhttps?:\/\/[^\s,;)]+/g

/** Codes of the system that a reader may not know, in words. */
const codes: readonly (readonly [RegExp, string])[] = [
  [/^(?:connect )?ECONNREFUSED\b.*$/, 'nobody listens at its address'],
  [/^(?:read )?ECONNRESET\b.*$/, 'the connection was cut'],
  [/^(?:connect )?ETIMEDOUT\b.*$/, 'no answer in time'],
  [/^getaddrinfo ENOTFOUND\b.*$/, 'its name leads to no address'],
  [/^(?:connect )?(?:EHOSTUNREACH|ENETUNREACH)\b.*$/, 'no way leads to its address'],
  [/^no answer within (\d+)000 ms$/, 'no answer within $1 s'],
  [/^other side closed$/, 'the connection was cut'],
]

/** The reason without the request: `no answer within 30 s`. */
export function troubleWords(message: string): string {
  const bare = message
    .replaceAll(request, '')
    .replaceAll(address, 'its address')
    .trim()
    .replace(/[.\s]+$/, '')
  for (const [pattern, words] of codes) if (pattern.test(bare)) return bare.replace(pattern, words)
  return bare === '' ? 'the request failed' : bare
}
