// ReplicaSets and ReplicationControllers: who goes first, who is taken in, who is let go.
import { firstImage, podSpec, template, workload } from './manifests.ts'
import { everyPod, type Loose, type PodView, type Scenario, type ScenarioRun } from './scenario.ts'

const kinds = ['ReplicaSet', 'Pod'] as const

/** Marks the set's pods by a label, in the order of their names. */
async function mark(run: ScenarioRun): Promise<void> {
  for (const [at, pod] of (await run.pods()).entries()) {
    await run.patch('Pod', pod.metadata.name, { metadata: { labels: { mark: `p${at}` } } })
  }
}

const marked =
  (...marks: readonly string[]) =>
  (pod: PodView) =>
    marks.includes(pod.metadata.labels?.['mark'] ?? '')

async function marksLeft(run: ScenarioRun): Promise<readonly string[]> {
  const left = (await run.pods()).filter(pod => pod.metadata.deletionTimestamp === undefined)
  return left.map(pod => pod.metadata.labels?.['mark'] ?? 'none').sort()
}

async function cost(run: ScenarioRun, mark: string, value: string): Promise<void> {
  for (const pod of await run.pods(marked(mark))) {
    await run.patch('Pod', pod.metadata.name, {
      metadata: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': value } },
    })
  }
}

function barePod(name: string, labels: Loose): Loose {
  return { metadata: { name, labels }, spec: podSpec() }
}

export const replicaSetScenarios: readonly Scenario[] = [
  {
    name: 'who-goes-first',
    kinds,
    async play(run) {
      await run.step('created', () => run.create('ReplicaSet', workload('web', { replicas: 6 })))
      await mark(run)
      await run.step('all ready but one', () => run.ready(marked('p0', 'p1', 'p2', 'p3', 'p4')))
      await cost(run, 'p0', '100')
      await cost(run, 'p3', '-5')
      await run.step('costs', async () => undefined)
      const scale = async (replicas: number) => {
        await run.patch('ReplicaSet', 'web', { spec: { replicas } })
      }
      await run.step('to five', () => scale(5))
      await run.step('left of five', () => marksLeft(run), true)
      await run.step('to four', () => scale(4))
      await run.step('left of four', () => marksLeft(run), true)
      await run.step('to one', () => scale(1))
      await run.step('left of one', () => marksLeft(run), true)
      await run.step('gone', () => run.gone())
    },
  },
  {
    name: 'unbound-goes-first',
    kinds,
    async play(run) {
      await run.step('created', () => run.create('ReplicaSet', workload('web', { replicas: 2 })))
      await mark(run)
      await run.step('ready', () => run.ready())
      // Later pods fit no node: the template asks for another pool.
      await run.step('template of another pool', () =>
        run.patch('ReplicaSet', 'web', { spec: { template: { spec: { nodeSelector: { pool: 'none' } } } } }),
      )
      await run.step('to four', () => run.patch('ReplicaSet', 'web', { spec: { replicas: 4 } }))
      await run.step('to two', () => run.patch('ReplicaSet', 'web', { spec: { replicas: 2 } }))
      await run.step('left', () => marksLeft(run), true)
    },
  },
  {
    name: 'taken-in-and-let-go',
    kinds,
    async play(run) {
      await run.step('an orphan', () => run.create('Pod', barePod('orphan', { app: 'web' })))
      await run.step('created', () => run.create('ReplicaSet', workload('web', { replicas: 2 })))
      await run.step('ready', () => run.ready())
      await run.step('orphan relabelled', () => run.patch('Pod', 'orphan', { metadata: { labels: { app: 'other' } } }))
      await run.step('relabelled back', () => run.patch('Pod', 'orphan', { metadata: { labels: { app: 'web' } } }))
    },
  },
  {
    name: 'failed-are-replaced',
    kinds,
    async play(run) {
      await run.step('created', () => run.create('ReplicaSet', workload('web', { replicas: 3 })))
      await run.step('ready', () => run.ready())
      await run.step('one failed', () => run.finish('Failed', everyPod, { most: 1 }))
      await run.step('one deleted', async () => {
        const pod = (await run.pods()).find(candidate => candidate.status?.phase === 'Running')
        await run.remove('Pod', pod?.metadata.name ?? '')
      })
      await run.step('gone', () => run.gone())
    },
  },
  {
    name: 'controller-of-old',
    kinds: ['ReplicationController', 'Pod'],
    async play(run) {
      await run.step('created', () =>
        run.create('ReplicationController', {
          metadata: { name: 'old' },
          spec: { replicas: 2, selector: { app: 'old' }, template: template({ app: 'old' }) },
        }),
      )
      await run.step('ready', () => run.ready())
      await run.step('to one', () => run.patch('ReplicationController', 'old', { spec: { replicas: 1 } }))
      await run.step('gone', () => run.gone())
    },
  },
  {
    name: 'pods-not-admitted',
    kinds,
    async play(run) {
      await run.step('a ServiceAccount that is not there', () =>
        run.create(
          'ReplicaSet',
          workload(
            'web',
            { replicas: 1 },
            { containers: [{ name: 'main', image: firstImage, resources: { requests: { cpu: '2' } } }] },
          ),
        ),
      )
      await run.step('quota of nothing', () =>
        run.create('ResourceQuota', { metadata: { name: 'none' }, spec: { hard: { pods: '1' } } }),
      )
      await run.step('to three', () => run.patch('ReplicaSet', 'web', { spec: { replicas: 3 } }))
      await run.step('back to one', () => run.patch('ReplicaSet', 'web', { spec: { replicas: 1 } }))
    },
  },
]
