// D26: what a cluster of 5,000 nodes weighs on the wire.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { pictureOf } from '../views/testdata/homelab.ts'
import { startTestDashboard } from './dashboard-for-tests.ts'

const count = 5_000
const limitBytes = 120 * 1_024

function nodes(): readonly KubeObject[] {
  const random = seededRandom(26)
  return Array.from({ length: count }, (_, index): KubeObject => {
    const name = `pool-${index % 7}-${Math.floor(random() * 2 ** 32).toString(36)}-${index}`
    const cpu = `${[7_950, 15_950, 31_900][index % 3]}m`
    return {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, uid: `u-${index}`, labels: { 'topology.kubernetes.io/zone': `zone-${index % 3}` } },
      status: {
        allocatable: { cpu, memory: `${15_500 + Math.floor(random() * 500)}Mi`, pods: '110' },
        conditions: [{ type: 'Ready', status: index % 50 === 0 ? 'False' : 'True', lastTransitionTime: '2025-12-19T12:00:00Z' }],
      },
    }
  })
}

function pods(names: readonly string[]): readonly KubeObject[] {
  const random = seededRandom(27)
  return names.map((nodeName, index): KubeObject => {
    const requests = { cpu: `${Math.floor(random() * 7_000)}m`, memory: `${Math.floor(random() * 14_000)}Mi` }
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `p-${index}`, namespace: `n-${index % 40}`, uid: `p-${index}` },
      spec: { nodeName, containers: [{ name: 'c', image: 'i', resources: { requests } }] },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    }
  })
}

test('D26: 5,000 nodes are sent as columns, in at most 120 KB', async () => {
  const machines = nodes()
  const picture = pictureOf([...machines, ...pods(machines.map(({ metadata }) => metadata.name))])
  await using dashboard = await startTestDashboard({ picture })
  for (const encoding of ['gzip', 'br']) {
    for (const path of ['/api/v1/nodes?columns=1', '/api/v1/overview']) {
      const { status, bytes, headers } = await dashboard.ask(path, { headers: { 'accept-encoding': encoding } })
      expect([status, headers['content-encoding']]).toEqual([200, encoding])
      expect(`${path} ${encoding} ${bytes.length <= limitBytes ? 'fits' : bytes.length}`).toBe(`${path} ${encoding} fits`)
    }
  }
  const { json } = await dashboard.ask('/api/v1/overview')
  expect(json).toMatchObject({ nodes: [], columns: { name: expect.any(Array) }, totals: { nodes: count } })
  const page = await dashboard.ask('/api/v1/nodes?limit=9999')
  expect(page.json).toMatchObject({ total: count, next: expect.any(String) })
})
