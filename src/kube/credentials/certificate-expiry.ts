// Whether certificates we were given are still good. Real time: the other end lives in it.
import { X509Certificate } from 'node:crypto'
import { messageOf } from '../log.ts'
import { InputError } from '../problem.ts'

const soonMs = 7 * 86_400_000
const certificatePattern = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/**
 * What to warn of in a PEM text of one or more certificates: `undefined` when the last of them is good for more than a week.
 * @throws InputError naming `where` when there is no certificate in it or all have expired.
 */
export function expiryWarning(pem: string, where: string, nowMs: number): string | undefined {
  const ends = (pem.match(certificatePattern) ?? []).map(one => expiryOf(one, where))
  const lastMs = Math.max(...ends)
  if (ends.length === 0) throw refusal('certificate-data', where, pem.slice(0, 40), 'a certificate in PEM form')
  const until = new Date(lastMs).toISOString()
  if (lastMs <= nowMs)
    throw refusal('certificate-expired', where, `a certificate that expired at ${until}`, 'one that is still good')
  return lastMs - nowMs <= soonMs ? `${where}: the certificate expires at ${until}` : undefined
}

function expiryOf(pem: string, where: string): number {
  try {
    return new X509Certificate(pem).validToDate.getTime()
  } catch (error) {
    throw refusal('certificate-data', where, messageOf(error), 'a certificate in PEM form')
  }
}

function refusal(code: string, where: string, found: string, expected: string): InputError {
  return new InputError([{ code, where, found, expected }])
}
