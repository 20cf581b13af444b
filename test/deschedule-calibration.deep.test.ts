// The model of the scheduler held against what the scheduler did: counted, kept, and believed only while it is right.
import { expect, test } from 'vitest'
import { type RebalancePlan, type RebalancePolicy, rebalancePlans } from '#coordination/api.ts'
import { formatTime } from '#kube/time/time.ts'
import { type ControlledCluster, controlledCluster, startMs } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

const workload = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'elsewhere', name: 'old', uid: 'old' }

/** A plan of long ago with so many moves, of which the first `wrong` landed elsewhere. */
async function past(
  cluster: ControlledCluster,
  name: string,
  { moves, wrong, ageHours }: { moves: number; wrong: number; ageHours: number },
) {
  const ids = Array.from({ length: moves }, (_, at) => `m${String(at + 1).padStart(2, '0')}`)
  const at = formatTime(startMs - ageHours * 3_600_000)
  const certificate = {
    snapshotHash: '',
    podUid: '',
    requests: {},
    from: 'n1',
    to: 'n2',
    freeBefore: {},
    freeAfter: {},
    filters: {},
    landing: { mode: 'observe', nodes: ['n2'], totals: {} },
  }
  const plan = {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePlan',
    metadata: { name },
    spec: {
      policyRef: { name: 'small' },
      snapshotHash: 'sha256:0',
      outcome: 'met',
      method: 'milp',
      landing: 'observe',
      moves: ids.map(id => ({
        id,
        wave: 1,
        pod: { namespace: 'elsewhere', name: id, uid: id },
        workload,
        from: 'n1',
        to: 'n2',
        acceptable: ['n2'],
        action: 'evict',
        certificate,
      })),
    },
  }
  const status = {
    phase: 'Failed',
    finishedAt: at,
    steps: ids.map((id, index) =>
      index < wrong
        ? { id, state: 'Mismatch', landedOn: 'n3', reason: 'LandingMismatch' }
        : { id, state: 'Landed', landedOn: 'n2' },
    ),
  }
  const api = cluster.admin.resource(rebalancePlans)
  const { signal } = new AbortController()
  await api.create(plan, { signal })
  await api.patch(name, { type: 'merge', body: { status } }, { signal, subresource: 'status' })
}

const names = (cluster: ControlledCluster) => cluster.plans().map(({ metadata }) => metadata.name)
const newest = (cluster: ControlledCluster): RebalancePlan | undefined =>
  cluster.plans().find(({ spec }) => spec.snapshotHash !== 'sha256:0')
const policyOf = (cluster: ControlledCluster) => cluster.list<RebalancePolicy>('rebalancepolicies.ballast.dev')[0]

async function after(pasts: readonly { moves: number; wrong: number; ageHours: number }[]): Promise<ControlledCluster> {
  const cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Report', landing: 'observe' })] })
  for (const [at, one] of pasts.entries()) await past(cluster, `past-${at}`, one)
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => policyOf(cluster)?.status?.lastPlan !== undefined)
  return cluster
}

test('where fewer than nine of ten landed as foretold nothing is left to the scheduler alone, and the policy says so', async () => {
  await using cluster = await after([{ moves: 10, wrong: 2, ageHours: 72 }])
  expect(newest(cluster)?.spec.landing).toBe('prefer')
  expect(policyOf(cluster)?.status?.landing).toEqual({ foretold: 10, expected: 8 })
  expect(policyOf(cluster)?.status?.conditions?.find(({ type }) => type === 'LandingsForetold')).toMatchObject({
    status: 'False',
    message:
      '8 of 10 landings were as foretold, less than nine of ten: where the policy says observe, landings are steered by prefer',
  })
})

test('nine of ten are enough', async () => {
  await using cluster = await after([{ moves: 10, wrong: 1, ageHours: 72 }])
  expect(newest(cluster)?.spec.landing).toBe('observe')
  expect(policyOf(cluster)?.status?.conditions?.some(({ type }) => type === 'LandingsForetold')).toBe(false)
})

test('of plans that are over fifty are kept, and all of the last two days', async () => {
  const old = Array.from({ length: 52 }, (_, at) => ({ moves: 1, wrong: 0, ageHours: 100 + at }))
  await using cluster = await after([...old, { moves: 1, wrong: 0, ageHours: 1 }])
  await cluster.until(() => names(cluster).length <= 51)
  expect(names(cluster)).not.toContain('past-51')
  expect(names(cluster)).not.toContain('past-50')
  expect(names(cluster)).toContain('past-47')
  expect(names(cluster)).toContain('past-52')
})
