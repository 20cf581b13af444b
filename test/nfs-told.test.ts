// What a running csi-driver-nfs is told becomes the same values as its chart's, whoever changed its manifests.

import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { yamlDocuments } from '../src/deployment/yaml-text.ts'
import { examineCluster } from '../src/doctor/checks.ts'
import { readValuesInput } from '../src/upstreams/values-input.ts'
import { valueAt } from '../src/upstreams/values-tree.ts'
import { upstreamNamed } from './carried-swap.ts'
import { controllerDeployment, csiDriver, nodeSet, slowClass, snapshotController } from './nfs-swap-objects.ts'

const { replaced } = upstreamNamed('csi-driver-nfs')
const convert = (node: KubeObject, ...beside: readonly KubeObject[]) =>
  replaced.convertWorkload({ ...node }, { beside, namespace: 'csi-nfs' })

test('as its chart installs it: nothing but the standard, and nothing is lost', () => {
  const { values, report, isLossy } = convert(nodeSet(), controllerDeployment(), csiDriver(), slowClass)
  expect(report.filter(({ kind }) => kind !== 'carried' && kind !== 'dropped')).toEqual([])
  expect(isLossy).toBe(false)
  expect(values).toEqual({
    capabilities: {
      nfs: {
        enabled: true,
        driverName: 'nfs.csi.k8s.io',
        kubeletDir: '/var/lib/kubelet',
        mountPermissions: '0',
        controller: {
          workingMountDir: '/tmp',
          defaultOnDeletePolicy: 'delete',
          useTarCommandInSnapshot: false,
          snapshotCompression: 'gzip',
          timeout: '1200s',
          retryIntervalMax: '30m',
          snapshots: { enabled: true },
        },
      },
    },
    nfs: {
      node: {
        dnsPolicy: 'ClusterFirstWithHostNet',
        priorityClassName: 'system-cluster-critical',
        tolerations: [{ operator: 'Exists' }],
        revisionHistoryLimit: 10,
        healthPort: 29_653,
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      },
      controller: {
        dnsPolicy: 'ClusterFirstWithHostNet',
        priorityClassName: 'system-cluster-critical',
        revisionHistoryLimit: 10,
        healthPort: 29_652,
        replicas: 1,
        updateStrategy: { type: 'Recreate' },
      },
      csiDriver: { fsGroupPolicy: 'File', inlineVolumes: false },
    },
  })
  expect(report.find(({ from }) => from === 'classes')?.why).toContain('nfs-slow: classes stay as they are')
})

