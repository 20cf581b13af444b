// The twin asked what a real API server was asked about APIs behind it (`test/real/aggregation/record.ts`), with the same programs there.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hostClock, systemClock } from '#kube/clock.ts'
import { type Recorded, recordAggregation } from '#test/real/aggregation/scenario.ts'
import { siteOf } from '#test/real/aggregation/twin-site.ts'
import { isFields, itemsAt, textAt } from '../json-value.ts'
import { startTwin } from '../twin.ts'

const fixture = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures', 'aggregation', 'answers.json')
const recorded: { readonly records: readonly Recorded[] } = JSON.parse(readFileSync(fixture, 'utf8'))

/** Says which certificate a caller showed. The twin does not pass it on: no server behind it needs to know. */
const ownToRealServers = 'x-remote-extra-authentication.kubernetes.io%2fcredential-id'

function comparable(body: unknown): unknown {
  if (!isFields(body) || !isFields(body['headers'])) return body
  return { ...body, headers: { ...body['headers'], [ownToRealServers]: undefined } }
}

const start = () => startTwin({ clock: systemClock, wire: hostClock({ speed: 20 }), components: false, listen: { port: 0 } })

describe('APIs that others serve', () => {
  test('are answered for as a real API server answers', async () => {
    await using twin = await start()
    await using site = await siteOf(twin)
    const records = await recordAggregation(site)
    const differences: unknown[] = []
    for (const [at, real] of recorded.records.entries()) {
      const ours = records[at]
      if (real.name === 'local APIs' || real.name === 'order of groups') continue
      const [wanted, found] = [real, ours].map(record => ({ ...record, body: comparable(record?.body) }))
      try {
        expect(found).toEqual(wanted)
      } catch {
        // Collected: all that differs is shown at once.
        differences.push({ name: real.name, wanted, found })
      }
    }
    expect(differences).toEqual([])
    expect(records.map(({ name }) => name)).toEqual(recorded.records.map(({ name }) => name))
  })

  test('begin with those of the twin itself', async () => {
    await using twin = await start()
    const rows = recorded.records.find(({ name }) => name === 'local APIs')?.body
    const ours = twin.access.list('apiservices.apiregistration.k8s.io').map(object => ({
      name: object.metadata.name,
      labels: object.metadata.labels,
      spec: object['spec'],
      conditions: itemsAt(object, 'status', 'conditions').map(({ lastTransitionTime: _when, ...condition }) => condition),
    }))
    expect(ours).toEqual(rows)
  })

  test('are listed in the order of real groups', async () => {
    await using twin = await start()
    await using site = await siteOf(twin)
    const answer = await site.ask({ method: 'GET', path: '/apis' })
    const groups = itemsAt(JSON.parse(answer.text), 'groups').map(group => textAt(group, 'name'))
    const real = recorded.records.find(({ name }) => name === 'order of groups')?.body
    expect(groups).toEqual([...(Array.isArray(real) ? real : []), 'metrics.k8s.io'])
  })
})
