// What others do to workloads while Ballast wants to move them: seen on the twin as on a cluster, told from our own moves, and named.
import { describe, expect, test } from 'vitest'
import type { DisruptionPermit } from '#coordination/api.ts'
import type { Observation } from '#coordination/observed/observation.ts'
import { wakingOf } from '#coordination/observed/waking.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { observe } from './own-observer.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

const { signal } = new AbortController()
const yesterday = '2026-03-01T00:00:00Z'

/** As API servers keep objects: with their age, and signed by who made them. */
function signed(object: KubeObject): KubeObject {
  if (!['Deployment', 'ReplicaSet', 'Node'].includes(object.kind)) return object
  const isNode = object.kind === 'Node'
  const entry = {
    manager: isNode ? 'kubelet' : 'helm',
    operation: 'Update',
    apiVersion: object.apiVersion,
    time: yesterday,
    fieldsType: 'FieldsV1',
    fieldsV1: isNode ? { 'f:metadata': { 'f:labels': {} } } : { 'f:spec': { 'f:replicas': {}, 'f:template': {} } },
  } as const
  return { ...object, metadata: { ...object.metadata, creationTimestamp: yesterday, managedFields: [entry] } }
}

function clusterOf(objects = smallCluster()): Promise<ControlledCluster> {
  return controlledCluster({ objects: [...objects.map(signed), smallPolicy()] })
}

/** People and controllers, each writing as its own field manager. */
class Others {
  readonly #cluster: ControlledCluster

  constructor(cluster: ControlledCluster) {
    this.#cluster = cluster
  }

  async restart(name: string): Promise<void> {
    const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date(this.#cluster.clock.now()).toISOString() }
    await this.#patch(name, { spec: { template: { metadata: { annotations } } } }, { fieldManager: 'kubectl-rollout' })
  }

  async scale(name: string, replicas: number, fieldManager = 'kube-controller-manager'): Promise<void> {
    await this.#patch(name, { spec: { replicas } }, { fieldManager, subresource: 'scale' })
  }

  async cordon(node: string, isCordoned = true): Promise<void> {
    const body = { spec: { unschedulable: isCordoned } }
    await this.#cluster.admin.resource(builtIn.nodes).patch(node, { type: 'merge', body }, { signal, fieldManager: 'kubectl' })
  }

  async evict(name: string): Promise<void> {
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'shop' } }
    await this.#cluster.admin.resource(builtIn.pods).sub(name, 'eviction', 'POST', body, { namespace: 'shop', signal })
  }

  async delete(name: string): Promise<void> {
    await this.#cluster.admin.resource(builtIn.pods).delete(name, { signal, namespace: 'shop' })
  }

  async #patch(name: string, body: object, by: { readonly fieldManager: string; readonly subresource?: string }): Promise<void> {
    const deployments = this.#cluster.admin.resource<KubeObject>(builtIn.deployments)
    await deployments.patch(name, { type: 'merge', body }, { namespace: 'shop', signal, ...by })
  }
}