describe('what somebody changed', () => {
  const became = (path: string, node: KubeObject, ...beside: readonly KubeObject[]) =>
    valueAt(convert(node, ...beside).values, path.split('.'))

  // biome-ignore format: a table
  test.each<[string, KubeObject, readonly KubeObject[], string, unknown]>([
    ['the folder of kubelets',           nodeSet({ kubeletDir: '/var/lib/k0s/kubelet' }),           [],                                                                'capabilities.nfs.kubeletDir',                        '/var/lib/k0s/kubelet'],
    ['permissions as a decimal number',  nodeSet({ args: ['--mount-permissions=511'] }),            [],                                                                'capabilities.nfs.mountPermissions',                  '0777'],
    ['how long figures are good',        nodeSet({ args: ['--vol-stats-cache-expire-in-minutes=3'] }), [],                                                             'capabilities.nfs.volStatsCacheExpireInMinutes',      3],
    ['archives that give way',           nodeSet(), [controllerDeployment({ args: ['--remove-archived-volume-path=true'] })],                                       'capabilities.nfs.controller.existingArchive',        'remove'],
    ['retained by default',              nodeSet(), [controllerDeployment({ args: ['--default-ondelete-policy=retain'] })],                                         'capabilities.nfs.controller.defaultOnDeletePolicy',  'retain'],
    ['nodes by a label',                 nodeSet({ pod: { nodeSelector: { 'kubernetes.io/os': 'linux', disk: 'yes' } } }), [],                                      'nfs.node.nodeSelector',                              { disk: 'yes' }],
    ['two controllers',                  nodeSet(), [controllerDeployment({ replicas: 2 })],                                                                        'nfs.controller.replicas',                            2],
    ['a controller that sleeps already', nodeSet(), [controllerDeployment({ replicas: 0 })],                                                                        'nfs.controller.replicas',                            undefined],
    ['volumes of pods themselves',       nodeSet(), [csiDriver({ volumeLifecycleModes: ['Persistent', 'Ephemeral'] })],                                              'nfs.csiDriver.inlineVolumes',                        true],
    ['without fsGroup',                  nodeSet(), [csiDriver({ fsGroupPolicy: 'ReadWriteOnceWithFSType' })],                                                       'nfs.csiDriver.fsGroupPolicy',                        'ReadWriteOnceWithFSType'],
    ['a snapshot controller of its own', nodeSet(), [controllerDeployment(), snapshotController()],                                                                 'capabilities.nfs.controller.snapshots.controller',   true],
    ['renewed by hand',                  nodeSet({ spec: { updateStrategy: { type: 'OnDelete' } } }), [],                                                            'nfs.node.updateStrategy',                            undefined],
  ])('%s', (_name, node, beside, path, expected) => expect(became(path, node, ...beside)).toEqual(expected))

  test('by a swap that is under way is not its own', () => {
    const required = {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: 'ballast.dev/nfs-swap', operator: 'NotIn', values: ['none', 'ballast'] }] },
      ],
    }
    const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } }
    expect(became('nfs.node.affinity', nodeSet({ pod: { affinity } }))).toEqual(undefined)
  })

  test('by flags that nobody knows is told by its name', () => {
    const { report, isLossy } = convert(nodeSet(), controllerDeployment({ args: ['--secret-sauce=3'] }))
    expect([isLossy, report.filter(({ kind }) => kind === 'unknown').map(({ from }) => from)]).toEqual([
      true,
      ['flags.nfs.secret-sauce'],
    ])
  })
})

test('a file of plain manifests is taken whole, whichever object comes first', () => {
  const text = yamlDocuments([csiDriver(), controllerDeployment({ replicas: 2 }), nodeSet({ kubeletDir: '/data/kubelet' })])
  const input = readValuesInput('nfs.yaml', text, 'csi-driver-nfs', replaced.plainKinds, replaced)
  const { values } = replaced.convertWorkload(input.workload ?? {}, { beside: input.beside ?? [], namespace: input.namespace })
  expect(valueAt(values, ['nfs', 'controller', 'replicas'])).toBe(2)
  expect(valueAt(values, ['capabilities', 'nfs', 'kubeletDir'])).toBe('/data/kubelet')
  expect(() => readValuesInput('x.yaml', yamlDocuments([slowClass]), 'csi-driver-nfs', replaced.plainKinds, replaced)).toThrow(
    'StorageClass',
  )
})

test('doctor says what comes of both, though upstream renews a Lease: ours does not wait for it', () => {
  const renewed = '2026-03-01T12:00:00.000000Z'
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'nfs-csi-k8s-io', namespace: 'csi-nfs' },
    spec: { holderIdentity: 'csi-nfs-controller-1', leaseDurationSeconds: 15, renewTime: renewed },
  }
  const ours = {
    namespace: 'ballast-system',
    enabled: ['nfs'],
    configurations: {},
    isConfigured: true,
    isRunning: true,
    account: 'ballast-controller',
    rights: [],
  }
  const findings = examineCluster({
    objects: [nodeSet(), controllerDeployment(), lease],
    unread: [],
    nowMs: Date.parse(renewed) + 1_000,
    ours,
  })
  const said = (id: string) =>
    findings.filter(one => one.id === id).map(({ object, message, fix }) => `${object}: ${message}: ${fix}`)
  expect(said('double-duty')).toEqual([
    expect.stringMatching(/^DaemonSet csi-nfs\/csi-nfs-node: .*two drivers of one name.*: ballast migrate plan csi-driver-nfs/),
    expect.stringMatching(
      /^Deployment csi-nfs\/csi-nfs-controller: .*both make a volume of each claim.*: ballast migrate plan csi-driver-nfs/,
    ),
  ])
  expect(said('lease-held').join()).not.toContain('waits')
})
