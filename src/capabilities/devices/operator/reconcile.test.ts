import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { DaemonSet } from './daemon-set.ts'
import type { OperatorSettings } from './operator-settings.ts'
import { type Decision, reconcilePlugin } from './reconcile.ts'
import { type PluginObject, wantedDaemonSet } from './wanted-daemon-set.ts'

const settings: OperatorSettings = {
  images: 'upstream',
  imagePullSecret: '',
  imageOverrides: {},
  namespace: 'plugins',
  ownImage: 'ballast:1',
}
const image = 'intel/intel-gpu-plugin:0.36.0'

function plugin(spec: object = { image }, over: object = {}, metadata: object = {}): PluginObject {
  const object: KubeObject = {
    apiVersion: 'deviceplugin.intel.com/v1',
    kind: 'GpuDevicePlugin',
    metadata: { name: 'igpu', uid: 'u1', ...metadata },
    spec,
    ...over,
  }
  return { device: 'gpu', object, spec }
}

function found(of: PluginObject, over: { readonly metadata?: object; readonly status?: object } = {}): DaemonSet {
  const made = wantedDaemonSet(of, settings)
  return {
    ...made,
    metadata: { ...made.metadata, uid: 'd1', resourceVersion: '7', ...over.metadata },
    status: { desiredNumberScheduled: 2, numberReady: 1, ...over.status },
  }
}

const decide = (
  of: PluginObject,
  daemonSets: readonly DaemonSet[] = [],
  over: Partial<OperatorSettings> = {},
  pods: readonly Pod[] = [],
) => reconcilePlugin(of, { daemonSets, pods, settings: { ...settings, ...over }, nowMs: 0 })

const containerIn = ({ daemonSet }: Decision) =>
  'object' in daemonSet ? daemonSet.object.spec.template.spec.containers[0] : undefined

test('from nothing: a DaemonSet of the name, place, owner and arguments that upstream gives it', () => {
  const decision = decide(plugin({ image, sharedDevNum: 5, enableMonitoring: true }))
  expect(decision.daemonSet.kind).toBe('create')
  expect('object' in decision.daemonSet ? decision.daemonSet.object.metadata : undefined).toMatchObject({
    name: 'intel-gpu-plugin-igpu',
    namespace: 'plugins',
    ownerReferences: [{ kind: 'GpuDevicePlugin', name: 'igpu', uid: 'u1', controller: true, blockOwnerDeletion: true }],
  })
  expect(containerIn(decision)?.args?.join(' ')).toBe('-v 0 -enable-monitoring -shared-dev-num 5 -allocation-policy none')
})

test('an image that is too old is written to the object, and the DaemonSet has the new one', () => {
  const decision = decide(plugin({ image: 'intel/intel-gpu-plugin:0.34.1', initImage: 'a/intel-gpu-initcontainer:0.1.0' }))
  expect(decision.images).toEqual({ image, initImage: 'a/intel-gpu-initcontainer:0.36.0' })
  expect(containerIn(decision)?.image).toBe(image)
})

test('an object without an image gets the standard one, or what an installer says of it', () => {
  expect(containerIn(decide(plugin({})))?.image).toBe(image)
  expect(containerIn(decide(plugin({}), [], { imageOverrides: { 'intel-gpu-plugin': 'mine:1' } }))?.image).toBe('mine:1')
})

