// Ballast's operator on the twin: objects of Intel's kinds get their DaemonSets, and say how these go.
import { expect, test } from 'vitest'
import { devices } from '#capabilities/devices'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { controlledCluster } from './controlled-cluster.ts'
import {
  argsOf,
  changeDaemonSet,
  changePlugin,
  containerOf,
  createPlugin,
  daemonSets,
  deletePlugin,
  gpuImage,
  gpuPlugin,
  operatorCluster,
  pluginIn,
  pluginNamespace,
} from './operator-cluster.ts'

const name = 'intel-gpu-plugin-igpu'
const minute = 60_000
const { signal } = new AbortController()

test('an object gets its DaemonSet, says on which nodes it runs, and takes it along', async () => {
  const spec = { image: gpuImage, sharedDevNum: 5, enableMonitoring: true }
  await using of = await controlledCluster(operatorCluster([gpuPlugin('igpu', spec)]))
  of.startController()
  await of.until(() => pluginIn(of, 'igpu')?.status?.numberReady === 2, 5 * minute)
  expect(argsOf(of, name)).toBe('-v 0 -enable-monitoring -shared-dev-num 5 -allocation-policy none')
  const { status } = pluginIn(of, 'igpu') ?? {}
  expect({ ...status, controlledDaemonSet: status?.controlledDaemonSet?.name }).toEqual({
    controlledDaemonSet: name,
    desiredNumberScheduled: 2,
    numberReady: 2,
    nodeNames: ['n1', 'n2'],
  })
  await changePlugin(of, 'igpu', { sharedDevNum: 10, nodeSelector: { 'kubernetes.io/hostname': 'n1' } })
  await of.until(() => pluginIn(of, 'igpu')?.status?.nodeNames?.join() === 'n1', 5 * minute)
  expect(argsOf(of, name)).toContain('-shared-dev-num 10')
  await of.pass(minute)
  const writes = of.writes.length
  await of.pass(30 * minute)
  expect(of.writes.slice(writes).filter(write => /daemonsets|deviceplugins/.test(write))).toEqual([])
  await deletePlugin(of, 'igpu')
  await of.until(() => daemonSets(of).length === 0, 5 * minute)
  expect([...of.forbidden, ...of.errors, ...of.warnings]).toEqual([])
})

test('an image that is too old is brought up to what is served, in the object too', async () => {
  await using of = await controlledCluster(operatorCluster([gpuPlugin('igpu', { image: 'intel/intel-gpu-plugin:0.34.1' })]))
  of.startController()
  await of.until(() => pluginIn(of, 'igpu')?.status !== undefined, 5 * minute)
  expect(pluginIn(of, 'igpu')?.spec?.image).toBe(gpuImage)
  expect(containerOf(of, name)?.image).toBe(gpuImage)
  expect(of.writes.filter(write => write.endsWith('/daemonsets'))).toHaveLength(1)
})

test('an object that nobody can read, and a DaemonSet that is in the way, hold up no other', async () => {
  const inTheWay: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'intel-gpu-plugin-taken', namespace: pluginNamespace },
    spec: {
      selector: { matchLabels: { app: 'other' } },
      template: { metadata: { labels: { app: 'other' } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
    },
  }
  const objects = [
    inTheWay,
    gpuPlugin('taken'),
    gpuPlugin('bad', { image: gpuImage, nodeSelector: { 'not a label': '!' } }),
    gpuPlugin('igpu'),
  ]
  await using of = await controlledCluster(operatorCluster(objects))
  of.startController()
  await of.until(() => pluginIn(of, 'igpu')?.status?.numberReady === 2, 5 * minute)
  expect(
    daemonSets(of)
      .map(({ metadata }) => metadata.name)
      .sort(),
  ).toEqual(['intel-gpu-plugin-igpu', 'intel-gpu-plugin-taken'])
  expect(containerOf(of, 'intel-gpu-plugin-taken')?.image).toBe('a')
  await of.pass(5 * minute)
  const told = of.warnings.map(({ facts, message }) => `${message}: ${JSON.stringify(facts)}`).join('\n')
  expect(told).toContain('gpu/taken')
  expect(told).toContain('a DaemonSet ballast-agent/intel-gpu-plugin-taken is there that is not its own')
  expect(told).toContain('gpu/bad')
  expect((await of.events()).filter(event => event.includes('NotServed')).length).toBe(2)
  // A person takes it out of the way.
  await of.admin.resource<KubeObject>(builtIn.daemonsets).delete('intel-gpu-plugin-taken', { namespace: pluginNamespace, signal })
  await of.until(() => containerOf(of, 'intel-gpu-plugin-taken')?.image === gpuImage, 5 * minute)
})

test('changes of others to the DaemonSet stay, and none is lost while two write it', async () => {
  await using of = await controlledCluster(operatorCluster([gpuPlugin('igpu')]))
  of.startController()
  await of.until(() => pluginIn(of, 'igpu')?.status?.numberReady === 2, 5 * minute)
  let isDone = false
  of.meanwhile = async write => {
    if (isDone || !write.startsWith('PUT') || !write.endsWith(`/daemonsets/${name}`)) return
    isDone = true
    // Somebody else is a moment faster.
    await changeDaemonSet(of, name, { metadata: { labels: { team: 'media' } } })
  }
  await changePlugin(of, 'igpu', { sharedDevNum: 7 })
  await of.until(() => argsOf(of, name).includes('-shared-dev-num 7'), 5 * minute)
  expect(isDone).toBe(true)
  expect(daemonSets(of)[0]?.metadata.labels).toEqual({ app: 'intel-gpu-plugin', team: 'media' })
  // The image that the object decides is brought back, what it does not decide stays.
  await changeDaemonSet(of, name, {
    spec: {
      template: {
        spec: { priorityClassName: 'system-node-critical', containers: [{ name: 'intel-gpu-plugin', image: 'other:1' }] },
      },
    },
  })
  await of.until(() => containerOf(of, name)?.image === gpuImage, 5 * minute)
  expect(daemonSets(of)[0]?.spec.template.spec['priorityClassName']).toBe('system-node-critical')
  expect([...of.forbidden, ...of.errors, ...of.warnings]).toEqual([])
})

