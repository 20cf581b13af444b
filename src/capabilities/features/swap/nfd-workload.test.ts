// What a running installation is told: by flags and files of its programs, as the chart made it and as plain manifests have it.

import { expect, test } from 'vitest'
import { type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { nfd } from './nfd.ts'
import { convertNfdWorkload, programOf } from './nfd-workload.ts'

const image = 'registry.k8s.io/nfd/node-feature-discovery:v0.19.0'

function workload(kind: string, role: string, args: readonly string[], pod: ValuesTree = {}) {
  const volumes = [{ name: 'conf', configMap: { name: `nfd-${role}-conf` } }]
  const containers = [{ name: role, image, command: [`nfd-${role}`], args }]
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: `nfd-${role}`, namespace: 'nfd' },
    spec: { template: { spec: { containers, volumes, ...pod } } },
  }
}
const configMap = (name: string, data: ValuesTree) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })

const master = workload('Deployment', 'master', ['-enable-taints', '-extra-label-ns=a.example', '-port=8080'])
const worker = workload('DaemonSet', 'worker', ['-owner-refs=node', '-port=8080'], {
  nodeSelector: { pool: 'gpu', 'ballast.dev/asleep': 'true' },
})
const beside = [
  worker,
  configMap('nfd-master-conf', { 'nfd-master.conf': 'labelWhiteList: gpu\nextraLabelNs: [b.example]\n' }),
  configMap('nfd-worker-conf', { 'nfd-worker.conf': 'core:\n  sleepInterval: 5m\nsources:\n  pci:\n' }),
]

test('flags and files of master and worker, as values of ours', () => {
  const { values, isLossy } = convertNfdWorkload(master, { beside, namespace: 'nfd' })
  expect(valueAt(values, ['capabilities', 'features'])).toEqual({
    enabled: true,
    master: { enableTaints: true, extraLabelNs: ['a.example'], labelWhiteList: 'gpu' },
    worker: { core: { sleepInterval: '5m', ownerRefs: ['node'] } },
  })
  // What keeps it asleep in a swap is no wish of anybody.
  expect(valueAt(values, ['agent', 'nodeSelector'])).toEqual({ pool: 'gpu' })
  expect(isLossy).toBe(false)
})

test('without a worker, or with a topology updater, something is lost', () => {
  const updater = workload('DaemonSet', 'topology-updater', [])
  expect(convertNfdWorkload(master, { beside: [], namespace: 'nfd' }).isLossy).toBe(true)
  expect(convertNfdWorkload(master, { beside: [...beside, updater], namespace: 'nfd' }).isLossy).toBe(true)
})

test('programs are told apart by their words, the one image notwithstanding', () => {
  expect([master, worker].map(programOf)).toEqual(['nfd-master', 'nfd-worker'])
  const { isCompanion, isPlain } = nfd.replaced?.swap ?? {}
  expect([master, worker].map(one => isCompanion?.(one))).toEqual([false, true])
  const named = (name: string, namespace = 'nfd') => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace } })
  expect(
    [named('nfd-worker-conf'), named('nfd-worker-conf', 'other'), named('nfd-rules')].map(one => isPlain?.(one, master)),
  ).toEqual([true, false, false])
})