describe('what is there', () => {
  test('as it is to be: nothing is written but the status', () => {
    const decision = decide(plugin(), [found(plugin())])
    expect(decision.daemonSet).toEqual({ kind: 'keep', reason: 'DaemonSet plugins/intel-gpu-plugin-igpu is as it is to be' })
    expect(decision.status).toEqual({
      controlledDaemonSet: {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        name: 'intel-gpu-plugin-igpu',
        namespace: 'plugins',
        resourceVersion: '7',
        uid: 'd1',
      },
      desiredNumberScheduled: 2,
      numberReady: 1,
    })
  })

  test('in another namespace: it is the one, and no second is made', () => {
    const elsewhere = found(plugin(), { metadata: { namespace: 'inteldeviceplugins-system' } })
    expect(decide(plugin(), [elsewhere]).daemonSet.kind).toBe('keep')
    expect(decide(plugin({ image, sharedDevNum: 3 }), [elsewhere]).daemonSet).toMatchObject({
      kind: 'update',
      differs: ['args'],
      object: { metadata: { namespace: 'inteldeviceplugins-system', resourceVersion: '7' } },
    })
  })

  test('of an object of that name before it: it goes first', () => {
    const before = found(plugin({ image }, {}, { uid: 'u0' }))
    expect(decide(plugin(), [before]).daemonSet).toMatchObject({
      kind: 'keep',
      reason: expect.stringContaining('has to go first'),
    })
  })

  test('of somebody else: it is not touched', () => {
    const other = found(plugin(), { metadata: { ownerReferences: [] } })
    expect(decide(plugin(), [other]).daemonSet).toMatchObject({
      kind: 'refuse',
      reason: expect.stringContaining('is not its own'),
    })
  })

  test('other than it is to be: everything at once, and what nobody asks for stays', () => {
    const sent = found(plugin())
    const changed = plugin({
      image: 'intel/intel-gpu-plugin:0.37.0',
      initImage: 'intel/intel-gpu-initcontainer:0.36.0',
      nodeSelector: { gpu: 'yes' },
      tolerations: [{ operator: 'Exists' }],
    })
    const injected = { name: 'proxy', image: 'proxy:1' }
    const pod = sent.spec.template.spec
    const withOthers: DaemonSet = {
      ...sent,
      spec: {
        ...sent.spec,
        template: { ...sent.spec.template, spec: { ...pod, priorityClassName: 'a', initContainers: [injected] } },
      },
    }
    const { daemonSet } = decide(changed, [withOthers])
    expect(daemonSet).toMatchObject({ kind: 'update', differs: ['image', 'initContainers', 'nodeSelector', 'tolerations'] })
    const next = 'object' in daemonSet ? daemonSet.object.spec.template.spec : undefined
    expect(next?.['priorityClassName']).toBe('a')
    expect(next?.initContainers?.map(({ name }) => name)).toEqual(['proxy', 'intel-gpu-initcontainer'])
    expect(next?.volumes?.map(({ name }) => name)).toEqual(['devfs', 'sysfsdrm', 'kubeletsockets', 'cdipath', 'nfd-sources'])
    // And back, without a volume that nobody uses.
    const back = 'object' in daemonSet ? decide(plugin(), [daemonSet.object]).daemonSet : undefined
    const last = back !== undefined && 'object' in back ? back.object.spec.template.spec : undefined
    expect(last?.initContainers).toEqual([injected])
    expect(last?.volumes).toEqual(pod.volumes)
  })

  test('frozen: it is not changed, and the reason is told', () => {
    const frozen = plugin({ image, sharedDevNum: 2 }, {}, { annotations: { 'ballast.dev/freeze': 'film night' } })
    expect(decide(frozen, [found(plugin())]).daemonSet).toMatchObject({
      kind: 'refuse',
      reason: expect.stringContaining('film night'),
    })
  })

  test('an empty list of tolerations is none: nothing is written for ever', () => {
    expect(decide(plugin({ image, tolerations: [] }), [found(plugin())]).daemonSet.kind).toBe('keep')
  })
})

test('an object that is being deleted is left alone', () => {
  const going = plugin({ image: 'intel/intel-gpu-plugin:0.1.0' }, {}, { deletionTimestamp: '2026-03-02T04:00:00Z' })
  expect(decide(going)).toMatchObject({ images: undefined, status: undefined, daemonSet: { kind: 'keep' } })
})

test('nodes of its pods are named once each, and a status that says the same is left', () => {
  const pod = (name: string, nodeName: string | undefined, owner = 'intel-gpu-plugin-igpu'): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'plugins',
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: owner, uid: 'd1', controller: true }],
    },
    spec: { containers: [], ...(nodeName === undefined ? {} : { nodeName }) },
  })
  const pods = [pod('b', 'n2'), pod('a', 'n1'), pod('c', undefined), pod('d', 'n3', 'other')]
  const { status } = decide(plugin(), [found(plugin())], {}, pods)
  expect(status?.nodeNames).toEqual(['n1', 'n2'])
  const said = plugin({ image }, { status: { ...status, nodeNames: ['n2', 'n1'] } })
  expect(decide(said, [found(plugin(), { metadata: { resourceVersion: '8' } })], {}, pods).status).toBe(undefined)
})

describe('in an image of our own', () => {
  test('the program is ours, the arguments and mounts are upstream’s, and back again nothing of ours stays', () => {
    const there = found(plugin())
    const ours = decide(plugin(), [there], { images: 'own' }).daemonSet
    expect(ours).toMatchObject({ kind: 'update', differs: ['image', 'program'] })
    const own = 'object' in ours ? ours.object : there
    expect(own.spec.template.spec.containers[0]).toMatchObject({
      image: 'ballast:1',
      args: there.spec.template.spec.containers[0]?.args,
      volumeMounts: there.spec.template.spec.containers[0]?.volumeMounts,
    })
    const back = decide(plugin(), [own]).daemonSet
    expect('object' in back ? back.object.spec : undefined).toEqual(there.spec)
  })

  test('not of devices that we do not serve, nor where the object says so', () => {
    const sgx = { ...plugin({ image: 'intel/intel-sgx-plugin:0.36.0' }), device: 'sgx' } as const
    expect(containerIn(decide(sgx, [], { images: 'own' }))?.image).toBe('intel/intel-sgx-plugin:0.36.0')
    const kept = plugin({ image }, {}, { annotations: { 'ballast.dev/keep-image': 'true' } })
    expect(containerIn(decide(kept, [], { images: 'own' }))?.image).toBe(image)
  })
})
