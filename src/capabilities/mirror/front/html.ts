// Pages for people who look into an agent: plain tables, no script, nothing from elsewhere.
import { type Answer, textAnswer } from './answers.ts'

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(3)} s`

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[], tag: 'td' | 'th') =>
    `<tr>${cells.map(cell => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`
  return `<table>${row(heads, 'th')}${rows.map(cells => row(cells, 'td')).join('')}</table>`
}

export function page(title: string, parts: readonly string[]): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title></head><body><h1>${escaped(title)}</h1>${parts.join('')}</body></html>\n`
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

export function html(body: string, status = 200): Answer {
  const plain = textAnswer(status, body)
  return {
    ...plain,
    headers: {
      ...plain.headers,
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; form-action 'self'",
    },
  }
}

export function json(value: unknown): Answer {
  const plain = textAnswer(200, JSON.stringify(value))
  return { ...plain, headers: { ...plain.headers, 'content-type': 'application/json' } }
}
