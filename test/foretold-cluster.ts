// Random clusters whose workloads were moved, replaced and scaled a while ago, below random caps: what a plan is held to when it is made,
// and what it meets when it runs. The same seed gives the same cluster.
import { type DisruptionPermit, overPhases, type RebalancePlan } from '#coordination/api.ts'
import { type ArbiterPolicy, defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { parseWindow } from '#kube/time/window.ts'
import { randomCluster } from '../src/planning/testdata/random-cluster.ts'
import { type ControlledCluster, controlledCluster, startMs } from './controlled-cluster.ts'

const minuteMs = 60_000
const policyName = 'random'
const pastPlanName = (policy: string): string => `${policy}-past`

interface Chance {
  readonly whole: (least: number, most: number) => number
  readonly is: (part: number) => boolean
  readonly pick: <T>(of: readonly T[]) => T | undefined
}

function chanceOf(seed: number): Chance {
  const random = seededRandom(seed + 7_000)
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  return { whole, is: part => random() < part, pick: of => of[whole(0, of.length - 1)] }
}

/** A twin with the cluster of `seed` and a policy that goes by itself; no controller yet. */
export async function foretoldCluster(seed: number): Promise<ControlledCluster> {
  const chance = chanceOf(seed)
  const { objects, goals } = randomCluster(seed, { nodes: [3, 6], mostPods: 24 })
  const aged = objects.map(object => agedObject(object, chance))
  const nodes = objects.flatMap(({ kind, metadata }) => (kind === 'Node' ? [metadata.name] : []))
  const workloads = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
  const past = workloads.flatMap((workload, at) => (chance.is(0.45) ? [pastPermit(workload, at, { nodes, chance })] : []))
  const perHour = chance.pick([1, 2, 3, 30, 30, 30]) ?? 30
  const policy = {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: policyName },
    spec: {
      trigger: 'manual',
      mode: 'Auto',
      landing: 'prefer',
      goals,
      limits: { perPlan: 30, perHour: 30, concurrent: chance.whole(1, 3) },
    },
  }
  return controlledCluster({
    objects: [...aged, ...past, policy, pastPlan(policyName)],
    seed,
    arbiter: {
      ...arbiterOf(perHour, chance),
      ...(chance.is(0.15) ? { windows: { deschedule: [windowOf('10 4 * * *;1h;UTC')] } } : {}),
    },
  })
}

