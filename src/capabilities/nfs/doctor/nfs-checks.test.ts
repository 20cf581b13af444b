import { describe, expect, test } from 'vitest'
import type { ClusterFacts } from '#doctor/facts.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { nfsFindings } from './nfs-checks.ts'

const facts = (objects: readonly KubeObject[], section: object | 'off'): ClusterFacts => ({
  objects,
  unread: [],
  nowMs: 0,
  ours: {
    namespace: 'ballast-system',
    enabled: section === 'off' ? [] : ['nfs'],
    configurations: section === 'off' ? {} : { nfs: section },
    isConfigured: true,
    isRunning: true,
    account: 'ballast-controller',
    rights: [],
  },
})

const found = (objects: readonly KubeObject[], section: object | 'off' = {}) =>
  (nfsFindings.cluster?.(facts(objects, section)) ?? []).map(({ id, object, fix }) => `${id}: ${object}: ${fix}`)

interface Made {
  readonly image?: string
  readonly args?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  readonly pod?: object
  readonly replicas?: number
}

const workload = (
  kind: string,
  name: string,
  { image = 'x/nfsplugin:v4', args = [], labels = {}, pod = {}, replicas }: Made = {},
) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, namespace: 'storage', labels },
  spec: {
    ...(replicas === undefined ? {} : { replicas }),
    template: { spec: { containers: [{ name: 'nfs', image, args }], ...pod } },
  },
})
const own = (pod: object = {}) =>
  workload('DaemonSet', 'ballast-agent-nfs', {
    image: 'ballast:1',
    labels: { 'app.kubernetes.io/part-of': 'ballast', 'app.kubernetes.io/component': 'agent-nfs' },
    pod,
  })
const theirs = (name: string, driver?: string, pod: object = {}) =>
  workload('DaemonSet', name, { args: driver === undefined ? [] : [`--drivername=${driver}`], pod })
const definition = {
  apiVersion: 'v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'volumesnapshots.snapshot.storage.k8s.io' },
}
const snapshotController = (replicas = 1) =>
  workload('Deployment', 'snapshot-controller', { image: 'k8s/snapshot-controller:v8', replicas })
const settled = [definition, snapshotController()]

describe('two drivers on a node', () => {
  const plan = 'ballast migrate plan csi-driver-nfs'
  const swap = { nodeSelector: { 'ballast.dev/nfs-swap': 'ballast' } }
  const asleep = { nodeSelector: { 'ballast.dev/asleep': 'true' } }
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], object, readonly string[]]>([
    ['ours alone',                        [own()],                                              {}, []],
    ['ours beside upstream',              [own(), theirs('csi-nfs-node')],                      {}, [`nfs-driver-twice: DaemonSet storage/csi-nfs-node: ${plan}`]],
    ['upstream beside ours',              [theirs('csi-nfs-node', 'nfs.csi.k8s.io'), own()],    {}, [`nfs-driver-twice: DaemonSet storage/ballast-agent-nfs: ${plan}`]],
    ['upstream twice',                    [theirs('a'), theirs('b')],                           {}, ['nfs-driver-twice: DaemonSet storage/b: take one of them away; volumes stay mounted']],
    ['another name',                      [own(), theirs('other', 'nas.example')],              {}, []],
    ['ours by another name',              [own(), theirs('csi-nfs-node')],                      { driverName: 'nas.example' }, []],
    ['both in the midst of a swap',       [own(swap), theirs('csi-nfs-node', undefined, swap)], {}, []],
    ['one that sleeps',                   [own(), theirs('csi-nfs-node', undefined, asleep)],   {}, []],
  ])('%s', (_name, objects, section, expected) => expect(found([...settled, ...objects], section)).toEqual(expected))

  test('is told where ours is not installed, too', () => expect(found([theirs('a'), theirs('b')], 'off')).toHaveLength(1))
})

describe('the folder of kubelets', () => {
  const node = (version: string) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    status: { nodeInfo: { kubeletVersion: version } },
  })
  const other = (path: string) =>
    workload('DaemonSet', 'longhorn-csi', { image: 'x/csi:1', pod: { volumes: [{ name: 'r', hostPath: { path } }] } })
  // biome-ignore format: a table
  test.each<[string, KubeObject, object | 'off', readonly string[]]>([
    ['as it mostly is',                       node('v1.36.1'),                                {},                                         []],
    ['of k0s',                                node('v1.36.1+k0s'),                            {},                                         ['nfs-kubelet-folder: Node n1: capabilities.nfs.kubeletDir: /var/lib/k0s/kubelet']],
    ['of k0s, which is said',                 node('v1.36.1+k0s'),                            { kubeletDir: '/var/lib/k0s/kubelet/' },     []],
    ['where another driver registers',        other('/var/snap/microk8s/common/var/lib/kubelet/plugins_registry'), {},                    ['nfs-kubelet-folder: DaemonSet storage/longhorn-csi: capabilities.nfs.kubeletDir: /var/snap/microk8s/common/var/lib/kubelet']],
    ['where another driver registers, too',   other('/var/lib/kubelet/plugins_registry/'),    {},                                         []],
    ['of no interest while it is off',        node('v1.36.1+k0s'),                            'off',                                      []],
  ])('%s', (_name, object, section, expected) =>
    expect(found([...settled, object], section)).toEqual(expected),
  )
})

describe('snapshots', () => {
  const [id, missing] = ['nfs-snapshot-controller', 'nfs-snapshot-kinds-missing']
  const on = { controller: { snapshots: { controller: true } } }
  const off = { controller: { snapshots: { enabled: false } } }
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], object, readonly string[]]>([
    ['their kinds are missing',              [],                                 {},  [missing]],
    ['nobody wants them',                    [],                                 off, []],
    ['no controller of them',                [definition],                       {},  [id]],
    ['a controller that sleeps',             [definition, snapshotController(0)], {}, [id]],
    ['the cluster has a controller',         settled,                            {},  []],
    ['ours is the controller',               [definition],                       on,  []],
    ['two controllers',                      settled,                            on,  [id]],
  ])('%s', (_name, objects, section, expected) =>
    expect(found(objects, section).map(text => text.split(':')[0])).toEqual(expected),
  )
})
