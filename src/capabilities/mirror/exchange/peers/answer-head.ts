// What the head of a peer's answer says, and whether it can be taken: decided before a byte of the body is read.
import { type Digest, parseDigest } from '../../reference.ts'

/** What a peer was asked for. */
export interface Asked {
  /** `undefined` where a tag was asked. */
  readonly digest: Digest | undefined
  /** As the header `Range` said it; `undefined`: the whole. */
  readonly range: AskedRange | undefined
}

export type AskedRange = { readonly start: number; readonly end?: number } | { readonly last: number }

export interface Head {
  /** Size of the whole, in bytes. */
  readonly size: number
  /** First and last byte of the body, both included; `end` is -1 where the body is empty. */
  readonly start: number
  readonly end: number
  readonly isPartial: boolean
  readonly digest: Digest
  readonly mediaType: string
  /** It is a download of the peer that still goes on. */
  readonly isInFlight: boolean
}

export type HeadFault =
  /** It does not have it, or does not speak as it should. */
  | {
      readonly kind: 'refused'
      readonly message: string
      /** 404: it does not have it, as far as this route goes. */
      readonly isAbsent?: boolean
    }
  /** Another digest than was asked for: it is not to be trusted. */
  | { readonly kind: 'other-digest'; readonly message: string }
  /** The range begins beyond the end. */
  | { readonly kind: 'beyond'; readonly size: number; readonly message: string }
  /** A peer of ours that has no place left: whom to ask instead. */
  | { readonly kind: 'ask'; readonly peers: readonly string[]; readonly message: string }

export type Headers = Readonly<Record<string, string | string[] | undefined>>

/** Bytes of a blob or manifest: beyond 2^40 nobody means it. */
const largestContent = 1_099_511_627_776
const longestMediaType = 255
/** Peers that an answer may name. */
const mostNamed = 16
const decimal = /^(?:0|[1-9][0-9]{0,15})$/
const contentRange = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/

export function readHead(
  status: number,
  headers: Headers,
  asked: Asked,
): { readonly ok: true; readonly head: Head } | { readonly ok: false; readonly fault: HeadFault } {
  const no = (message: string) => ({ ok: false as const, fault: { kind: 'refused' as const, message } })
  const named = textOf(headers, 'x-ballast-relay')
  if (status === 503 && named !== undefined) {
    const peers = named
      .split(',')
      .map(text => text.trim())
      .filter(text => /^[A-Za-z0-9]{1,128}$/.test(text))
    return { ok: false, fault: { kind: 'ask', peers: peers.slice(0, mostNamed), message: 'all its places are taken' } }
  }
  if (status === 416) {
    const size = numberOf(/^bytes \*\/(\d+)$/.exec(textOf(headers, 'content-range') ?? '')?.[1])
    return size === undefined
      ? no('416 without a size')
      : { ok: false, fault: { kind: 'beyond', size, message: 'the range is beyond its end' } }
  }
  if (status === 404) return { ok: false, fault: { kind: 'refused', message: 'status 404', isAbsent: true } }
  if (status !== 200 && status !== 206) return no(`status ${status}`)
  const encoding = textOf(headers, 'content-encoding')
  if (encoding !== undefined && encoding !== 'identity') return no(`Content-Encoding ${encoding.slice(0, 32)}`)
  if (headers['transfer-encoding'] !== undefined) return no('chunked, without a length')
  const length = numberOf(textOf(headers, 'content-length'))
  if (length === undefined) return no('no Content-Length')
  const stated = textOf(headers, 'docker-content-digest')
  const digest = stated === undefined ? asked.digest : parseDigest(stated)
  if (asked.digest !== undefined && digest !== asked.digest)
    return { ok: false, fault: { kind: 'other-digest', message: `digest ${stated?.slice(0, 160)}` } }
  if (digest === undefined) return no('no digest')
  const range = status === 206 ? rangeOf(headers, length) : { start: 0, end: length - 1, size: length }
  if (typeof range === 'string') return no(range)
  const misfit =
    status === 206 ? misfitOf(range, asked.range) : asked.range === undefined ? undefined : 'the whole instead of a range'
  if (misfit !== undefined) return no(misfit)
  const mediaType = textOf(headers, 'content-type') ?? 'application/octet-stream'
  if (mediaType.length > longestMediaType) return no('a media type of more than 255 characters')
  const isInFlight = textOf(headers, 'x-ballast-inflight') === '1'
  return { ok: true, head: { ...range, isPartial: status === 206, digest, mediaType, isInFlight } }
}

interface Span {
  readonly start: number
  readonly end: number
  readonly size: number
}

function rangeOf(headers: Headers, length: number): Span | string {
  const [, first, last, whole] = contentRange.exec(textOf(headers, 'content-range') ?? '') ?? []
  const [start, end, size] = [numberOf(first), numberOf(last), numberOf(whole)]
  if (start === undefined || end === undefined || size === undefined) return '206 without a Content-Range'
  if (start > end || end >= size || end - start + 1 !== length) return 'a Content-Range that does not fit'
  return { start, end, size }
}

function misfitOf({ start, end, size }: Span, asked: AskedRange | undefined): string | undefined {
  if (asked === undefined) return '206, and the whole was asked for'
  const wanted =
    'last' in asked
      ? { start: Math.max(0, size - asked.last), end: size - 1 }
      : { start: asked.start, end: Math.min(asked.end ?? size - 1, size - 1) }
  return start === wanted.start && end === wanted.end
    ? undefined
    : `bytes ${start}-${end} instead of ${wanted.start}-${wanted.end}`
}

function textOf(headers: Headers, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || !decimal.test(text)) return undefined
  const value = Number(text)
  return value <= largestContent ? value : undefined
}