function windowOf(text: string): ArbiterPolicy['windows'][string][number] {
  const parsed = parseWindow(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

function arbiterOf(perHour: number, chance: Chance): Partial<ArbiterPolicy> {
  return {
    caps: {
      concurrent: chance.whole(1, 3),
      perHour,
      perNamespace: chance.whole(1, 3),
      perSourceNode: chance.whole(1, 2),
      perDestination: chance.whole(1, 3),
    },
    coolDownMs: { ...defaultPolicy.coolDownMs, balance: (chance.pick([20, 60, 360]) ?? 360) * minuteMs },
  }
}

/** Everything was there for two days; a workload in ten has a window of its own. */
function agedObject(object: KubeObject, chance: Chance): KubeObject {
  const metadata = { ...object.metadata, creationTimestamp: '2026-02-28T00:00:00Z' }
  if (object.kind === 'Node') return { ...roomy(object), metadata }
  if (object.kind === 'ReplicaSet') return { ...hashed(object), metadata }
  if (object.kind !== 'Deployment' && object.kind !== 'StatefulSet') return { ...object, metadata }
  if (!chance.is(0.1)) return { ...object, metadata }
  const window = chance.pick(['0 22 * * *;2h;UTC', '5 4 * * *;2h;UTC', '0 3 * * *;4h;UTC']) ?? ''
  return {
    ...object,
    metadata: { ...metadata, annotations: { ...metadata.annotations, 'ballast.dev/rebalance-window': window } },
  }
}

/** With room for every pod that the cluster begins with: a kubelet turns away what is above. */
function roomy(node: KubeObject): KubeObject {
  const status = node['status'] as { readonly allocatable: object; readonly capacity: object }
  const pods = { pods: '60' }
  return {
    ...node,
    status: { ...status, allocatable: { ...status.allocatable, ...pods }, capacity: { ...status.capacity, ...pods } },
  }
}

/** With its own label in the template, as its Deployment's controller writes it. */
function hashed(object: KubeObject): KubeObject {
  const spec = object['spec'] as { readonly template: { readonly metadata: { readonly labels: object } } }
  const labels = { ...spec.template.metadata.labels, 'pod-template-hash': 'abcde12345' }
  return { ...object, spec: { ...spec, template: { ...spec.template, metadata: { labels } } } }
}

/** A permit of the last hours on `workload`: a move, a move that came back, an eviction by another capability, a scaling. */
function pastPermit(
  workload: KubeObject,
  number: number,
  { nodes, chance }: { readonly nodes: readonly string[]; readonly chance: Chance },
): DisruptionPermit {
  const { namespace = '', name, uid = '' } = workload.metadata
  const kind = chance.pick(['moved', 'moved', 'back', 'other', 'scaled'] as const) ?? 'moved'
  const endMs = startMs - chance.whole(1, 400) * minuteMs
  const at = new Date(endMs - minuteMs).toISOString()
  const target = { apiVersion: 'apps/v1', kind: workload.kind, namespace, name, uid }
  const isMove = kind === 'moved' || kind === 'back'
  const [from = 'a', to = 'b'] = [chance.pick(nodes), chance.pick(nodes)]
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'DisruptionPermit',
    metadata: {
      name: `past-${number}`,
      namespace,
      creationTimestamp: at,
      labels: { 'ballast.dev/managed': 'true' },
      annotations: { 'ballast.dev/leader-epoch': '1' },
    },
    spec: {
      requester: isMove ? 'deschedule' : 'reload',
      class: isMove ? 'balance' : 'correctness',
      verb: kind === 'scaled' ? 'scale' : 'evict',
      purpose: isMove ? 'move' : 'reload',
      targets: [target],
      workload: `${namespace}/${workload.kind}/${name}`,
      reasons: [],
      idempotencyKey: `past-${number}`,
      ...(isMove && from !== to ? { relocation: { from, to: [to] } } : {}),
      nodes: [from],
      joined: [],
      deadline: new Date(endMs + minuteMs).toISOString(),
      siblings: [],
      grant: { token: number + 1, at, expiresAt: new Date(endMs + 9 * minuteMs).toISOString() },
    },
    status: {
      decision: 'Granted',
      releasedAt: new Date(endMs).toISOString(),
      ending: 'done',
      ...(isMove ? { landing: kind === 'back' ? 'back' : 'expected' } : {}),
    },
  }
}

/** A plan of the policy that is over: how long moves take there is known. */
export function pastPlan(policy: string): KubeObject {
  const workload = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'gone', uid: 'gone' }
  const ids = ['m01', 'm02', 'm03', 'm04', 'm05', 'm06']
  const moves = ids.map((id, at) => ({
    ...{ id, wave: at + 1, pod: { namespace: 'shop', name: `gone-${at}`, uid: `gone-${at}` }, workload },
    ...{ from: 'a', to: 'b', acceptable: ['b'], action: at < 3 ? 'evict' : 'surge' },
    certificate: {
      ...{ snapshotHash: 'x', podUid: `gone-${at}`, requests: {}, from: 'a', to: 'b', freeBefore: {}, freeAfter: {} },
      ...{ filters: {}, landing: { mode: 'prefer', nodes: ['b'], totals: {} } },
    },
  }))
  const at = '2026-02-27T00:00:00Z'
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePlan',
    metadata: { name: pastPlanName(policy), creationTimestamp: at },
    spec: {
      ...{
        policyRef: { name: policy },
        snapshotHash: 'x',
        outcome: 'met',
        method: 'milp',
        landing: 'prefer',
        purpose: 'move',
      },
      ...{ moves, approved: true },
    },
    status: {
      ...{ phase: 'Succeeded', finishedAt: at, startedAt: at },
      steps: ids.map(id => ({ id, state: 'Landed', landedOn: 'b', seconds: 3 })),
    },
  }
}

/** How a plan ended against how it was foretold. */
export interface Comparison {
  readonly seed: number
  readonly plans: number
  readonly moves: number
  readonly held: number
  readonly hasRest: boolean
  readonly phase: string
  /** What is otherwise than foretold, each in words; empty: nothing is. */
  readonly differences: readonly string[]
  readonly foretoldSeconds: number
  readonly tookSeconds: number
}

