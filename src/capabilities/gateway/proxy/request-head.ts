// What a request says of itself, read once: where it wants to go, what is passed on, and what is refused before anybody else sees it.

/** A request that nobody is asked about. */
export interface Refusal {
  readonly status: number
  readonly reason: string
}

export interface RequestHead {
  readonly method: string
  /** Path and query as they came: `/a?b=c`. */
  readonly target: string
  /** Path without query, decoded, for routing. */
  readonly path: string
  /** As the client wrote it: `Example.com:8080`; '' where it gave none. */
  readonly authority: string
  /** In lower case, without port. */
  readonly host: string
  /** What is passed on, names and values by turns, in the client's order: without hop-by-hop headers, Host and forwarding headers. */
  readonly passed: readonly string[]
  /** `X-Forwarded-For`, `-Host` and `-Proto` as they came. */
  readonly forwardedFor: string | undefined
  readonly forwardedHost: string | undefined
  readonly forwardedProto: string | undefined
  /** Bytes; undefined: not said. */
  readonly contentLength: number | undefined
  readonly isChunked: boolean
  /** The client waits for leave to send its body. */
  readonly expectsContinue: boolean
  readonly takesTrailers: boolean
  /** It announces fields after its body. */
  readonly sendsTrailers: boolean
  /** The protocol that it asks for: `websocket`. */
  readonly upgrade: string | undefined
  /** It comes from the data plane, which has written its forwarding headers and counts it. */
  readonly isForwarded?: boolean
}

interface Arrived {
  readonly method: string
  readonly url: string
  /** Names and values by turns, as they came. */
  readonly rawHeaders: readonly string[]
  readonly httpVersion: string
  /** What stands in `:authority` of HTTP/2. */
  readonly authority?: string | undefined
}

const forwarding = 'forwarding'
const hopByHop = 'hop'

/** Headers that are looked at, by name in lower case; RFC 9110 7.6.1 and those that proxies write. */
const special = new Map<string, string>([
  ['te', 'te'],
  ['host', 'host'],
  ['expect', 'expect'],
  ['upgrade', 'upgrade'],
  ['trailer', 'trailer'],
  ['forwarded', hopByHop],
  ['connection', 'connection'],
  ['keep-alive', hopByHop],
  ['content-length', 'content-length'],
  ['x-forwarded-for', forwarding],
  ['x-forwarded-host', forwarding],
  ['x-forwarded-proto', forwarding],
  ['http2-settings', hopByHop],
  ['proxy-connection', hopByHop],
  ['transfer-encoding', 'transfer-encoding'],
  ['proxy-authenticate', hopByHop],
  ['proxy-authorization', hopByHop],
])

/** So that most names are passed over by their length. */
const specialLengths = new Set([...special.keys()].map(({ length }) => length))

/** Never taken away because a client nominates them. */
const kept = new Set(['host', 'content-length', 'transfer-encoding', 'content-type', 'cookie', 'authorization'])

