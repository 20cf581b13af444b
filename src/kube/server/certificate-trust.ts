// Which of several authorities vouches for a client's certificate. TLS tells only that one of all does.
import { X509Certificate } from 'node:crypto'

/** OIDs of extended key usages. */
const usageOids = { client: '1.3.6.1.5.5.7.3.2', server: '1.3.6.1.5.5.7.3.1' } as const
const anyUsage = '2.5.29.37.0'
const longestChain = 5
const certificatePattern = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** The certificates of a PEM bundle. @throws Error where one of them cannot be read */
export function certificatesIn(pem: string): readonly X509Certificate[] {
  return (pem.match(certificatePattern) ?? []).map(text => new X509Certificate(text))
}

/** The distinct certificates a peer presented, its own first. */
export function presentedChain(own: X509Certificate | undefined): readonly X509Certificate[] {
  const chain: X509Certificate[] = []
  for (let next = own; next !== undefined && chain.length <= longestChain; next = next.issuerCertificate) {
    const { fingerprint256 } = next
    if (chain.some(known => known.fingerprint256 === fingerprint256)) break
    chain.push(next)
  }
  return chain
}

/** Whether `chain` (the peer's own first) leads to one of `authorities`, is good at `nowMs`, and is meant for such peers. */
export function isVouchedFor(
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  nowMs: number,
  usage: keyof typeof usageOids = 'client',
): boolean {
  const [own] = chain
  if (own === undefined || !isMeantFor(own, usageOids[usage])) return false
  return reaches(own, { authorities, chain, nowMs, depth: 0 })
}

function isMeantFor(certificate: X509Certificate, wanted: string): boolean {
  // Node names extended usages `keyUsage`; a certificate without any may be used for all.
  const usages: readonly string[] | undefined = certificate.keyUsage
  return usages === undefined || usages.includes(wanted) || usages.includes(anyUsage)
}

interface Search {
  readonly authorities: readonly X509Certificate[]
  readonly chain: readonly X509Certificate[]
  readonly nowMs: number
  readonly depth: number
}

function reaches(certificate: X509Certificate, search: Search): boolean {
  const { authorities, chain, nowMs, depth } = search
  if (depth > longestChain || !isGoodAt(certificate, nowMs)) return false
  const signed = (issuer: X509Certificate) =>
    issuer.ca && isGoodAt(issuer, nowMs) && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  if (authorities.some(signed)) return true
  return chain.some(
    issuer =>
      issuer.fingerprint256 !== certificate.fingerprint256 && signed(issuer) && reaches(issuer, { ...search, depth: depth + 1 }),
  )
}

function isGoodAt(certificate: X509Certificate, nowMs: number): boolean {
  return certificate.validFromDate.getTime() <= nowMs && nowMs < certificate.validToDate.getTime()
}
