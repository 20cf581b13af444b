// What a message came to, apart from how it was written: header names in small letters, sorted; the body without its framing.
import { firstMessage } from './gateway-strict-backend.ts'

/** Framing, times and what a library adds for its own connection are no part of what is said. */
const ofTheConnection = new Set(['date', 'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'trailer'])

export interface Said {
  /** `200`, or `GET /path`. */
  readonly first: string
  readonly headers: readonly string[]
  readonly body: string
  readonly trailers: readonly string[]
}

const endOfHead = '\r\n\r\n'

/** All whole messages of `text` (latin1); what follows the last of them is one message more, without framing. */
export function saidIn(text: string, { isHead = false }: { readonly isHead?: boolean } = {}): readonly Said[] {
  const said: Said[] = []
  let rest = text
  while (rest !== '') {
    const message = firstMessage(rest, line => !isHead && !/^HTTP\/1\.\d (1\d\d|204|304)\b/.test(line))
    const whole = message?.text ?? rest
    said.push(saidOf(whole))
    rest = rest.slice(whole.length)
  }
  return said
}

function saidOf(text: string): Said {
  const headEnd = text.indexOf(endOfHead)
  const head = headEnd < 0 ? text : text.slice(0, headEnd)
  const [firstLine = '', ...lines] = head.split('\r\n')
  const raw = headEnd < 0 ? '' : text.slice(headEnd + endOfHead.length)
  const isChunked = lines.some(line => /^transfer-encoding:\s*chunked\s*$/i.test(line))
  const { body, trailers } = isChunked ? unchunked(raw) : { body: raw, trailers: [] }
  const answer = /^HTTP\/1\.\d (\d+)/.exec(firstLine)?.[1]
  return {
    first: answer ?? firstLine.replace(/ HTTP\/1\.\d$/, ''),
    headers: fields(lines),
    body,
    trailers,
  }
}

function fields(lines: readonly string[]): readonly string[] {
  return lines
    .map(line => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    })
    .filter(([name]) => !ofTheConnection.has(name))
    .map(([name, value]) => `${name}: ${value}`)
    .toSorted()
}

function unchunked(raw: string): { readonly body: string; readonly trailers: readonly string[] } {
  let body = ''
  for (let at = 0; ; ) {
    const end = raw.indexOf('\r\n', at)
    const size = end < 0 ? Number.NaN : Number.parseInt(raw.slice(at, end), 16)
    if (Number.isNaN(size)) return { body, trailers: [] }
    if (size === 0)
      return {
        body,
        trailers: fields(
          raw
            .slice(end + 2)
            .split('\r\n')
            .filter(line => line !== ''),
        ),
      }
    body += raw.slice(end + 2, end + 2 + size)
    at = end + 2 + size + 2
  }
}