function podsOf(cluster: ControlledCluster, app: string): readonly Pod[] {
  return cluster
    .list<Pod>('pods')
    .filter(({ metadata }) => metadata.labels?.['app'] === app && metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
}

function podOf(cluster: ControlledCluster, app: string, at = 0): string {
  const pod = podsOf(cluster, app)[at]
  if (pod === undefined) throw new Error(`there is no pod ${at} of ${app}`)
  return pod.metadata.name
}

function permits(cluster: ControlledCluster): readonly DisruptionPermit[] {
  return cluster.list<DisruptionPermit>('disruptionpermits.ballast.dev')
}

/** What Ballast said about refused wishes, as whoever looks at the workload reads it. */
function refusals(cluster: ControlledCluster): readonly string[] {
  return cluster
    .list('events')
    .filter(event => /^Disruption(Queued|Denied)$/.test(String(event['reason'])))
    .map(event => String(event['message'] ?? event['note']))
}

/** Waits until Ballast has said why it does not move something yet. */
async function refused(cluster: ControlledCluster): Promise<string> {
  await cluster.until(() => refusals(cluster).length > 0, 300_000)
  return refusals(cluster)[0] ?? ''
}

async function planned(cluster: ControlledCluster): Promise<void> {
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
}

async function approve(cluster: ControlledCluster): Promise<void> {
  const [plan] = cluster.plans()
  if (plan === undefined) throw new Error('there is no plan to approve')
  await cluster.approve(plan)
}

function steps(cluster: ControlledCluster): readonly string[] {
  return (cluster.plans()[0]?.status?.steps ?? []).map(({ id, state, message = '' }) => `${id} ${state} ${message}`.trim())
}

/** What the last plan leaves where it is, and why. */
function leftOut(cluster: ControlledCluster): readonly string[] {
  return (cluster.plans().at(-1)?.status?.unmovable ?? []).map(({ pod = '-', reason, message }) => `${pod} ${reason}: ${message}`)
}

describe('a move that a plan wants waits for what others did to its workload', () => {
  test('an autoscaler has just scaled it: ten minutes', async () => {
    await using cluster = await clusterOf()
    const others = new Others(cluster)
    cluster.startController()
    await planned(cluster)
    await others.scale('web', 3)
    await cluster.clock.advance(20_000)
    await approve(cluster)
    expect(await refused(cluster)).toMatch(
      /^evict Pod shop\/web-.* by scale-cool-down: shop\/Deployment\/web was scaled by HorizontalPodAutoscaler at /,
    )
    expect(podsOf(cluster, 'web').map(pod => pod.metadata.name)).toEqual(
      expect.arrayContaining(['web-abcde12345-a', 'web-abcde12345-b']),
    )
    await cluster.until(() => steps(cluster).length === 3 && steps(cluster).every(step => step.endsWith('Landed')))
    expect(cluster.clock.now() - Date.parse(cluster.plans()[0]?.status?.startedAt ?? '')).toBeGreaterThan(500_000)
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })

  test('somebody rolled it out: six hours, so the plan leaves it out', async () => {
    await using cluster = await clusterOf()
    const others = new Others(cluster)
    cluster.startController()
    await cluster.until(() => cluster.isAlive)
    // The new pods stay where the old ones were, so that the plan has a reason to move them.
    for (const node of ['n2', 'n3']) await others.cordon(node)
    await others.restart('web')
    await cluster.clock.advance(120_000)
    for (const node of ['n2', 'n3']) await others.cordon(node, false)
    await cluster.clock.advance(1_000)
    await planned(cluster)
    await approve(cluster)
    await cluster.clock.advance(120_000)
    expect(steps(cluster)).not.toContainEqual(expect.stringContaining('web'))
    expect(leftOut(cluster)).toContainEqual(
      expect.stringMatching(/^shop\/web-\S+ CoolingDown: .*by kubectl rollout restart, .*until 2026-03-02T10:/),
    )
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })

  test('somebody drains a node: the gate while it lasts, and then the cool-down of what it took', async () => {
    await using cluster = await clusterOf()
    const others = new Others(cluster)
    cluster.startController()
    await planned(cluster)
    await others.cordon('n1')
    await others.evict('web-abcde12345-a')
    await others.evict('other-abcde12345-a')
    await cluster.clock.advance(10_000)
    await approve(cluster)
    expect(await refused(cluster)).toContain('by gate: gate foreign-drain is red: node n1 is being drained by kubectl drain')
    expect(permits(cluster).filter(({ spec }) => spec.purpose !== 'steer')).toEqual([])
    await others.cordon('n1', false)
    await cluster.followPlans()
    // The second plan is made after the drain, and knows what it took.
    expect(leftOut(cluster)).toContainEqual(
      expect.stringMatching(/^shop\/web-\S+ CoolingDown: .*by kubectl drain, .*until 2026-03-02T10:/),
    )
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })
})

type Observing = Awaited<ReturnType<typeof observe>>

function said({ kind, workload = '-', by, nodes, replicas }: Observation): string {
  const size = replicas === undefined ? '' : ` ${replicas.from}→${replicas.to}`
  return `${kind} ${workload}${kind === 'drain' ? ` ${nodes.join()}` : ''}${size} by ${by}`
}

test('what Ballast does itself is never observed: three moves, one of them a rollout', async () => {
  await using cluster = await clusterOf()
  await using seen = await observe(cluster)
  cluster.startController()
  await cluster.rebalance('small')
  await cluster.clock.advance(60_000)
  expect(permits(cluster).length).toBeGreaterThanOrEqual(3)
  expect(seen.observer.observations().since(0)).toEqual([])
  await using later = await observe(cluster)
  await later.observer.learnFrom(cluster.admin, signal)
  expect(later.observer.observations().since(0)).toEqual([])
})

/** Each does something to workloads; what an observer saw of it live, and what one that came later must find of the same. */
const acts: readonly (readonly [string, (others: Others, cluster: ControlledCluster) => Promise<void>, readonly string[]])[] = [
  ['a rollout', others => others.restart('web'), ['rollout shop/Deployment/web by kubectl rollout restart']],
  ['an autoscaler', others => others.scale('web', 4), ['scaled shop/Deployment/web 2→4 by HorizontalPodAutoscaler']],
  [
    'fewer replicas: the pods that go are no losses',
    others => others.scale('fixed', 2, 'kubectl'),
    ['scaled shop/Deployment/fixed 4→2 by kubectl scale'],
  ],
  [
    'a pod deleted by hand',
    (others, cluster) => others.delete(podOf(cluster, 'web')),
    ['pod-lost shop/Deployment/web by somebody'],
  ],
  ['an eviction', (others, cluster) => others.evict(podOf(cluster, 'web')), ['pod-lost shop/Deployment/web by somebody']],
  [
    'a drain',
    async (others, cluster) => {
      await others.cordon('n1')
      for (const app of ['web', 'other', 'fixed']) await others.evict(podOf(cluster, app))
    },
    ['drain - n1 by kubectl drain'],
  ],
  [
    'put to sleep and woken',
    async (others, cluster) => {
      await others.scale('web', 0, 'keda')
      await cluster.clock.advance(60_000)
      await others.scale('web', 2, 'keda')
    },
    // No API server notes who wrote a zero through a scale, nor whoever comes after it.
    ['scaled shop/Deployment/web 2→0 by somebody', 'scaled shop/Deployment/web 0→2 by somebody'],
  ],
]

const workloads = ['web', 'solo', 'fixed', 'other'].map(name => `shop/Deployment/${name}`)

/** What the rules take from it: when and by whom each workload lost a pod last, when it was scaled last, and whether it wakes. */
function forRules({ observer, view }: Observing, nowMs: number) {
  const observed = observer.observations()
  const state = view.state()
  return workloads.map(workload => {
    const all = observed.ofWorkload(workload)
    const lost = all.findLast(({ kind }) => kind !== 'scaled')
    const scaled = all.findLast(({ kind }) => kind === 'scaled')
    const pods = [...state.pods.values()].filter(pod => `shop/Deployment/${pod.workload?.name ?? ''}` === workload)
    return { workload, lost, scaled, waking: wakingOf(workload, { observed, pods, nowMs }) }
  })
}

/** Ages tell of a replaced pod when its replacement was made; of the pods of a drain likewise. */
const toleranceMs = 10_000

describe.each([
  ['at once', 45_000],
  ['two hours later, when the Events are gone', 7_200_000],
] as const)('an observer that comes %s finds for the rules what one saw live', (_when, delayMs) => {
  test.each(acts)('%s', async (_name, act, expected) => {
    await using cluster = await clusterOf()
    await using live = await observe(cluster)
    await act(new Others(cluster), cluster)
    await cluster.clock.advance(delayMs)
    expect(live.observer.observations().since(0).map(said)).toEqual(expected)
    await using later = await observe(cluster)
    await later.observer.learnFrom(cluster.admin, signal)
    const nowMs = cluster.clock.now()
    const [before, after] = [forRules(live, nowMs), forRules(later, nowMs)]
    for (const [index, { workload, lost, scaled, waking }] of before.entries()) {
      const found = after[index]
      const seen = { lost: lost !== undefined, scaled: scaled !== undefined, waking: waking !== undefined }
      expect({
        workload,
        lost: found?.lost !== undefined,
        scaled: found?.scaled !== undefined,
        waking: found?.waking !== undefined,
      }).toEqual({
        workload,
        ...seen,
      })
      expect(Math.abs((found?.lost?.atMs ?? 0) - (lost?.atMs ?? 0))).toBeLessThanOrEqual(toleranceMs)
      expect(Math.abs((found?.scaled?.atMs ?? 0) - (scaled?.atMs ?? 0))).toBeLessThanOrEqual(1_000)
      expect(found?.scaled?.by).toBe(scaled?.by)
    }
  })
})
