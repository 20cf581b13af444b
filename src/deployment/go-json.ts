// JSON as Go's encoding/json writes it, because checksums and texts of the chart are made from it.

/** Keys in order of their bytes; `<`, `>`, `&` and line separators escaped. */
export function goJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    return `{${entries.map(([key, inner]) => `${goText(key)}:${goJson(inner)}`).join(',')}}`
  }
  return typeof value === 'string' ? goText(value) : (JSON.stringify(value) ?? 'null')
}

/** The same over several lines, two spaces a level. */
export function goPrettyJson(value: unknown, pad = ''): string {
  const below = `${pad}  `
  const lines = (open: string, inner: readonly string[], close: string) =>
    inner.length === 0 ? `${open}${close}` : `${open}\n${inner.map(one => `${below}${one}`).join(',\n')}\n${pad}${close}`
  if (Array.isArray(value))
    return lines(
      '[',
      value.map(one => goPrettyJson(one, below)),
      ']',
    )
  if (typeof value !== 'object' || value === null) return goJson(value)
  const entries = Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return lines(
    '{',
    entries.map(([key, inner]) => `${goText(key)}: ${goPrettyJson(inner, below)}`),
    '}',
  )
}

function goText(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, mark => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
