// Scalers read what real servers answered, and come to what they came to there.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { httpCases } from './http-scaler-cases.ts'
import { natsCases, prometheusCases, redisCases, type ScalerCase } from './scaler-cases.ts'
import { type RecordedServer, replayed } from './scaler-fixture.ts'
import { differenceOf } from './scaler-reading.ts'

const { signal } = new AbortController()

/** Its page is too large to be kept here. */
const onRealServersOnly = new Set(["the server's own metrics"])

test.each<[string, readonly ScalerCase[]]>([
  ['redis', redisCases],
  ['nats', natsCases],
  ['prometheus', prometheusCases],
  ...Object.entries(httpCases),
])('%s, as recorded', async (name, cases) => {
  const text = readFileSync(join(import.meta.dirname, 'fixtures', 'scalers', `${name}.json`), 'utf8')
  await using server = await replayed(JSON.parse(text) as RecordedServer)
  const kept = cases.filter(one => !onRealServersOnly.has(one.name))
  const differences = await Promise.all(kept.map(one => differenceOf(one, server.address, signal)))
  expect(differences.filter(one => one !== undefined)).toEqual([])
})
