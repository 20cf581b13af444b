// Garbage collection and namespaces: what goes with its owner, before it, or stays.
import { podSpec, workload } from './manifests.ts'
import type { Loose, Scenario, ScenarioRun } from './scenario.ts'

const kinds = ['Deployment', 'ReplicaSet', 'Pod', 'ConfigMap'] as const

async function uidOf(run: ScenarioRun, kind: 'ConfigMap' | 'Namespace', name: string): Promise<string> {
  const object = (await run.want('GET', run.path(kind, name))) as { readonly metadata: { readonly uid: string } }
  return object.metadata.uid
}

function owner(name: string, uid: string, more: Loose = {}): Loose {
  return { apiVersion: 'v1', kind: 'ConfigMap', name, uid, ...more }
}

async function owned(run: ScenarioRun, name: string, owners: readonly Loose[], more: Loose = {}): Promise<void> {
  await run.create('ConfigMap', { metadata: { name, ownerReferences: owners, ...more } })
}

async function deletedDeployment(run: ScenarioRun, propagationPolicy: string): Promise<void> {
  await run.step('created', () => run.create('Deployment', workload('web', { replicas: 2 })))
  await run.step('ready', () => run.ready())
  await run.step('deleted', () => run.remove('Deployment', 'web', { propagationPolicy }))
  await run.step('gone', () => run.gone())
}

export const ownershipScenarios: readonly Scenario[] = [
  ...(['Foreground', 'Background', 'Orphan'] as const).map(
    (policy): Scenario => ({ name: `deleted-${policy.toLowerCase()}`, kinds, play: run => deletedDeployment(run, policy) }),
  ),
  {
    name: 'two-owners',
    kinds: ['ConfigMap'],
    async play(run) {
      await run.create('ConfigMap', { metadata: { name: 'first' } })
      await run.create('ConfigMap', { metadata: { name: 'second' } })
      const [first, second] = [await uidOf(run, 'ConfigMap', 'first'), await uidOf(run, 'ConfigMap', 'second')]
      await run.step('owned by both', () => owned(run, 'child', [owner('first', first), owner('second', second)]))
      await run.step('first deleted', () => run.remove('ConfigMap', 'first'))
      await run.step('second deleted', () => run.remove('ConfigMap', 'second'))
    },
  },
  {
    name: 'who-blocks',
    kinds: ['ConfigMap'],
    async play(run) {
      await run.create('ConfigMap', { metadata: { name: 'parent' } })
      const uid = await uidOf(run, 'ConfigMap', 'parent')
      await run.step('children', async () => {
        await owned(run, 'blocking', [owner('parent', uid, { blockOwnerDeletion: true })], { finalizers: ['example.com/hold'] })
        await owned(run, 'loose', [owner('parent', uid)], { finalizers: ['example.com/hold'] })
      })
      await run.step('deleted foreground', () => run.remove('ConfigMap', 'parent', { propagationPolicy: 'Foreground' }))
      await run.step('loose let go', () => run.patch('ConfigMap', 'loose', { metadata: { finalizers: null } }))
      await run.step('blocking let go', () => run.patch('ConfigMap', 'blocking', { metadata: { finalizers: null } }))
    },
  },
  {
    name: 'waiting-and-standing-owner',
    kinds: ['ConfigMap'],
    async play(run) {
      await run.create('ConfigMap', { metadata: { name: 'going' } })
      await run.create('ConfigMap', { metadata: { name: 'staying' } })
      const [going, staying] = [await uidOf(run, 'ConfigMap', 'going'), await uidOf(run, 'ConfigMap', 'staying')]
      await run.step('child', () =>
        owned(run, 'child', [
          owner('going', going, { blockOwnerDeletion: true }),
          owner('staying', staying, { blockOwnerDeletion: true }),
        ]),
      )
      await run.step('deleted foreground', () => run.remove('ConfigMap', 'going', { propagationPolicy: 'Foreground' }))
    },
  },
  {
    name: 'owner-never-there',
    kinds: ['ConfigMap'],
    async play(run) {
      await run.step('child of nobody', () => owned(run, 'child', [owner('nobody', '00000000-0000-4000-8000-000000000001')]))
      await run.step('with a finalizer', () =>
        owned(run, 'held', [owner('nobody', '00000000-0000-4000-8000-000000000001')], { finalizers: ['example.com/hold'] }),
      )
    },
  },
  {
    name: 'owner-elsewhere',
    kinds: ['ConfigMap'],
    async play(run) {
      const other = `${run.namespace}-other`
      await run.create('Namespace', { metadata: { name: other } })
      await run.want('POST', `/api/v1/namespaces/${other}/configmaps`, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'parent' },
      })
      const parent = (await run.want('GET', `/api/v1/namespaces/${other}/configmaps/parent`)) as {
        readonly metadata: { readonly uid: string }
      }
      await run.step('child in another namespace', () => owned(run, 'child', [owner('parent', parent.metadata.uid)]))
    },
  },
  {
    name: 'orphaned-with-finalizer',
    kinds: ['ConfigMap'],
    async play(run) {
      await run.create('ConfigMap', { metadata: { name: 'parent', finalizers: ['example.com/hold'] } })
      const uid = await uidOf(run, 'ConfigMap', 'parent')
      await run.step('child', () => owned(run, 'child', [owner('parent', uid, { controller: true })]))
      await run.step('orphaned', () => run.remove('ConfigMap', 'parent', { propagationPolicy: 'Orphan' }))
      await run.step('let go', () => run.patch('ConfigMap', 'parent', { metadata: { finalizers: null } }))
    },
  },
  {
    name: 'pod-and-job',
    kinds: ['Job', 'Pod'],
    async play(run) {
      await run.step('created', () =>
        run.create('Job', { metadata: { name: 'work' }, spec: { template: { spec: podSpec({ restartPolicy: 'Never' }) } } }),
      )
      await run.step('orphaned by an old client', () => run.remove('Job', 'work', {}), true)
    },
  },
  {
    name: 'namespace-held',
    kinds: ['Namespace', 'ConfigMap', 'Pod'],
    async play(run) {
      await run.step('content', async () => {
        await run.create('ConfigMap', { metadata: { name: 'held', finalizers: ['example.com/hold'] } })
        await run.create('ConfigMap', { metadata: { name: 'free' } })
        await run.create('Pod', { metadata: { name: 'running' }, spec: podSpec() })
      })
      await run.step('deleted', () => run.remove('Namespace', run.namespace))
      await run.step(
        'created inside',
        () => run.send('POST', run.path('ConfigMap'), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'late' } }),
        true,
      )
      await run.step('after a short while', () => run.wait(5_000))
      await run.step('pod gone', async () => {
        await run.gone()
        await run.wait(20_000)
      })
      await run.step('let go', async () => {
        await run.patch('ConfigMap', 'held', { metadata: { finalizers: null } })
        await run.wait(20_000)
      })
    },
  },
  {
    name: 'namespace-new',
    kinds: ['Namespace', 'ConfigMap', 'ServiceAccount'],
    async play(run) {
      await run.step('what a namespace gets')
      await run.step('ServiceAccount deleted', () => run.remove('ServiceAccount', 'default'))
      await run.step('certificates deleted', () => run.remove('ConfigMap', 'kube-root-ca.crt'))
    },
  },
]
