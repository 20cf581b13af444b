// Budgets, quotas and pods that nobody wants any more.
import { podSpec, workload } from './manifests.ts'
import { type Loose, podNamed, type Scenario, type ScenarioRun } from './scenario.ts'

const budgetKinds = ['PodDisruptionBudget', 'Pod'] as const

async function budget(run: ScenarioRun, spec: Loose): Promise<void> {
  await run.create('PodDisruptionBudget', {
    metadata: { name: 'limit' },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  })
}

function evict(run: ScenarioRun, name: string) {
  return run.send('POST', `${run.path('Pod', name)}/eviction`, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, namespace: run.namespace },
  })
}

async function barePods(run: ScenarioRun, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    await run.create('Pod', { metadata: { name: `web-${at}`, labels: { app: 'web' } }, spec: podSpec() })
  }
}

export const upkeepScenarios: readonly Scenario[] = [
  {
    name: 'budget-and-evictions',
    kinds: budgetKinds,
    async play(run) {
      await barePods(run, 3)
      await run.step('two ready', () => run.ready(podNamed('web-0', 'web-1')))
      await run.step('budget', () => budget(run, { minAvailable: 2 }))
      await run.step('refused', () => evict(run, 'web-0'), true)
      await run.step('unready, not bound yet to run', () => evict(run, 'web-2'), true)
      await run.step('gone', () => run.gone())
      await run.step('another ready', async () => {
        await run.create('Pod', { metadata: { name: 'web-3', labels: { app: 'web' } }, spec: podSpec() })
        await run.wait(1_500)
        await run.ready()
      })
      await run.step('allowed', () => evict(run, 'web-0'), true)
      await run.step('refused again', () => evict(run, 'web-1'), true)
      await run.step('gone again', () => run.gone())
      await run.step('budget changed', () => run.patch('PodDisruptionBudget', 'limit', { spec: { minAvailable: 1 } }))
    },
  },
  {
    name: 'budget-of-unready',
    kinds: budgetKinds,
    async play(run) {
      await barePods(run, 3)
      await run.step('ready', () => run.ready())
      await run.step('two unready', () => run.unready(podNamed('web-1', 'web-2')))
      await run.step('budget', () => budget(run, { minAvailable: 2 }))
      await run.step('unready refused', () => evict(run, 'web-1'), true)
      await run.step('policy', () =>
        run.patch('PodDisruptionBudget', 'limit', { spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' } }),
      )
      await run.step('unready allowed', () => evict(run, 'web-1'), true)
    },
  },
  {
    name: 'budget-of-percentages',
    kinds: ['PodDisruptionBudget', 'ReplicaSet'],
    async play(run) {
      await run.step('workload', () => run.create('Deployment', workload('web', { replicas: 5 })))
      await run.step('four ready', () => run.ready(() => true, 4))
      await run.step('half', () => budget(run, { minAvailable: '50%' }))
      await run.step('third', () =>
        run.patch('PodDisruptionBudget', 'limit', { spec: { minAvailable: null, maxUnavailable: '30%' } }),
      )
      await run.step('all ready', () => run.ready())
      await run.step('to two', () => run.patch('Deployment', 'web', { spec: { replicas: 2 } }))
      await run.step('none', () => run.patch('PodDisruptionBudget', 'limit', { spec: { maxUnavailable: 0 } }))
    },
  },
  {
    name: 'budget-without-controllers',
    kinds: ['PodDisruptionBudget'],
    async play(run) {
      await barePods(run, 2)
      await run.ready()
      await run.step('half of bare pods', () => budget(run, { minAvailable: '50%' }))
      await run.step('one may go', () =>
        run.patch('PodDisruptionBudget', 'limit', { spec: { minAvailable: null, maxUnavailable: 1 } }),
      )
      await run.step('pods of a Job', async () => {
        await run.create('Job', {
          metadata: { name: 'work' },
          spec: { parallelism: 2, template: { metadata: { labels: { app: 'web' } }, spec: podSpec({ restartPolicy: 'Never' }) } },
        })
      })
      await run.step('two at least', () =>
        run.patch('PodDisruptionBudget', 'limit', { spec: { minAvailable: 2, maxUnavailable: null } }),
      )
    },
  },
  {
    name: 'quota-in-use',
    kinds: ['ResourceQuota'],
    async play(run) {
      await run.step('quota', () =>
        run.create('ResourceQuota', {
          metadata: { name: 'all' },
          spec: {
            hard: {
              pods: '4',
              'requests.cpu': '2',
              'requests.memory': '2Gi',
              services: '1',
              'count/configmaps': '9',
              persistentvolumeclaims: '3',
              'requests.storage': '10Gi',
            },
          },
        }),
      )
      const resources = { requests: { cpu: '250m', memory: '100Mi' } }
      const spec = podSpec({ containers: [{ name: 'main', image: 'registry.example/app:1', resources }] })
      await run.step('pod', () => run.create('Pod', { metadata: { name: 'one' }, spec }))
      await run.step(
        'pod too big',
        () =>
          run.send('POST', run.path('Pod'), {
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: { name: 'two' },
            spec: podSpec({
              containers: [
                { name: 'main', image: 'registry.example/app:1', resources: { requests: { cpu: '2', memory: '1Mi' } } },
              ],
            }),
          }),
        true,
      )
      await run.step('others', async () => {
        await run.create('Service', { metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } })
        await run.create('PersistentVolumeClaim', {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'absent', resources: { requests: { storage: '1Gi' } } },
        })
      })
      await run.step('pod succeeded', () => run.finish('Succeeded'))
      await run.step('less', () => run.patch('ResourceQuota', 'all', { spec: { hard: { pods: '1', services: null } } }))
    },
  },
  {
    name: 'quota-of-scopes',
    kinds: ['ResourceQuota'],
    async play(run) {
      await run.step('quotas', async () => {
        await run.create('ResourceQuota', { metadata: { name: 'best' }, spec: { hard: { pods: '4' }, scopes: ['BestEffort'] } })
        await run.create('ResourceQuota', {
          metadata: { name: 'rest' },
          spec: { hard: { pods: '4', 'requests.cpu': '1' }, scopes: ['NotBestEffort'] },
        })
        await run.create('ResourceQuota', {
          metadata: { name: 'ending' },
          spec: { hard: { pods: '4' }, scopes: ['Terminating'] },
        })
      })
      await run.step('pods', async () => {
        await run.create('Pod', { metadata: { name: 'plain' }, spec: podSpec() })
        await run.create('Pod', {
          metadata: { name: 'asking' },
          spec: podSpec({
            containers: [{ name: 'main', image: 'registry.example/app:1', resources: { requests: { cpu: '100m' } } }],
          }),
        })
        await run.create('Pod', { metadata: { name: 'brief' }, spec: podSpec({ activeDeadlineSeconds: 600 }) })
      })
    },
  },
  {
    name: 'aggregated-roles',
    kinds: ['ClusterRole'],
    async play(run) {
      const role = (name: string, group: string, more: Loose) =>
        run.create('ClusterRole', {
          metadata: { name: `${run.namespace}-${name}`, labels: { [`roles.example.com/${group}`]: run.namespace } },
          ...more,
        })
      const reads = (resource: string) => ({ verbs: ['get'], apiGroups: [''], resources: [resource] })
      const selectors = (...groups: readonly string[]) => ({
        aggregationRule: {
          clusterRoleSelectors: groups.map(group => ({ matchLabels: { [`roles.example.com/${group}`]: run.namespace } })),
        },
      })
      await run.step('parts', async () => {
        await role('b', 'small', { rules: [reads('pods'), reads('nodes')] })
        await role('a', 'small', { rules: [reads('nodes'), { verbs: ['get'], nonResourceURLs: ['/x'] }] })
        await role('c', 'large', { rules: [reads('secrets'), reads('pods')] })
      })
      await run.step('whole, with rules of its own', () =>
        role('small', 'large', { ...selectors('small'), rules: [reads('events')] }),
      )
      await run.step('whole of a whole', () => role('large', 'none', selectors('large', 'small')))
      await run.step('rules by hand', () => run.patch('ClusterRole', `${run.namespace}-small`, { rules: [reads('services')] }))
      await run.step('a part changes', () => run.patch('ClusterRole', `${run.namespace}-b`, { rules: [reads('endpoints')] }))
      await run.step('a part leaves', () =>
        run.patch('ClusterRole', `${run.namespace}-a`, { metadata: { labels: { 'roles.example.com/small': null } } }),
      )
      await run.step('the last part goes', () => run.remove('ClusterRole', `${run.namespace}-b`))
      await run.step('no selector any more', () => run.patch('ClusterRole', `${run.namespace}-large`, { aggregationRule: null }))
      await run.step('a part comes', () => role('d', 'large', { rules: [reads('limitranges')] }))
      await run.step('whole without parts', () => role('alone', 'none', { ...selectors('nobody'), rules: [reads('events')] }))
    },
  },
]
