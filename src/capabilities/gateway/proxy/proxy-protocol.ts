// The first line of a connection that came through a proxy of TCP: who the client is. Versions 1 and 2 of HAProxy's PROXY protocol.

/** What a connection began with: still unfinished, wrong, or so many bytes of header and an address (undefined: the proxy itself asks). */
type ProxyHeader =
  | { readonly kind: 'unfinished' }
  | { readonly kind: 'wrong'; readonly why: string }
  | { readonly kind: 'read'; readonly bytes: number; readonly address: string | undefined }

const signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])
/** Bytes of a line of version 1, with its end. */
const longestLine = 107
/** Bytes of version 2: the fixed part, and what may follow. */
const fixedBytes = 16
const mostBytes = 4096

const wrong = (why: string): ProxyHeader => ({ kind: 'wrong', why })

export function proxyHeader(bytes: Buffer): ProxyHeader {
  const looked = bytes.subarray(0, signature.length)
  if (signature.subarray(0, looked.length).equals(looked)) return looked.length < fixedBytes ? binaryOrMore(bytes) : binary(bytes)
  return line(bytes)
}

function binaryOrMore(bytes: Buffer): ProxyHeader {
  return bytes.length < fixedBytes ? { kind: 'unfinished' } : binary(bytes)
}

function line(bytes: Buffer): ProxyHeader {
  const start = bytes.toString('latin1', 0, Math.min(bytes.length, longestLine))
  if (!'PROXY '.startsWith(start.slice(0, 6))) return wrong('no PROXY header')
  const end = start.indexOf('\r\n')
  if (end === -1) return bytes.length >= longestLine ? wrong('a PROXY header without an end') : { kind: 'unfinished' }
  const [, family, source, ...rest] = start.slice(0, end).split(' ')
  const read = (address: string | undefined): ProxyHeader => ({ kind: 'read', bytes: end + 2, address })
  if (family === 'UNKNOWN') return read(undefined)
  if ((family !== 'TCP4' && family !== 'TCP6') || source === undefined || rest.length !== 3)
    return wrong('a PROXY header of no known form')
  return /^[0-9a-fA-F.:]+$/.test(source) ? read(source) : wrong('a PROXY header without an address')
}

function binary(bytes: Buffer): ProxyHeader {
  const versionAndCommand = bytes[12] ?? 0
  if (versionAndCommand >> 4 !== 2) return wrong(`version ${versionAndCommand >> 4} of the PROXY protocol`)
  const length = bytes.readUInt16BE(14)
  const total = fixedBytes + length
  if (total > mostBytes) return wrong('a PROXY header that is too long')
  if (bytes.length < total) return { kind: 'unfinished' }
  const command = versionAndCommand & 0x0f
  if (command > 1) return wrong(`command ${command} of the PROXY protocol`)
  const family = (bytes[13] ?? 0) >> 4
  const rest = bytes.subarray(fixedBytes, total)
  // LOCAL: the proxy asks whether we live.
  if (command === 0) return { kind: 'read', bytes: total, address: undefined }
  if (family === 1 && length >= 12) return { kind: 'read', bytes: total, address: rest.subarray(0, 4).join('.') }
  if (family === 2 && length >= 36) return { kind: 'read', bytes: total, address: ipv6(rest.subarray(0, 16)) }
  return { kind: 'read', bytes: total, address: undefined }
}

function ipv6(bytes: Buffer): string {
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