/** What the end may be off by, in seconds: half of what was foretold, and half a minute. As `docs/rebalancing.md` states it. */
const toleratedSeconds = (foretold: number): number => 30 + foretold / 2

/** Lets the plan of the cluster run, and holds its end against what was said when it was made. */
export async function comparison(seed: number): Promise<Comparison> {
  await using cluster = await foretoldCluster(seed)
  return (await carriedOut(cluster, policyName, seed)).comparison
}

interface CarriedOut {
  readonly comparison: Comparison
  /** As it was shown. */
  readonly proposed: RebalancePlan
  readonly ended: RebalancePlan
}

/** The plan of `policy`, asked for and carried out by a controller that is started for it. @throws Error where there is none */
export async function carriedOut(cluster: ControlledCluster, policy: string, seed = 0): Promise<CarriedOut> {
  cluster.startController()
  await cluster.ask(policy)
  let proposed: RebalancePlan | undefined
  const made = () => cluster.plans().filter(({ metadata }) => metadata.name !== pastPlanName(policy))
  const isOver = () => {
    const all = made()
    const [plan] = all
    if (plan?.status?.phase === undefined) return false
    proposed ??= plan
    const isEnded = all.every(({ status }) => overPhases.some(phase => phase === status?.phase))
    // What reaches less than could be reached later may wait for approval.
    return isEnded || all.some(({ status, spec }) => status?.phase === 'Proposed' && !spec.approved)
  }
  await cluster.until(isOver, 6 * 60 * minuteMs)
  const plans = made()
  const [ended] = plans
  if (proposed === undefined || ended === undefined) throw new Error(`seed ${seed}: no plan`)
  return { comparison: compared(seed, { proposed, ended, plans: plans.length }), proposed, ended }
}

function compared(
  seed: number,
  { proposed, ended, plans }: { readonly proposed: RebalancePlan; readonly ended: RebalancePlan; readonly plans: number },
): Comparison {
  const { expected, goals = [], unmovable = [] } = proposed.status ?? {}
  const steps = new Map((ended.status?.steps ?? []).map(step => [step.id, step]))
  const phase = ended.status?.phase ?? 'none'
  const differences: string[] = []
  const isWaiting = phase === 'Proposed'
  if (plans !== 1) differences.push(`${plans} plans: ${ended.status?.message ?? ''}`)
  for (const { id } of isWaiting ? [] : proposed.spec.moves) {
    const step = steps.get(id)
    if (step?.state !== 'Landed')
      differences.push(`${id} ${step?.state ?? 'not begun'} ${step?.reason ?? ''} ${step?.message ?? ''}`)
  }
  const foretoldPhase = proposed.spec.moves.length > 0 ? 'Succeeded' : phase
  if (!isWaiting && phase !== foretoldPhase) differences.push(`phase ${phase}: ${ended.status?.message ?? ''}`)
  // A goal for each node of a pool has an outcome for each.
  const then = Map.groupBy(ended.status?.goals ?? [], ({ name }) => name)
  for (const [name, foretold] of Map.groupBy(goals, goal => goal.name)) {
    const [was, is] = [foretold, then.get(name) ?? []].map(list => list.map(({ outcome }) => outcome).join())
    if (was !== is) differences.push(`goal ${name}: ${was}, then ${is}`)
  }
  const foretoldSeconds = (Date.parse(expected?.endsAt ?? '') - Date.parse(proposed.metadata.creationTimestamp ?? '')) / 1000
  const tookSeconds = (Date.parse(ended.status?.finishedAt ?? '') - Date.parse(proposed.metadata.creationTimestamp ?? '')) / 1000
  const isLate = Math.abs(foretoldSeconds - tookSeconds) > toleratedSeconds(expected?.seconds ?? 0)
  if (!isWaiting && proposed.spec.moves.length > 0 && isLate)
    differences.push(`took ${tookSeconds} s, foretold ${foretoldSeconds} s`)
  const timed = ['CoolingDown', 'JustScaled', 'Quarantined', 'WindowClosed', 'CapReached', 'RecentlyMoved']
  return {
    ...{ seed, plans, phase, differences, foretoldSeconds, tookSeconds },
    moves: proposed.spec.moves.length,
    held: unmovable.filter(({ reason }) => timed.includes(reason)).length,
    hasRest: expected?.rest !== undefined,
  }
}