const hostPattern = /^(?:\[[0-9a-fA-F:.%]+\]|[^\s/?#@\\:[\]<>^|{}"'`,;]*)(?::\d{0,5})?$/
const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** A fragment stays with the client. */
const visiblePattern = /^[\x21\x22\x24-\xff]+$/

const bad = (reason: string): Refusal => ({ status: 400, reason })

/** @returns what the request says, or why it is refused */
export function requestHead(arrived: Arrived): RequestHead | Refusal {
  const { method, rawHeaders, httpVersion } = arrived
  const isHttp2 = httpVersion.startsWith('2')
  const passed: string[] = []
  const seen: Record<string, string | undefined> = {}
  const cookies: string[] = []
  let nominated: Set<string> | undefined
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    const value = rawHeaders[at + 1] ?? ''
    if (!specialLengths.has(name.length)) {
      // HTTP/2 may split cookies, HTTP/1.1 may not.
      if (isHttp2 && name === 'cookie') cookies.push(value)
      else passed.push(name, value)
      continue
    }
    const lower = name.toLowerCase()
    const kind = special.get(lower)
    if (kind === undefined) {
      if (isHttp2 && lower === 'cookie') cookies.push(value)
      else passed.push(name, value)
      continue
    }
    const known = seen[lower]
    if (known !== undefined && (kind === 'host' || kind === 'content-length' || kind === 'transfer-encoding'))
      return bad(`more than one ${name}`)
    seen[lower] = known === undefined ? value : `${known}, ${value}`
    if (kind === 'connection') nominated = nominatedBy(value, nominated)
  }
  if (cookies.length > 0) passed.push('cookie', cookies.join('; '))
  const place = placeOf(arrived, seen['host'], isHttp2)
  if ('status' in place) return place
  const encoding = seen['transfer-encoding']
  if (encoding !== undefined) {
    if (isHttp2 || httpVersion === '1.0') return bad(`Transfer-Encoding in HTTP/${httpVersion}`)
    if (encoding.toLowerCase() !== 'chunked')
      return { status: 501, reason: `Transfer-Encoding ${JSON.stringify(encoding)} is not chunked` }
  }
  const length = seen['content-length']
  if (length !== undefined && !/^\d{1,15}$/.test(length))
    return bad(`Content-Length ${JSON.stringify(length)} is no number of bytes`)
  if (length !== undefined && encoding !== undefined) return bad('Content-Length beside Transfer-Encoding')
  const expect = seen['expect']
  if (expect !== undefined && expect.toLowerCase() !== '100-continue')
    return { status: 417, reason: `Expect ${JSON.stringify(expect)} is not 100-continue` }
  const upgrade = nominated?.has('upgrade') === true && !isHttp2 ? upgradeOf(seen['upgrade']) : undefined
  if (upgrade !== undefined && (encoding !== undefined || (length !== undefined && length !== '0')))
    return bad('a request that asks for another protocol has no body')
  return {
    method,
    ...place,
    passed: nominated === undefined ? passed : withoutNominated(passed, nominated),
    forwardedFor: seen['x-forwarded-for'],
    forwardedHost: seen['x-forwarded-host'],
    forwardedProto: seen['x-forwarded-proto'],
    contentLength: length === undefined ? undefined : Number(length),
    isChunked: encoding !== undefined,
    expectsContinue: expect !== undefined,
    takesTrailers: /(?:^|[,\s])trailers(?:$|[,;\s])/i.test(seen['te'] ?? ''),
    sendsTrailers: seen['trailer'] !== undefined,
    upgrade,
  }
}

/** Values of a header that is passed on, or of one that proxies write. */
export function valuesOf(head: RequestHead, name: string): readonly string[] {
  const values: string[] = []
  for (let at = 0; at + 1 < head.passed.length; at += 2)
    if (head.passed[at]?.toLowerCase() === name) values.push(head.passed[at + 1] ?? '')
  if (values.length > 0) return values
  if (name === 'host') return [head.authority]
  const forwarded: Readonly<Record<string, string | undefined>> = {
    'x-forwarded-for': head.forwardedFor,
    'x-forwarded-host': head.forwardedHost,
    'x-forwarded-proto': head.forwardedProto,
  }
  const value = forwarded[name]
  return value === undefined ? [] : [value]
}

/** Proxies that a request may have passed, as `X-Forwarded-For` tells: more are one that it passes again and again. */
const mostHops = 32

export function isLoop({ forwardedFor }: RequestHead): boolean {
  return forwardedFor !== undefined && forwardedFor.split(',', mostHops + 1).length > mostHops
}

/** What goes to the target: what is passed on, with Host and where the request came from. */
export function forwardedHeaders(head: RequestHead, from: { readonly address: string; readonly isTls: boolean }): string[] {
  const { forwardedFor } = head
  return [
    'Host',
    head.authority,
    ...head.passed,
    'X-Forwarded-For',
    forwardedFor === undefined ? from.address : head.isForwarded === true ? forwardedFor : `${forwardedFor}, ${from.address}`,
    'X-Forwarded-Host',
    head.forwardedHost || head.authority,
    'X-Forwarded-Proto',
    head.forwardedProto || (from.isTls ? 'https' : 'http'),
  ]
}

/** Headers of an answer that are passed on; `Trailer` is, since what it announces comes. */
export function passedAnswer(raw: readonly (string | Buffer)[]): string[] {
  const headers: string[] = []
  let nominated: Set<string> | undefined
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = textOf(raw[at])
    const value = textOf(raw[at + 1])
    if (specialLengths.has(name.length)) {
      const kind = special.get(name.toLowerCase())
      if (kind === 'connection') nominated = nominatedBy(value, nominated)
      if (kind !== undefined && kind !== 'content-length' && kind !== 'trailer' && kind !== forwarding) continue
    }
    headers.push(name, value)
  }
  return nominated === undefined ? headers : withoutNominated(headers, nominated)
}

