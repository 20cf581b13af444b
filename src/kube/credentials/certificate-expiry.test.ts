// Certificates that are good, end soon, have ended, or are none.
import { describe, expect, test } from 'vitest'
import { issueAuthority } from '../server/certificates.ts'
import { expiryWarning } from './certificate-expiry.ts'

const dayMs = 86_400_000
const nowMs = Date.UTC(2026, 0, 1)

async function lasting(days: number): Promise<string> {
  const { certificate } = await issueAuthority({ commonName: 'test', nowMs: nowMs - 100 * dayMs, lifeMs: (100 + days) * dayMs })
  return certificate
}

describe('a certificate', () => {
  test('that lasts is nothing to speak of', async () => {
    expect(expiryWarning(await lasting(8), 'ca', nowMs)).toBeUndefined()
  })

  test('that ends within a week is a warning', async () => {
    expect(expiryWarning(await lasting(6), 'client-certificate-data', nowMs)).toBe(
      'client-certificate-data: the certificate expires at 2026-01-07T00:00:00.000Z',
    )
  })

  test('that has ended is refused by name', async () => {
    const expired = await lasting(-1)
    expect(() => expiryWarning(expired, 'certificate-authority /etc/ca.crt', nowMs)).toThrow(
      'certificate-authority /etc/ca.crt: found "a certificate that expired at 2025-12-31T00:00:00.000Z", expected one that is still good [certificate-expired]',
    )
  })

  test('that has ended does no harm beside its successor', async () => {
    expect(expiryWarning((await lasting(-1)) + (await lasting(30)), 'ca', nowMs)).toBeUndefined()
  })

  test.each([
    ['nothing', 'hello'],
    ['an empty frame', '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----'],
  ])('that is none: %s', (_, text) => {
    expect(() => expiryWarning(text, 'ca', nowMs)).toThrow('expected a certificate in PEM form [certificate-data]')
  })
})
