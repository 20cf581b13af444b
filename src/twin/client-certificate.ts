// Who shows which client certificate on a connection.
import type { TLSSocket } from 'node:tls'
import type { Credentials } from './api/request.ts'

/** The client certificate's CN and O, when it is one of the twin's authority. */
export function clientCertificate(tls: TLSSocket): Credentials {
  if (!tls.authorized) return { kind: 'none' }
  const { subject, fingerprint256 } = tls.getPeerCertificate()
  if (subject === undefined || typeof subject.CN !== 'string') return { kind: 'none' }
  const organizations: unknown = subject.O
  const groups = Array.isArray(organizations)
    ? organizations.map(String)
    : organizations === undefined
      ? []
      : [String(organizations)]
  return { kind: 'certificate', name: subject.CN, groups, digest: fingerprint256.replaceAll(':', '').toLowerCase() }
}