function textOf(one: string | Buffer | undefined): string {
  return typeof one === 'string' ? one : (one?.toString('latin1') ?? '')
}

function nominatedBy(value: string, known: Set<string> | undefined): Set<string> | undefined {
  const names = value
    .split(',')
    .map(one => one.trim().toLowerCase())
    .filter(one => one !== '' && one !== 'close' && one !== 'keep-alive' && !kept.has(one))
  return names.length === 0 ? known : new Set([...(known ?? []), ...names])
}

function withoutNominated(headers: readonly string[], nominated: ReadonlySet<string>): string[] {
  return headers.filter((_, at) => !nominated.has((headers[at - (at % 2)] ?? '').toLowerCase()))
}

function upgradeOf(value: string | undefined): string | undefined {
  // What speaks HTTP/2 without TLS says so at once; the way by an upgrade was taken out of the standard.
  if (value === undefined || value.toLowerCase() === 'h2c') return undefined
  return tokenPattern.test(value.replace('/', '')) ? value : undefined
}

/** Where it wants to go: the absolute form counts more than Host, and both may say only one thing in HTTP/2. */
function placeOf(
  { url, method, authority: ownAuthority, httpVersion }: Arrived,
  hostHeader: string | undefined,
  isHttp2: boolean,
): Pick<RequestHead, 'target' | 'path' | 'authority' | 'host'> | Refusal {
  let target = url
  let authority = hostHeader ?? ''
  if (isHttp2) {
    authority = ownAuthority ?? authority
    if (hostHeader !== undefined && hostHeader.toLowerCase() !== authority.toLowerCase()) return bad(':authority and Host differ')
  } else if (!url.startsWith('/') && url !== '*') {
    const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
    if (absolute === null) return bad(`the target ${JSON.stringify(url.slice(0, 64))} is no path`)
    authority = absolute[1] ?? ''
    const rest = absolute[2] ?? ''
    target = rest.startsWith('/') ? rest : `/${rest}`
    if (authority === '') return bad('the target names no host')
  } else if (hostHeader === undefined && httpVersion !== '1.0') return bad('no Host')
  if (target === '*' && method !== 'OPTIONS') return bad('the target * is for OPTIONS')
  if (!visiblePattern.test(target)) return bad('the target has characters that are none of a URL')
  if (!hostPattern.test(authority)) return bad(`the host ${JSON.stringify(authority.slice(0, 64))} is none`)
  const path = decodedPath(target)
  if (path === undefined) return bad('the path is not encoded as URLs are')
  return { target, path, authority, host: hostOf(authority) }
}

/** Without port, brackets and the dot of the root, in lower case. */
function hostOf(authority: string): string {
  const bare = authority.startsWith('[') ? authority.slice(1, authority.indexOf(']')) : authority.replace(/:\d*$/, '')
  const lower = bare.toLowerCase()
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}

function decodedPath(target: string): string | undefined {
  const end = target.search(/[?#]/)
  const path = end === -1 ? target : target.slice(0, end)
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    // What is no UTF-8 may still be a path of bytes; what is no escape at all is none.
    return /%(?![0-9a-fA-F]{2})/.test(path) ? undefined : unescapedBytes(path)
  }
}

function unescapedBytes(path: string): string {
  return path.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
