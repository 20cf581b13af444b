// What nobody would look after any more: taints of rules on nodes, and finalizers on objects that are kept. Uninstalling takes them off.
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin } from '#twin/twin.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { hookTrees } from '../src/deployment/objects/hook-objects.ts'
import { objects } from '../src/deployment/objects.ts'
import { remove } from '../src/deployment/removal/removal.ts'
import { removalRules } from '../src/deployment/removal/removal-rights.ts'
import { enabledCapabilities as capabilities } from '../src/process/enabled-capabilities.ts'

const signal = new AbortController().signal
const held = { key: 'readiness.k8s.io/network', effect: 'NoSchedule' } as const
const linux = { 'kubernetes.io/os': 'linux' }

const node = (name: string, labels: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels },
  spec: { taints: [held, { key: 'dedicated', value: 'gpu', effect: 'NoSchedule' }] },
})

const rule: KubeObject = {
  apiVersion: 'readiness.node.x-k8s.io/v1alpha1',
  kind: 'NodeReadinessRule',
  metadata: { name: 'network', finalizers: ['readiness.node.x-k8s.io/cleanup-taints', 'example.net/mine'] },
  spec: {
    conditions: [{ type: 'cniplugin.example.net/NetworkReady', requiredStatus: 'True' }],
    enforcementMode: 'bootstrap-only',
    taint: held,
    nodeSelector: { matchLabels: linux },
  },
}
const scaled: KubeObject = {
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name: 'worker', namespace: 'default', finalizers: ['finalizer.keda.sh'] },
  spec: { scaleTargetRef: { name: 'worker' }, triggers: [{ type: 'cron', metadata: {} }] },
}

test.each([false, true])('dry run %s', async dryRun => {
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const values = installationValues({ enable: ['autoscale', 'readiness'] }, capabilities)
  const kinds = objects(values, { capabilities, release: plainRelease('ballast', 'ballast-system') }).filter(
    ({ kind }) => kind === 'CustomResourceDefinition',
  )
  const twin = await startTwin({
    clock,
    seed: 1,
    objects: [...kinds, node('n1', linux), node('n2', {}), rule, scaled],
  })
  try {
    const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
    const asked = { api, clock, capabilities, namespace: 'ballast-system', release: 'ballast', signal }
    const { done, left } = await remove({ ...asked, keep: new Set(['crds']), dryRun })
    expect(left).toEqual([])
    expect(done).toEqual([
      'take taint readiness.k8s.io/network off Node n1: nobody looks after NodeReadinessRules any more',
      'take finalizer finalizer.keda.sh off ScaledObject default/worker',
      'take finalizer readiness.node.x-k8s.io/cleanup-taints off NodeReadinessRule network',
    ])
    const keysOn = (name: string) => (twin.access.get('nodes', undefined, name) as Node).spec?.taints?.map(({ key }) => key)
    // A node that the rule does not speak of, and what others have set, stay as they are.
    expect([keysOn('n1'), keysOn('n2')]).toEqual([dryRun ? [held.key, 'dedicated'] : ['dedicated'], [held.key, 'dedicated']])
    const finalizers = (resource: string, namespace: string | undefined, name: string) =>
      twin.access.get(resource, namespace, name)?.metadata.finalizers ?? []
    expect(finalizers('nodereadinessrules.readiness.node.x-k8s.io', undefined, 'network')).toEqual([
      ...(dryRun ? ['readiness.node.x-k8s.io/cleanup-taints'] : []),
      'example.net/mine',
    ])
    if (dryRun) return
    // With it on them the kind could never go.
    const scaledKind = 'scaledobjects.keda.sh'
    await api.resource(builtIn.customresourcedefinitions).delete(scaledKind, { signal })
    await clock.advance(60_000)
    expect(twin.access.get('customresourcedefinitions.apiextensions.k8s.io', undefined, scaledKind)).toBeUndefined()
  } finally {
    await twin.stop()
  }
})

test('what says that a rule is done with a node goes as far as we wrote it', async () => {
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const twin = await startTwin({ clock, seed: 1, objects: [node('n1', linux)] })
  try {
    const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
    const done = (rule: string) => `readiness.k8s.io/bootstrap-completed-${rule}`
    const note = async (fieldManager: string, key: string) => {
      const body = { metadata: { annotations: { [key]: '{}' } } }
      await api.resource(builtIn.nodes).patch('n1', { type: 'merge', body }, { signal, fieldManager })
    }
    await note('ballast-readiness', done('ours'))
    await note('node-readiness-controller', done('theirs'))
    await note('ballast-readiness', 'example.net/other')
    const asked = { api, clock, capabilities, namespace: 'ballast-system', release: 'ballast', signal, dryRun: false }
    const noted = () => Object.keys(twin.access.get('nodes', undefined, 'n1')?.metadata.annotations ?? {}).sort()
    const kept = await remove({ ...asked, keep: new Set(['crds', 'labels']) })
    expect([kept.done, noted()]).toEqual([[], ['example.net/other', done('ours'), done('theirs')]])
    expect((await remove({ ...asked, keep: new Set(['crds']) })).done).toEqual([`take annotation ${done('ours')} off Node n1`])
    expect(noted()).toEqual(['example.net/other', done('theirs')])
  } finally {
    await twin.stop()
  }
})

test('each kind of object that an installation has goes with it, but for the CSIDriver', async () => {
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const preset = { namespace: { create: true }, apiserver: { enabled: true }, networkPolicy: { enabled: true } }
  const values = installationValues({ preset, enable: capabilities.map(({ name }) => name) }, capabilities)
  // What runs pods is waited for: other tests do.
  const made = objects(values, { capabilities, release: plainRelease('ballast', 'ballast-system') }).filter(
    ({ kind }) => !/^(CustomResourceDefinition|Deployment|DaemonSet)$/.test(kind),
  )
  const twin = await startTwin({ clock, seed: 1, objects: made })
  try {
    const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
    const asked = { api, clock, capabilities, namespace: 'ballast-system', release: 'ballast', signal }
    const { left } = await remove({ ...asked, keep: new Set(['crds']), dryRun: false })
    await clock.advance(60_000)
    const stay = twin.access
      .resources()
      .flatMap(resource => twin.access.list(resource))
      .filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/part-of'] === 'ballast')
    expect([left, stay.map(({ kind, metadata }) => `${kind} ${metadata.name}`)]).toEqual([[], ['CSIDriver nfs.csi.k8s.io']])
  } finally {
    await twin.stop()
  }
})

test('the hook of the chart may take them off', () => {
  const rules = removalRules(capabilities) as readonly Readonly<Record<'apiGroups' | 'resources' | 'verbs', readonly string[]>>[]
  const may = (group: string, resource: string) =>
    rules.some(
      ({ apiGroups, resources, verbs }) =>
        apiGroups.includes(group) && resources.includes(resource) && verbs.includes('patch') && verbs.includes('get'),
    )
  expect([
    may('keda.sh', 'scaledobjects'),
    may('readiness.node.x-k8s.io', 'nodereadinessrules'),
    may('http.keda.sh', 'httpscaledobjects'),
  ]).toEqual([true, true, true])
})

test('the hook of the chart may wake what is held at zero, of kinds of the user too', () => {
  const rights = JSON.stringify(hookTrees(capabilities))
  for (const resource of ['deployments/scale', 'replicasets/scale', 'statefulsets/scale', 'rollouts/scale'])
    expect(rights).toContain(JSON.stringify(resource))
  expect(rights).toContain('capabilities.autoscale.scaleKinds')
})
