// Failed connections in the words of an API server, as far as clients and people know them.

/** What a failed exchange over HTTPS is called: `dial tcp 127.0.0.1:8443: connect: connection refused`. */
export function connectionWords(error: unknown): string {
  const cause = innermost(error)
  const code = textOf(cause, 'code')
  const known = Object.hasOwn(words, code) ? words[code] : undefined
  return known?.(cause) ?? (cause instanceof Error ? cause.message : String(cause))
}

const unknownAuthority = () => 'tls: failed to verify certificate: x509: certificate signed by unknown authority'
const tooLate = () => 'context deadline exceeded'

const words: Readonly<Record<string, (error: unknown) => string>> = {
  ECONNREFUSED: error => `dial tcp ${addressOf(error)}: connect: connection refused`,
  EHOSTUNREACH: error => `dial tcp ${addressOf(error)}: connect: no route to host`,
  ENOTFOUND: error => `dial tcp: lookup ${textOf(error, 'hostname')}: no such host`,
  ECONNRESET: () => 'EOF',
  UND_ERR_SOCKET: () => 'EOF',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  CERT_HAS_EXPIRED: () => 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  ERR_TLS_CERT_ALTNAME_INVALID: error =>
    `tls: failed to verify certificate: x509: certificate is not valid for any names, but wanted to match ${textOf(error, 'host')}`,
  UND_ERR_HEADERS_TIMEOUT: tooLate,
  UND_ERR_CONNECT_TIMEOUT: tooLate,
}

/** The failure of the last of several addresses that were tried. */
function innermost(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.at(-1)
  if (error instanceof Error && textOf(error, 'code') === '' && error.cause !== undefined) return innermost(error.cause)
  return error
}

function addressOf(error: unknown): string {
  const address = textOf(error, 'address')
  return `${address.includes(':') ? `[${address}]` : address}:${textOf(error, 'port')}`
}

function textOf(error: unknown, field: string): string {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, field) : undefined
  return value === undefined ? '' : String(value)
}
