// Clusters that were made for this run are planned from their YAML, and judged by a reader of that YAML that knows nothing of Ballast.

import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { readDocuments } from '#cluster/documents.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { planPolicyOf, readPolicy } from '#coordination/plans/plan-policy.ts'
import { systemClock } from '#kube/clock.ts'
import { makePlan } from '#planning/plan.ts'
import type { Plan } from '#planning/plan-record.ts'
import { childSolver } from '#planning/solving/solve.ts'
import { freshCluster } from './fresh-cluster.ts'

async function planOf(text: string): Promise<Plan> {
  const { objects, problems } = readDocuments('cluster.yaml', text)
  expect(problems).toEqual([])
  const plain = objects.map(({ object }) => object)
  const reading = buildClusterState(plain)
  expect(reading.problems).toEqual([])
  const policy = readPolicy(plain.find(object => object.kind === 'RebalancePolicy') ?? expect.fail('no policy'))
  if (!policy.ok) throw new Error(JSON.stringify(policy.problems))
  const resolved = planPolicyOf(policy.policy, reading.state, { ownerLabel: defaultOwnerLabel, landing: 'prefer' })
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.problem))
  const input = { state: reading.state, policy: resolved.value, settings: settingsForServer('v1.34.1'), nowMs: 0 }
  return await makePlan(input, childSolver({ clock: systemClock, safetySeconds: 60 }), AbortSignal.timeout(280_000))
}

interface Yaml {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec: {
    readonly nodeName: string
    readonly nodeSelector?: Readonly<Record<string, string>>
    readonly maxUnavailable: number
    readonly goals: readonly { readonly nodes: readonly [string]; readonly max?: number; readonly min?: number }[]
    readonly containers: readonly [
      { readonly resources: { readonly requests: { readonly cpu: string; readonly memory: string } } },
    ]
  }
  readonly status: { readonly allocatable: { readonly cpu: string; readonly memory: string } }
}

const number = (text: string) => Number.parseInt(text, 10)

/** Carries the moves out on the YAML, one after the other, and says what is wrong. */
function judge(text: string, plan: Plan): string[] {
  const documents = parseAllDocuments(text).map(document => document.toJS() as Yaml)
  const of = (kind: string) => documents.filter(document => document.kind === kind)
  const pods = new Map(
    of('Pod').map(pod => [
      pod.metadata.name,
      {
        node: pod.spec.nodeName,
        cpu: number(pod.spec.containers[0].resources.requests.cpu),
        memory: number(pod.spec.containers[0].resources.requests.memory),
        pod,
      },
    ]),
  )
  const used = (node: string) =>
    [...pods.values()]
      .filter(pod => pod.node === node)
      .reduce((sum, pod) => ({ cpu: sum.cpu + pod.cpu, memory: sum.memory + pod.memory }), { cpu: 0, memory: 0 })
  const wrong: string[] = []
  const movedOnce = new Set<string>()
  for (const move of plan.moves) {
    const pod = pods.get(move.pod.name)
    if (pod === undefined || pod.node !== move.from || movedOnce.has(move.pod.name)) {
      wrong.push(`${move.id}: ${move.pod.name} is not on ${move.from}`)
      continue
    }
    movedOnce.add(move.pod.name)
    const app = pod.pod.metadata.labels?.['app'] ?? ''
    const workload = documents.find(
      document => ['Deployment', 'StatefulSet'].includes(document.kind) && document.metadata.name === app,
    )
    if (workload?.metadata.labels?.['scaling.talos.io/managed-by'] !== 'descheduler')
      wrong.push(`${move.id}: ${app} is not the descheduler's`)
    const budget = of('PodDisruptionBudget').find(document => document.metadata.name === app)
    if (budget === undefined || (budget.spec.maxUnavailable < 1 && move.action === 'evict'))
      wrong.push(`${move.id}: ${app} has no budget that allows it`)
    if (pod.pod.spec.nodeSelector !== undefined) wrong.push(`${move.id}: ${app} is pinned`)
    pod.node = move.to
    const node = of('Node').find(document => document.metadata.name === move.to)
    const now = used(move.to)
    if (
      node === undefined ||
      now.cpu > number(node.status.allocatable.cpu) ||
      now.memory > number(node.status.allocatable.memory)
    )
      wrong.push(`${move.id}: ${move.to} is overfull`)
  }
  if (plan.outcome !== 'met') return wrong
  for (const goal of of('RebalancePolicy')[0]?.spec.goals ?? []) {
    const node = of('Node').find(document => document.metadata.name === goal.nodes[0])
    const percent = (100 * used(goal.nodes[0]).cpu) / number(node?.status.allocatable.cpu ?? '0')
    if (goal.max !== undefined && percent >= goal.max) wrong.push(`${goal.nodes[0]}: ${percent} is not below ${goal.max}`)
    if (goal.min !== undefined && percent <= goal.min) wrong.push(`${goal.nodes[0]}: ${percent} is not above ${goal.min}`)
  }
  return wrong
}

const first = Number(process.env['BALLAST_SEED'] ?? 1) * 1_000
const seeds = Array.from({ length: 25 }, (_, index) => first + index)
const outcomes = new Map<string, number>()

describe('a cluster that was made for this run', () => {
  test.each(seeds)('of seed %i is planned as its YAML allows', async seed => {
    const text = freshCluster(seed)
    const plan = await planOf(text)
    outcomes.set(plan.outcome, (outcomes.get(plan.outcome) ?? 0) + 1)
    expect(judge(text, plan)).toEqual([])
    expect(plan.moves.length).toBeGreaterThanOrEqual(Math.ceil(plan.objective.lowerBound - 1e-6))
  })

  test('is solved more often than not', () => {
    console.log(`fresh clusters: ${[...outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(', ')}`)
    expect(outcomes.get('met') ?? 0).toBeGreaterThan(seeds.length / 2)
  })

  test('the judge finds a move that it must not allow', async () => {
    const text = freshCluster(first)
    const plan = await planOf(text)
    const [move] = plan.moves
    if (move === undefined) throw new Error('seed has no moves to spoil')
    expect(judge(text, { ...plan, moves: [move, move] })).not.toEqual([])
    expect(judge(text, { ...plan, outcome: 'met', moves: [] })).not.toEqual([])
  })
})