test('served by Ballast, unless the object keeps its image', async () => {
  const objects = [
    gpuPlugin('igpu', { sharedDevNum: 3 }),
    gpuPlugin('kept', { image: gpuImage }, { 'ballast.dev/keep-image': 'true' }),
  ]
  await using of = await controlledCluster(operatorCluster(objects, { images: 'own', ownImage: 'registry.example/ballast:1' }))
  of.startController()
  await of.until(() => ['igpu', 'kept'].every(one => pluginIn(of, one)?.status !== undefined), 5 * minute)
  const { image, args, env = [], resources } = containerOf(of, name) ?? {}
  expect([image, args?.join(' '), env.map(one => one.name), resources?.limits]).toEqual([
    'registry.example/ballast:1',
    '-v 0 -shared-dev-num 3 -allocation-policy none',
    ['NODE_NAME', 'HOST_IP', 'BALLAST_INTEL_GPU_PLUGIN'],
    { memory: '192Mi' },
  ])
  expect(containerOf(of, 'intel-gpu-plugin-kept')?.image).toBe(gpuImage)
  // A person goes back for one of them.
  await of.change(
    { group: 'deviceplugin.intel.com', version: 'v1', resource: 'gpudeviceplugins' },
    { name: 'igpu' },
    { metadata: { annotations: { 'ballast.dev/keep-image': 'true' } } },
  )
  await of.until(() => containerOf(of, name)?.image === gpuImage, 5 * minute)
  const back = containerOf(of, name)
  expect([back?.env?.map(one => one.name), back?.resources?.limits]).toEqual([
    ['NODE_NAME', 'HOST_IP'],
    { cpu: '100m', memory: '90Mi' },
  ])
})

test('nothing is looked at while the operator is off', async () => {
  await using of = await controlledCluster(operatorCluster([gpuPlugin('igpu')], { enabled: false }))
  of.startController()
  await of.pass(5 * minute)
  expect(daemonSets(of)).toEqual([])
  expect(of.reads.filter(read => read.includes('deviceplugin'))).toEqual([])
  expect([...of.forbidden, ...of.errors, ...of.warnings]).toEqual([])
})

test('an object that is deleted and made anew waits until the DaemonSet before it is gone', async () => {
  await using of = await controlledCluster(operatorCluster([gpuPlugin('igpu')]))
  of.startController()
  await of.until(() => pluginIn(of, 'igpu')?.status?.numberReady === 2, 5 * minute)
  const before = daemonSets(of)[0]?.metadata.uid
  await deletePlugin(of, 'igpu')
  await createPlugin(of, gpuPlugin('igpu', { image: gpuImage, sharedDevNum: 2 }))
  await of.until(() => argsOf(of, name).includes('-shared-dev-num 2') && pluginIn(of, 'igpu')?.status !== undefined, 5 * minute)
  expect(daemonSets(of)).toHaveLength(1)
  expect(daemonSets(of)[0]?.metadata.uid).not.toBe(before)
})

test('a DaemonSet that upstream made in another namespace is the one: its object says how it goes, and a change that is not allowed is told', async () => {
  await using of = await controlledCluster(operatorCluster([gpuPlugin('igpu')]))
  const labels = { app: 'intel-gpu-plugin' }
  const uid = pluginIn(of, 'igpu')?.metadata.uid ?? ''
  const owner = { apiVersion: 'deviceplugin.intel.com/v1', kind: 'GpuDevicePlugin', name: 'igpu', uid, controller: true }
  const args = ['-v', '0', '-shared-dev-num', '1', '-allocation-policy', 'none']
  const theirs: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, labels, ownerReferences: [owner] },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [{ name: 'intel-gpu-plugin', image: gpuImage, args }],
          nodeSelector: { 'kubernetes.io/arch': 'amd64' },
        },
      },
    },
  }
  await of.admin.resource<KubeObject>(builtIn.daemonsets).create(theirs, { namespace: 'kube-system', signal })
  of.startController()
  await of.until(() => pluginIn(of, 'igpu')?.status?.numberReady === 2, 5 * minute)
  expect([of.forbidden, of.warnings]).toEqual([[], []])
  await changePlugin(of, 'igpu', { sharedDevNum: 2 })
  await of.until(() => of.forbidden.length > 0, 5 * minute)
  await of.pass(minute)
  expect(daemonSets(of)).toHaveLength(1)
  expect((await of.events()).filter(event => event.includes('NotServed'))).toHaveLength(1)
})

test('an object whose devices the agents offer too is told of it', async () => {
  const { configurations: _, ...cluster } = operatorCluster([gpuPlugin('igpu')])
  const both = { devices: devices.config.parse({ operator: { enabled: true } }) }
  await using of = await controlledCluster({ ...cluster, configurations: both })
  of.startController()
  await of.until(() => pluginIn(of, 'igpu')?.status?.numberReady === 2, 5 * minute)
  expect((await of.events()).filter(event => event.includes('OfferedTwice GpuDevicePlugin igpu'))).toHaveLength(1)
})
