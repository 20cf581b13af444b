import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Asked, installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { at, listAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'

const release = plainRelease('ballast', 'ballast-system')
const made = (...set: readonly string[]) => all({ enable: ['nfs'], set })
const all = (asked: Asked) => objects(installationValues(asked, capabilities), { capabilities, release })
const components = ['agent-nfs', 'nfs-controller']
const isOwn = ({ metadata }: KubeObject) => components.includes(metadata.labels?.['app.kubernetes.io/component'] ?? '')
const isRight = ({ kind }: KubeObject) => /Role(Binding)?$/.test(kind)
const keys = (list: readonly KubeObject[]) =>
  list
    .filter(object => isOwn(object) && !isRight(object))
    .map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`)

function one(list: readonly KubeObject[], kind: string): KubeObject {
  const found = list.find(object => object.kind === kind && isOwn(object))
  if (found === undefined) throw new Error(`there is no ${kind}`)
  return found
}

const podOf = (list: readonly KubeObject[], kind: 'DaemonSet' | 'Deployment') => at(templateOf(one(list, kind)), 'spec')
const containerOf = (list: readonly KubeObject[], kind: 'DaemonSet' | 'Deployment') => listAt(podOf(list, kind), 'containers')[0]
const mountsOf = (list: readonly KubeObject[], kind: 'DaemonSet' | 'Deployment') =>
  listAt(containerOf(list, kind), 'volumeMounts').map(mount => textAt(mount, 'mountPath') ?? '')

test('nothing of it is there unless somebody enables it', () => expect(keys(all({}))).toEqual([]))

test('a DaemonSet, a Deployment, an account each, and what the cluster is told of the driver', () => {
  expect(keys(made())).toEqual([
    'ServiceAccount ballast-agent/ballast-agent-nfs',
    'ServiceAccount ballast-agent/ballast-nfs-controller',
    'CSIDriver /nfs.csi.k8s.io',
    'DaemonSet ballast-agent/ballast-agent-nfs',
    'Deployment ballast-agent/ballast-nfs-controller',
  ])
  expect(podOf(made(), 'DaemonSet')).toMatchObject({ serviceAccountName: 'ballast-agent-nfs' })
  expect(podOf(made(), 'Deployment')).toMatchObject({ serviceAccountName: 'ballast-nfs-controller' })
  const [namespace] = made().filter(({ kind, metadata }) => kind === 'Namespace' && metadata.name === 'ballast-agent')
  expect(namespace?.metadata.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'privileged' })
})

describe('on nodes', () => {
  // biome-ignore format: a table
  test.each([
    ['/var/lib/kubelet', []],
    ['/var/lib/k0s/kubelet', ['capabilities.nfs.kubeletDir=/var/lib/k0s/kubelet']],
  ])('it has of %s what a driver needs, at the same places', (folder, set) => {
    const pod = podOf(made(...set), 'DaemonSet')
    const paths = listAt(pod, 'volumes').flatMap(volume => {
      const path = textAt(volume, 'hostPath', 'path')
      return path === undefined ? [] : [`${path} ${textAt(volume, 'hostPath', 'type')}`]
    })
    expect(paths).toEqual([
      `${folder}/plugins/csi-nfsplugin DirectoryOrCreate`,
      `${folder}/plugins_registry Directory`,
      `${folder}/pods Directory`,
    ])
    const mounts = listAt(containerOf(made(...set), 'DaemonSet'), 'volumeMounts')
    expect(mounts).toContainEqual({ name: 'pods', mountPath: `${folder}/pods`, mountPropagation: 'Bidirectional' })
    for (const path of paths) expect(mounts.map(mount => textAt(mount, 'mountPath'))).toContain(path.split(' ')[0])
  })

  test('it has the place of volumes that are mounted once a node only where they are', () => {
    const staged = '/var/lib/kubelet/plugins/kubernetes.io/csi'
    expect(mountsOf(made(), 'DaemonSet')).not.toContain(staged)
    const wanted = made('capabilities.nfs.node.stage=true')
    expect(listAt(containerOf(wanted, 'DaemonSet'), 'volumeMounts')).toContainEqual({
      name: 'staged',
      mountPath: staged,
      mountPropagation: 'Bidirectional',
    })
    expect(listAt(podOf(wanted, 'DaemonSet'), 'volumes')).toContainEqual({
      name: 'staged',
      hostPath: { path: staged, type: 'DirectoryOrCreate' },
    })
    expect(mountsOf(wanted, 'Deployment')).not.toContain(staged)
  })

  test('it may mount, is on every node, and is not renewed beside itself', () => {
    expect(podOf(made(), 'DaemonSet')).toMatchObject({
      hostNetwork: true,
      dnsPolicy: 'ClusterFirstWithHostNet',
      tolerations: [{ operator: 'Exists' }],
      priorityClassName: 'system-node-critical',
    })
    expect(containerOf(made(), 'DaemonSet')).toMatchObject({
      securityContext: { privileged: true, readOnlyRootFilesystem: true, runAsUser: 0 },
    })
    expect(at(one(made(), 'DaemonSet'), 'spec', 'updateStrategy')).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: 1 },
    })
  })

  test('it may tell what happens, and nothing else: what it needs the kubelet tells it', () => {
    const roles = made().filter(({ kind, metadata }) => /Role$/.test(kind) && metadata.name.startsWith('ballast-agent-nfs'))
    const rules = roles.flatMap(role => listAt(role, 'rules'))
    expect(rules.flatMap(rule => listAt(rule, 'resources'))).toEqual(['events'])
    expect(rules.flatMap(rule => listAt(rule, 'verbs'))).toEqual(['create', 'patch'])
  })

  test("it mounts with the node's own options where that is asked for, and cannot change them", () => {
    expect(mountsOf(made(), 'DaemonSet').filter(path => path.startsWith('/etc/nfs'))).toEqual([])
    const list = made('nfs.node.propagateHostMountOptions=true')
    expect(listAt(containerOf(list, 'DaemonSet'), 'volumeMounts')).toEqual(
      expect.arrayContaining([
        { name: 'mount-options', mountPath: '/etc/nfsmount.conf', readOnly: true },
        { name: 'more-mount-options', mountPath: '/etc/nfsmount.conf.d', readOnly: true },
      ]),
    )
  })
})

// biome-ignore format: a table
test.each([
  ['DaemonSet',  'nfs',            'nfs.node',       29_653, 29_998],
  ['Deployment', 'nfs-controller', 'nfs.controller', 29_652, 29_994],
] as const)('%s: probes ask this node alone, Prometheus asks another port', (kind, role, block, health, metrics) => {
  const asked = (list: readonly KubeObject[]) => listAt(containerOf(list, kind), 'args').map(String)
  expect(asked(made())).toEqual([
    'agent',
    `--role=${role}`,
    '--config=/etc/ballast/config.yaml',
    `--health-probe-bind-address=127.0.0.1:${health}`,
    `--metrics-bind-address=:${metrics}`,
  ])
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
    expect(at(containerOf(made(), kind), probe, 'httpGet')).toMatchObject({ host: '127.0.0.1', port: health })
  const other = made(`${block}.healthPort=9808`, `${block}.metricsPort=9809`)
  expect(asked(other).slice(3)).toEqual(['--health-probe-bind-address=127.0.0.1:9808', '--metrics-bind-address=:9809'])
  expect(at(containerOf(other, kind), 'livenessProbe', 'httpGet', 'port')).toBe(9808)
})

describe('the controller', () => {
  test('may what its jobs do, of Secrets only get one, and elects in the namespace of its pod', () => {
    const roles = made().filter(({ kind, metadata }) => /Role$/.test(kind) && metadata.name.startsWith('ballast-nfs-controller'))
    const said = roles.flatMap(({ kind, metadata, ...role }) =>
      listAt(role, 'rules').map(rule => {
        const words = (key: string) => listAt(rule, key).join()
        return `${metadata.namespace ?? kind}: ${words('verbs')} ${words('resources')}`
      }),
    )
    expect(said).toEqual(
      expect.arrayContaining([
        'ClusterRole: create,delete,get,list,patch,watch persistentvolumes',
        'ClusterRole: get,list,patch,watch persistentvolumeclaims',
        'ballast-agent: create,get,update leases',
      ]),
    )
    expect(said.filter(line => line.endsWith('secrets'))).toEqual(['ClusterRole: get secrets'])
    expect(said.filter(line => /pods|nodes|configmaps/.test(line))).toEqual([])
  })

  // biome-ignore format: a table
  test.each([
    ['/tmp',         ['/etc/ballast', '/var/run/secrets/kubernetes.io/serviceaccount', '/run', '/csi', '/tmp']],
    ['/mnt/shares',  ['/etc/ballast', '/var/run/secrets/kubernetes.io/serviceaccount', '/run', '/tmp', '/csi', '/mnt/shares']],
  ])('mounts shares at %s, and has nothing of its node', (folder, paths) => {
    const list = made(`capabilities.nfs.controller.workingMountDir=${folder}`)
    expect(mountsOf(list, 'Deployment')).toEqual(paths)
    expect(listAt(podOf(list, 'Deployment'), 'volumes').flatMap(volume => at(volume, 'hostPath') ?? [])).toEqual([])
  })

  test('is one, which ends before the next begins', () =>
    expect(one(made(), 'Deployment')['spec']).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } }))

  const nodes = (list: readonly KubeObject[]) => at(podOf(list, 'Deployment'), 'affinity', 'nodeAffinity')
  const terms = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [] }] } }
  const own = { preset: { nfs: { controller: { runOnControlPlane: true, affinity: { nodeAffinity: terms } } } }, enable: ['nfs'] }
  // biome-ignore format: a table
  test.each([
    ['anywhere by default',                 made(),                                            undefined],
    ['on the control plane',                made('nfs.controller.runOnControlPlane=true'),     'node-role.kubernetes.io/control-plane'],
    ['where an affinity says, that first',  all(own),                                          ''],
  ])('is %s', (_name, list, key) => {
    const found = listAt(nodes(list), 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms')
    expect(found.map(term => textAt(listAt(term, 'matchExpressions')[0], 'key') ?? '')).toEqual(key === undefined ? [] : [key])
    expect(at(podOf(list, 'Deployment'), 'affinity', 'podAntiAffinity') === undefined).toBe(key === '')
  })
})

describe('the CSIDriver', () => {
  const specOf = (...set: readonly string[]) => one(made(...set), 'CSIDriver')['spec']

  // biome-ignore format: a table
  test.each([
    ['as upstream’s chart has it',      [],                                                    { attachRequired: false, volumeLifecycleModes: ['Persistent'], fsGroupPolicy: 'File' }],
    ['with volumes of pods themselves', ['nfs.csiDriver.inlineVolumes=true'],                  { attachRequired: false, volumeLifecycleModes: ['Persistent', 'Ephemeral'], fsGroupPolicy: 'File' }],
    ['without fsGroup',                 ['nfs.csiDriver.fsGroupPolicy=None'],                  { attachRequired: false, volumeLifecycleModes: ['Persistent'], fsGroupPolicy: 'None' }],
  ] as const)('is %s', (_name, set, spec) => expect(specOf(...set)).toEqual(spec))

  test('has the name of the driver, and outlives the release', () => {
    const { metadata } = one(made('capabilities.nfs.driverName=nas.example'), 'CSIDriver')
    expect(metadata).toMatchObject({ name: 'nas.example', annotations: { 'helm.sh/resource-policy': 'keep' } })
    expect(keys(made('nfs.csiDriver.create=false')).filter(key => key.startsWith('CSIDriver'))).toEqual([])
  })

  test('comes before those who need it', () => {
    const order = made().map(({ kind }) => kind)
    expect(order.indexOf('CSIDriver')).toBeLessThan(order.indexOf('DaemonSet'))
  })
})

test('Prometheus finds both in the namespace of the agents', () => {
  const list = made('metrics.serviceMonitor.enabled=true', 'metrics.podMonitor.enabled=true')
  const ofMonitor = ({ metadata, spec }: KubeObject) => [
    metadata.name,
    at(spec, 'namespaceSelector', 'matchNames'),
    at(listAt(spec, 'podMetricsEndpoints')[0] ?? listAt(spec, 'endpoints')[0], 'portNumber') ?? 'metrics',
  ]
  const monitors = list.filter(object => object.kind.endsWith('Monitor') && isOwn(object))
  expect(monitors.map(ofMonitor)).toEqual([
    ['ballast-agent-nfs', ['ballast-agent'], 29_998],
    ['ballast-nfs-controller', ['ballast-agent'], 29_994],
    ['ballast-agent-nfs', ['ballast-agent'], 'metrics'],
    ['ballast-nfs-controller', ['ballast-agent'], 'metrics'],
  ])
  expect(keys(list).filter(key => key.startsWith('Service '))).toHaveLength(2)
})

// biome-ignore format: a table
test.each([
  ['a working folder that is the pod’s',   'capabilities.nfs.controller.workingMountDir=/run',        'values: capabilities.nfs.controller.workingMountDir: found "/run", expected a folder that the pod has not already'],
  ['the root as working folder',           'capabilities.nfs.controller.workingMountDir=/',           'found "/", expected a folder that the pod has not already'],
  ['a detour to a folder',                 'capabilities.nfs.controller.workingMountDir=/tmp/../run', 'expected a folder that the pod has not already'],
  ['a folder with a stroke at its end',    'capabilities.nfs.controller.workingMountDir=/tmp/',       'expected the path without detours: "/tmp"'],
  ['two drivers on a node',                'nfs.node.updateStrategy.rollingUpdate.maxSurge=1',        'values: nfs.node.updateStrategy.rollingUpdate.maxSurge: found "1", expected 0, and maxUnavailable instead'],
  ['two drivers on some nodes',            'nfs.node.updateStrategy.rollingUpdate.maxSurge=10%',      'two drivers of one node would take one socket'],
  ['a policy of fsGroup that is none',     'nfs.csiDriver.fsGroupPolicy=Files',                       'fsGroupPolicy'],
])('%s is refused by its place', (_name, set, why) => expect(() => made(set)).toThrow(why))

test('no surge at all is not refused', () =>
  expect(keys(made('nfs.node.updateStrategy.rollingUpdate.maxSurge=0%'))).toHaveLength(5))

test('chart and Kustomize have the same', () => {
  const generated = (path: string) => readFileSync(join(import.meta.dirname, '../../../../deploy', path), 'utf8')
  const template = generated('chart/templates/agents/nfs.yaml')
  for (const kind of ['CSIDriver', 'DaemonSet', 'Deployment', 'Service']) expect(template).toContain(`kind: ${kind}\n`)
  const agents = generated('kustomize/components/nfs/agents.yaml')
  for (const name of ['ballast-agent-nfs', 'ballast-nfs-controller', 'nfs.csi.k8s.io'])
    expect(agents).toContain(`name: ${name}\n`)
  expect(generated('kustomize/base/install.yaml')).not.toContain('name: ballast-nfs-controller\n')
})

// biome-ignore format: a table
test.each<[name: string, set: readonly string[], attachRequired: boolean]>([
  ['as upstream has it', [],                                          false],
  ['where it holds volumes to nodes', ['capabilities.nfs.controller.attach=true'], true],
])('the cluster is told whether volumes are attached, and who attaches may do so: %s', (_, set, attachRequired) => {
  const list = made(...set)
  expect(at(one(list, 'CSIDriver'), 'spec')).toMatchObject({ attachRequired })
  const rights = list.filter(object => isOwn(object) && object.kind === 'ClusterRole').map(object => JSON.stringify(object))
  expect(rights.some(text => text.includes('volumeattachments/status'))).toBe(attachRequired)
})
