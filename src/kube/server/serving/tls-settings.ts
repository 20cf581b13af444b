// `--tls-min-version`, `--tls-cipher-suites` and `--tls-curve-preferences` in Go's words, as Node's TLS takes them.
import { InputError, type Problem } from '../../problem.ts'

const versions = {
  VersionTLS10: 'TLSv1',
  VersionTLS11: 'TLSv1.1',
  VersionTLS12: 'TLSv1.2',
  VersionTLS13: 'TLSv1.3',
} as const

type NodeVersion = (typeof versions)[keyof typeof versions]

/** Go's name to OpenSSL's; `undefined`: Go still knows it, OpenSSL does not any more. Those of TLS 1.3 are always on, in Go too. */
// biome-ignore format: a table
const suites: Readonly<Record<string, string | undefined>> = {
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: 'ECDHE-ECDSA-AES128-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: 'ECDHE-RSA-AES128-SHA256',
  TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
  TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
  TLS_RSA_WITH_AES_128_CBC_SHA256: 'AES128-SHA256',
  TLS_ECDHE_ECDSA_WITH_RC4_128_SHA: undefined,
  TLS_ECDHE_RSA_WITH_RC4_128_SHA: undefined,
  TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA: undefined,
  TLS_RSA_WITH_RC4_128_SHA: undefined,
  TLS_RSA_WITH_3DES_EDE_CBC_SHA: undefined,
}

/** Go's numbers (CurveID) to OpenSSL's names. */
const curves: Readonly<Record<string, string>> = {
  23: 'prime256v1',
  24: 'secp384r1',
  25: 'secp521r1',
  29: 'X25519',
  4587: 'SecP256r1MLKEM768',
  4588: 'X25519MLKEM768',
  4589: 'SecP384r1MLKEM1024',
}

interface TlsSettings {
  readonly minVersion: NodeVersion
  /** Absent: Node's. */
  readonly ecdhCurve?: string
  /** Absent: Node's. */
  readonly ciphers?: string
  /** Names that are taken and cannot be had. */
  readonly unavailable: readonly string[]
}

/** What the flags come to. @throws InputError with every word that is none of Go's */
export function tlsSettings(given: {
  readonly minVersion: string
  readonly cipherSuites: readonly string[]
  /** Numbers. */
  readonly curves?: readonly string[]
}): TlsSettings {
  const problems: Problem[] = []
  const word = given.minVersion === '' ? 'VersionTLS12' : given.minVersion
  const minVersion = isVersion(word) ? versions[word] : undefined
  if (minVersion === undefined) {
    const message = `unknown tls version ${JSON.stringify(word)}`
    const expected = Object.keys(versions).join(', ')
    problems.push({ code: 'flag-value', where: '--tls-min-version', found: word, expected, message })
  }
  for (const name of given.cipherSuites) {
    if (Object.hasOwn(suites, name)) continue
    const message = `Cipher suite ${name} not supported or doesn't exist`
    const expected = "cipher suites by Go's names, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    problems.push({ code: 'flag-value', where: '--tls-cipher-suites', found: name, expected, message })
  }
  for (const id of given.curves ?? []) {
    if (Object.hasOwn(curves, id)) continue
    const message = `tls curve preference ${id} is not supported`
    const expected = `numbers of Go's curves: ${Object.keys(curves).join(', ')}`
    problems.push({ code: 'flag-value', where: '--tls-curve-preferences', found: id, expected, message })
  }
  const ecdhCurve = (given.curves ?? []).flatMap(id => curves[id] ?? []).join(':')
  const known = given.cipherSuites.filter(name => Object.hasOwn(suites, name))
  const [available, unavailable] = [
    known.filter(name => suites[name] !== undefined),
    known.filter(name => suites[name] === undefined),
  ]
  if (unavailable.length > 0 && available.length === 0) {
    const expected = 'at least one cipher suite that is still in use'
    problems.push({ code: 'flag-value', where: '--tls-cipher-suites', found: unavailable.join(','), expected })
  }
  if (problems.length > 0 || minVersion === undefined) throw new InputError(problems)
  return {
    minVersion,
    unavailable,
    ...(available.length > 0 && { ciphers: ciphersOf(available) }),
    ...(ecdhCurve !== '' && { ecdhCurve }),
  }
}

/** Those of TLS 1.3 are named too: OpenSSL has them in the same list, and without a name they would be off. */
function ciphersOf(names: readonly string[]): string {
  const always = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']
  return [...new Set([...always, ...names.flatMap(name => suites[name] ?? [])])].join(':')
}

function isVersion(word: string): word is keyof typeof versions {
  return Object.hasOwn(versions, word)
}
