// URLs of Kubernetes' CEL library, read as Go's net/url reads them: other texts are URLs there than in browsers, whose rules
// Node's own URL has. Escapes are of UTF-8 bytes.
import { bracketProblem } from './cel-addresses.ts'
import { CelError } from './cel-syntax.ts'
import { CelValue } from './cel-values.ts'

interface UrlParts {
  readonly scheme: string
  /** What follows the scheme where that is no path. */
  readonly opaque: string
  readonly user: string
  readonly host: string
  /** As it stands in the text. */
  readonly path: string
  readonly query: string
}

class NoUrl extends Error {}

const quoted = (text: string) => JSON.stringify(text)
const hostCharacters = /^[\w.~!$&'()*+,;=:[\]<>"-]$/
const pathCharacters = /^[\w.~$&+,/:;=@-]$/

/** A text with its escapes undone. @throws NoUrl at an escape or a character that may not be there. */
function unescaped(text: string, place: 'host' | 'zone' | 'path' | 'query' | 'user'): string {
  const bytes: Buffer[] = []
  for (let at = 0; at < text.length; ) {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0)
    if (character !== '%') {
      const isPlain = (place !== 'host' && place !== 'zone') || character > '\x7f' || hostCharacters.test(character)
      if (!isPlain) throw new NoUrl(`invalid character ${quoted(character)} in host name`)
      bytes.push(Buffer.from(place === 'query' && character === '+' ? ' ' : character))
      at += character.length
      continue
    }
    const sequence = text.slice(at, at + 3)
    const byte = /^%[0-9a-f]{2}$/i.test(sequence) ? Number.parseInt(sequence.slice(1), 16) : undefined
    if (byte === undefined || !mayBeEscaped(byte, sequence, place)) throw new NoUrl(`invalid URL escape ${quoted(sequence)}`)
    bytes.push(Buffer.of(byte))
    at += 3
  }
  return Buffer.concat(bytes).toString()
}

/** A host escapes what is not ASCII, and its zone what may stand there anyway. */
function mayBeEscaped(byte: number, sequence: string, place: string): boolean {
  if (sequence === '%25' || (place !== 'host' && place !== 'zone')) return true
  if (place === 'host') return byte >= 0x80
  const character = String.fromCharCode(byte)
  return character === ' ' || (byte < 0x80 && hostCharacters.test(character))
}

/** @throws NoUrl */
function readHost(scheme: string, host: string): string {
  const port = (text: string) => {
    if (!/^(:\d*)?$/.test(text)) throw new NoUrl(`invalid port ${quoted(text)} after host`)
    return text
  }
  const bracket = host.lastIndexOf('[')
  if (bracket > 0) throw new NoUrl('invalid IP-literal')
  if (bracket === 0) {
    const end = host.lastIndexOf(']')
    if (end < 0) throw new NoUrl("missing ']' in host")
    const behind = port(host.slice(end + 1))
    const literal = host.slice(1, end)
    const zone = literal.indexOf('%25')
    const name =
      zone < 0 ? unescaped(literal, 'host') : unescaped(literal.slice(0, zone), 'host') + unescaped(literal.slice(zone), 'zone')
    const problem = bracketProblem(name)
    if (problem !== undefined) throw new NoUrl(problem)
    return `[${name}]${behind}`
  }
  // Databases have lists of hosts with ports, so that only web addresses may have no second colon.
  const isWeb = scheme === 'http' || scheme === 'https'
  const colon = isWeb ? host.indexOf(':') : host.lastIndexOf(':')
  if (colon >= 0) port(host.slice(colon))
  return unescaped(host, 'host')
}

