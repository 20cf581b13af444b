import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { seededRandom } from '../random.ts'
import { certificateMetrics } from './certificate-metrics.ts'
import { afterStep, type CertificateState } from './certificate-rotation.ts'

test('the ends of leaf and authorities are told, of what there is now', async () => {
  const nowMs = Date.UTC(2026, 0, 1)
  const names = { authorityName: 'a', leaf: { commonName: 'l', dnsNames: ['l'], usages: ['server'] } } as const
  const around = { names, nowMs, random: seededRandom(1) }
  let state: CertificateState | undefined
  const registry = new Registry()
  certificateMetrics(registry, () => state)
  const lines = async () => (await registry.metrics()).split('\n').filter(line => line.startsWith('ballast_'))
  expect(await lines()).toEqual([])
  const day = 86_400
  const at = (days: number, of: string) =>
    `ballast_certificate_expiry_timestamp_seconds{name="${of}"} ${nowMs / 1_000 + days * day}`
  state = await afterStep({ kind: 'create' }, undefined, around)
  expect(await lines()).toEqual([at(90, 'leaf'), at(5 * 365, 'authority')])
  state = await afterStep({ kind: 'introduce-authority' }, state, around)
  expect(await lines()).toEqual([at(90, 'leaf'), at(5 * 365, 'authority'), at(5 * 365, 'next')])
})