/** @throws NoUrl; `isAsked`: as the address of a request, which is absolute */
function readParts(text: string, isAsked: boolean): UrlParts {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\x00-\x1f\x7f]/.test(text)) throw new NoUrl('net/url: invalid control character in URL')
  if (text === '' && isAsked) throw new NoUrl('empty url')
  const none: UrlParts = { scheme: '', opaque: '', user: '', host: '', path: '', query: '' }
  if (text === '*') return { ...none, path: '*' }
  if (text.startsWith(':')) throw new NoUrl('missing protocol scheme')
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase() ?? ''
  const behind = scheme === '' ? text : text.slice(scheme.length + 1)
  const mark = behind.indexOf('?')
  const query = mark < 0 ? '' : behind.slice(mark + 1)
  let rest = mark < 0 ? behind : behind.slice(0, mark)
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { ...none, scheme, opaque: rest, query }
    if (isAsked) throw new NoUrl('invalid URI for request')
    if ((rest.split('/')[0] ?? '').includes(':')) throw new NoUrl('first path segment in URL cannot contain colon')
  }
  let [user, host] = ['', '']
  if ((scheme !== '' || (!isAsked && !rest.startsWith('///'))) && rest.startsWith('//')) {
    const [authority = ''] = rest.slice(2).split('/', 1)
    rest = rest.slice(2 + authority.length)
    const at = authority.lastIndexOf('@')
    host = readHost(scheme, authority.slice(at + 1))
    user = at < 0 ? '' : authority.slice(0, at)
    if (!/^[\w.~!$&'()*+,;=:%@-]*$/.test(user)) throw new NoUrl('net/url: invalid userinfo')
    unescaped(user, 'user')
  }
  unescaped(rest, 'path')
  return { scheme, opaque: '', user, host, path: rest, query }
}

/** What is wrong with a text as an absolute URL; `undefined`: nothing. */
export function urlProblem(text: string): string | undefined {
  try {
    readParts(text, true)
    return undefined
  } catch (error) {
    if (error instanceof NoUrl) return `parse ${quoted(text)}: ${error.message}`
    throw error
  }
}

export class CelUrl extends CelValue {
  readonly typeName = 'kubernetes.URL'
  readonly text: string
  readonly #parts: UrlParts

  private constructor(parts: UrlParts, fragment: string) {
    super()
    this.#parts = parts
    const { scheme, opaque, user, host, query } = parts
    this.text = JSON.stringify([scheme, opaque, user, host, this.#escapedPath(), query, fragment])
  }

  /** @throws CelError where `text` is no absolute URL */
  static of(text: string): CelUrl {
    const words = 'URL parse error during conversion from string: '
    const problem = urlProblem(text)
    if (problem !== undefined) throw new CelError(`${words}${problem}`)
    // A request has no fragment: what follows a `#` is looked at only now.
    const [front = '', ...fragment] = text.split('#')
    try {
      return new CelUrl(readParts(front, false), fragment.join('#'))
    } catch (error) {
      if (error instanceof NoUrl) throw new CelError(`${words}parse ${quoted(front)}: ${error.message}`)
      throw error
    }
  }

  isSameAs(other: unknown): boolean {
    return other instanceof CelUrl && other.text === this.text
  }

  call(name: string): unknown {
    const { scheme, host, query } = this.#parts
    const port = /:\d*$/.exec(host)?.[0]
    switch (name) {
      case 'getScheme':
        return scheme
      case 'getHost':
        return host
      case 'getHostname':
        return host.slice(0, host.length - (port?.length ?? 0)).replace(/^\[(.*)\]$/s, '$1')
      case 'getPort':
        return port?.slice(1) ?? ''
      case 'getEscapedPath':
        return this.#escapedPath()
      case 'getQuery':
        return queryOf(query)
      default:
        return undefined
    }
  }

  /** A path stands as it was written where that is a good way to write it. */
  #escapedPath(): string {
    const { path } = this.#parts
    if (/^[\w.~!$&'()*+,;=:@[\]%/-]*$/.test(path)) return path
    const bytes = [...Buffer.from(unescaped(path, 'path'))]
    return bytes
      .map(byte => {
        const character = String.fromCharCode(byte)
        const isPlain = byte < 0x80 && pathCharacters.test(character)
        return isPlain ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
      })
      .join('')
  }
}

/** The values of each name; pairs with a semicolon or a wrong escape are left out, as Go leaves them out. */
function queryOf(query: string): Readonly<Record<string, readonly string[]>> {
  const found = new Map<string, string[]>()
  for (const pair of query.split('&')) {
    if (pair === '' || pair.includes(';')) continue
    const equals = pair.indexOf('=')
    const parts = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]
    try {
      const [name = '', value = ''] = parts.map(part => unescaped(part, 'query'))
      found.set(name, [...(found.get(name) ?? []), value])
    } catch (error) {
      if (!(error instanceof NoUrl)) throw error
    }
  }
  return Object.fromEntries(found)
}
