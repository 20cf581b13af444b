// Clusters whose best plan another solver has proven (`optima.json`, made by scripts/optima): families of them, each cluster from its seed.
// Nothing is left to the scheduler's taste here: landings are held, so that what can be reached is a matter of room, rules and order alone.

import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import type { Goal, PlanPolicy } from '../goals/policy.ts'
import { policyWithDefaults } from '../goals/policy.ts'
import { boundVolume, claimVolume, namespace, node, workload, type WorkloadOptions } from './objects.ts'

/** How many clusters of each family are held to their optimum: those of the seeds from 1 on. */
export const families = {
  /** Room has to be made node after node, as far as the last one. */
  chain: 40,
  /** Pods that wait for each other's room, with a spare place elsewhere or without one. */
  ring: 60,
  /** No node has room for anything large: what is large can only change places with what is small. */
  full: 40,
  /** A bit of everything. */
  random: 45,
  /** Node affinity parts the cluster. */
  pools: 15,
  taints: 15,
  volumes: 15,
  /** Budgets that allow nothing, or are missing. */
  budgets: 15,
  /** Workloads that may not move today, or not back. */
  cooling: 15,
} as const
export type Family = keyof typeof families

export interface OptimumCluster {
  readonly objects: readonly KubeObject[]
  readonly policy: PlanPolicy
  readonly nowMs: number
  readonly quarantined: ReadonlyMap<string, number>
}

/** All there is to know about a cluster, as the independent model reads it. */
export function dumpOf({ objects, policy, nowMs, quarantined }: OptimumCluster): string {
  // No cluster of these has a goal over several nodes, and the model knows none.
  const { fleetGoals: _, ...asked } = policy
  // Whose a pod without a label is and what a local volume means the model is told by the pods that it may move.
  const { localStorage: __, ownerLabel, ...coordination } = policy.coordination
  const known = { ...coordination, ownerLabel: { key: 'scaling.talos.io/managed-by', values: ownerLabel.values } }
  return JSON.stringify({ nowMs, policy: { ...asked, coordination: known }, quarantined: Object.fromEntries(quarantined), objects })
}

const nowMs = Date.parse('2026-03-02T12:00:00Z')
const name = (at: number) => `n${String(at).padStart(2, '0')}`
const hostname = 'kubernetes.io/hostname'

export function optimumCluster(family: Family, seed: number): OptimumCluster {
  const made = new Making(Object.keys(families).indexOf(family) * 1_000 + seed)
  if (family === 'chain') return chain(made)
  if (family === 'ring') return ring(made, seed)
  if (family === 'full') return full(made)
  return mixed(made, family)
}

interface MadeWorkload extends Omit<WorkloadOptions, 'budget'> {
  /** Nodes that its node affinity names. */
  readonly only?: readonly string[] | undefined
  /** No two of its pods on one node. */
  readonly isApart?: boolean
  readonly budget?: NonNullable<WorkloadOptions['budget']> | 'none'
}

class Making {
  readonly random: () => number
  readonly objects: KubeObject[] = [namespace('shop')]
  readonly quarantined = new Map<string, number>()
  #workloads = 0

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  whole(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1))
  }

  chance(part: number): boolean {
    return this.random() < part
  }

  one<T>(items: readonly T[]): T {
    const item = items[this.whole(0, items.length - 1)]
    if (item === undefined) throw new RangeError('nothing to choose from')
    return item
  }

  /** A movable workload; `only`: its node affinity. */
  workload(options: MadeWorkload): string {
    const key = `w${String(this.#workloads++).padStart(3, '0')}`
    const { only, isApart = false, spec, budget = { maxUnavailable: 1 }, ...rest } = options
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: hostname, operator: 'In', values: [...(only ?? [])] }] }] } }
    const podAntiAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels: { 'app.kubernetes.io/name': key } }, topologyKey: hostname }] }
    const affinity = { ...(only === undefined ? {} : { nodeAffinity }), ...(isApart ? { podAntiAffinity } : {}) }
    this.objects.push(
      ...workload(`shop/${key}`, {
        owner: 'descheduler',
        memoryMi: 64,
        ...rest,
        ...(budget === 'none' ? {} : { budget }),
        spec: { ...spec, ...(Object.keys(affinity).length === 0 ? {} : { affinity }) },
      }),
    )
    return key
  }

  /** What stands on a node and stays. */
  fill(on: string, cpu: number): void {
    if (cpu <= 0) return
    this.objects.push(...workload(`shop/fill-${on}`, { kind: 'DaemonSet', cpu, memoryMi: 64, on: [on], spec: { nodeSelector: { [hostname]: on } } }))
  }

  finish(goals: readonly Goal[], given: Partial<PlanPolicy> = {}): OptimumCluster {
    const objective = this.chance(0.5) ? 'moves' : 'cost'
    const headroom = { cpu: 100, memory: 100, pods: 100 }
    const limits = { perPlan: 200, concurrent: 1 }
    return { objects: this.objects, policy: policyWithDefaults({ name: 'optimum', landing: 'hold', objective, headroom, limits, goals, ...given }), nowMs, quarantined: this.quarantined }
  }
}

function goal(wanted: Pick<Goal, 'name' | 'nodes'> & Partial<Goal>): Goal {
  return { resource: 'cpu', stat: 'requests', margin: 0, hard: false, ...wanted }
}

/** The percentage below which a node of `size` stays when at least `leaves` of its `used` have left. */
function below(used: number, leaves: number, size: number): number {
  return Math.max(1, Math.floor(((used - leaves) * 100) / size) + 1)
}

/** A pod of each node has one node more where it may go, the next; most nodes are so full that it has to leave before another comes. */
function chain(made: Making): OptimumCluster {
  const count = made.chance(0.6) ? made.whole(3, 9) : made.whole(10, 60)
  const cpu = 4_000
  const sizes = Array.from({ length: count - 1 }, () => made.whole(4, 16) * 50)
  for (let at = 0; at < count; at++) made.objects.push(node(name(at), { cpu, pods: 30 }))
  const others: number[] = []
  for (const [at, size] of sizes.entries()) {
    const further = made.chance(0.2) ? [name(made.whole(0, count - 1))] : []
    made.workload({ cpu: size, on: [name(at)], only: [name(at), name(at + 1), ...further], kind: made.chance(0.2) ? 'StatefulSet' : 'Deployment' })
    const small = at === 0 || made.chance(0.3) ? made.whole(1, 4) * 50 : 0
    if (small > 0) made.workload({ cpu: small, on: [name(at), name(at)], only: [name(at), name(made.whole(0, count - 1))] })
    others.push(2 * small)
  }
  let used = cpu
  for (const [at, size] of [...sizes, 0].entries()) {
    const arriving = sizes[at - 1] ?? 0
    // Mostly too little for who is to come; on the last node mostly enough.
    const isOpen = at === count - 1 ? made.chance(0.85) : made.chance(0.04)
    const room = at === 0 || isOpen ? arriving + made.whole(0, 4) * 50 : Math.max(0, Math.min(arriving - 50, arriving - size + made.whole(0, 3) * 50))
    if (at === 0) used = cpu - room
    made.fill(name(at), cpu - size - (others[at] ?? 0) - room)
  }
  const first = sizes[0] ?? 0
  const goals = [goal({ name: 'light', nodes: [name(0)], max: below(used, made.whole(1, Math.max(1, Math.floor(first / 50))) * 50, cpu), hard: made.chance(0.2) })]
  return made.finish(goals)
}

/** Each pod may go to the next node of a ring, which is too full for it until its own pod has gone. */
function ring(made: Making, seed: number): OptimumCluster {
  const count = made.chance(0.8) ? made.whole(2, 5) : made.whole(6, 14)
  const cpu = 4_000
  const kind = (['none', 'stop', 'closed', 'slack', 'open', 'stop'] as const)[seed % 6] ?? 'none'
  const spare = name(count)
  const sizes = Array.from({ length: count }, () => made.whole(4, 14) * 50)
  // The first node gets something smaller than what it has.
  const [first = 0] = sizes
  const last = Math.max(50, first - made.whole(1, 6) * 50)
  sizes[count - 1] = last
  const slackAt = made.whole(1, count - 1)
  for (let at = 0; at < count; at++) {
    const size = sizes[at] ?? 0
    const arriving = sizes[(at + count - 1) % count] ?? 0
    const room = kind === 'slack' && at === slackAt ? arriving : Math.max(0, arriving - size)
    made.objects.push(node(name(at), { cpu, pods: 30 }))
    made.fill(name(at), cpu - size - Math.min(room, kind === 'slack' ? room : Math.max(0, arriving - 50)))
    const canStop = kind !== 'none' && (at === 0 || made.chance(0.5))
    made.workload({ cpu: size, on: [name(at)], only: [name(at), name((at + 1) % count), ...(canStop ? [spare] : [])], kind: made.chance(0.3) ? 'StatefulSet' : 'Deployment' })
  }
  const goals = [goal({ name: 'light', nodes: [name(0)], max: below(cpu - Math.max(0, last - first), Math.min(first, first - last), cpu), hard: made.chance(0.2) })]
  // The spare node has room for one pod, for a while (`stop`) or for good (`open`); or for none (`closed`).
  const largest = Math.max(...sizes)
  const room = kind === 'closed' ? Math.min(...sizes) - 50 : kind === 'stop' ? made.one([largest, Math.max(first, last)]) : largest
  made.objects.push(node(spare, { cpu, pods: 30 }))
  made.fill(spare, cpu - room)
  if (kind === 'stop') goals.push(goal({ name: 'spare', nodes: [spare], max: below(cpu - room, 0, cpu), hard: made.chance(0.5) }))
  for (let at = made.whole(0, 3); at > 0; at--) {
    const other = name(count + at)
    made.objects.push(node(other, { cpu, pods: 30 }))
    made.workload({ cpu: made.whole(1, 8) * 50, on: [other, other], only: [other] })
  }
  return made.finish(goals)
}

/** Nodes that are full but for what no pod of some size needs; the first is to get lighter. */
function full(made: Making): OptimumCluster {
  const count = made.chance(0.6) ? made.whole(3, 5) : made.whole(6, 40)
  const cpu = 4_000
  const most = count <= 5 ? 3 : 4
  let used = 0
  const onFirst: number[] = []
  for (let at = 0; at < count; at++) {
    let sum = 0
    for (let pods = made.whole(2, most); pods > 0; pods--) {
      const size = made.whole(2, 16) * 50
      sum += size
      if (at === 0) onFirst.push(size)
      made.workload({ cpu: size, on: [name(at)], kind: made.chance(0.25) ? 'StatefulSet' : 'Deployment', only: made.chance(0.2) ? [name(at), name((at + 1) % count)] : undefined })
    }
    made.objects.push(node(name(at), { cpu, pods: 30 }))
    const room = made.chance(0.5) ? 0 : made.whole(1, 3) * 50
    made.fill(name(at), cpu - sum - room)
    if (at === 0) used = cpu - room
  }
  const goals = [goal({ name: 'light', nodes: [name(0)], max: below(used, made.whole(1, 5) * 50, cpu), hard: made.chance(0.2) })]
  if (made.chance(0.3)) goals.push(goal({ name: 'second', nodes: [name(1)], max: below(cpu, 50, cpu) }))
  return made.finish(goals)
}

interface Place {
  readonly name: string
  readonly cpu: number
  readonly memoryMi: number
  readonly isTainted: boolean
  usedCpu: number
  usedMemoryMi: number
}

/** Random workloads that crowd on the first nodes; `family` says of what there is more than usual. */
function mixed(made: Making, family: Family): OptimumCluster {
  const count = made.chance(0.6) ? made.whole(3, 10) : made.whole(11, 60)
  const share = (of: Family) => (family === of ? 0.5 : family === 'random' ? 0.12 : 0.03)
  const places = Array.from({ length: count }, (_, at): Place => ({
    name: name(at),
    cpu: made.one([2_000, 4_000, 8_000]),
    memoryMi: made.one([4_096, 8_192, 16_384]),
    isTainted: at > 1 && made.chance(share('taints')),
    usedCpu: 0,
    usedMemoryMi: 0,
  }))
  const pool = (at: number) => `pool-${at % 2}`
  for (const [at, place] of places.entries()) {
    const taints = place.isTainted ? [{ key: 'only', value: 'some', effect: made.chance(0.8) ? 'NoSchedule' : 'NoExecute' }] : undefined
    made.objects.push(node(place.name, { cpu: place.cpu, memoryMi: place.memoryMi, pods: made.whole(8, 30), labels: { pool: pool(at) }, unschedulable: at > 2 && made.chance(0.05), ...(taints === undefined ? {} : { taints }) }))
  }
  for (let number = 0; number < count * made.whole(2, 4); number++) mixedWorkload(made, places, share, pool)
  const ordered = places.toSorted((a, b) => b.usedCpu / b.cpu - a.usedCpu / a.cpu)
  const hot = ordered.slice(0, made.whole(1, Math.max(1, Math.floor(count / 8))))
  const margin = made.chance(0.25) ? 1 : 0
  const goals = hot.map((place, at) => goal({ name: `down-${at}`, nodes: [place.name], margin, max: Math.max(5, Math.floor((place.usedCpu * 100) / place.cpu) - made.whole(3, 30)), hard: made.chance(0.1) }))
  const cold = ordered.at(-1)
  if (cold !== undefined && made.chance(0.5)) goals.push(goal({ name: 'up', nodes: [cold.name], margin, min: Math.min(60, Math.floor((cold.usedCpu * 100) / cold.cpu) + made.whole(2, 15)) }))
  const heavy = places.toSorted((a, b) => b.usedMemoryMi / b.memoryMi - a.usedMemoryMi / a.memoryMi)[0]
  if (heavy !== undefined && made.chance(0.4)) goals.push(goal({ name: 'memory', nodes: [heavy.name], resource: 'memory', margin, max: Math.max(5, Math.floor((heavy.usedMemoryMi * 100) / heavy.memoryMi) - made.whole(2, 12)) }))
  const limits = { perPlan: made.chance(0.25) ? made.whole(2, 6) : 200, concurrent: 1, ...(made.chance(0.1) ? { perNode: made.whole(2, 4) } : {}) }
  return made.finish(goals, { limits, headroom: { cpu: made.one([85, 90, 100]), memory: 90, pods: 95 } })
}

function mixedWorkload(made: Making, places: readonly Place[], share: (of: Family) => number, pool: (at: number) => string): void {
  const [cpu, memoryMi] = [made.whole(1, 12) * 50, made.whole(1, 10) * 64]
  const tolerates = made.chance(0.5)
  const wanted = made.chance(share('pools')) ? made.whole(0, 1) : undefined
  const isPinned = made.chance(share('volumes'))
  const isShared = !isPinned && made.chance(share('volumes'))
  const isApart = made.chance(0.1)
  const on: string[] = []
  for (let replicas = isPinned || isShared ? 1 : made.whole(1, 4); replicas > 0; replicas--) {
    const at = made.chance(0.5) ? made.whole(0, Math.min(1, places.length - 1)) : made.whole(0, places.length - 1)
    const place = places[at]
    if (place === undefined || (place.isTainted && !tolerates) || (wanted !== undefined && pool(at) !== pool(wanted))) continue
    if (place.usedCpu + cpu > place.cpu * 0.97 || place.usedMemoryMi + memoryMi > place.memoryMi * 0.97 || (isApart && on.includes(place.name))) continue
    if (on.filter(each => each === place.name).length > 3) continue
    place.usedCpu += cpu
    place.usedMemoryMi += memoryMi
    on.push(place.name)
  }
  if (on.length === 0) return
  const owner = made.chance(0.05) ? ('none' as const) : ('descheduler' as const)
  const budget = made.chance(share('budgets')) ? made.one(['none' as const, { maxUnavailable: 0 }, { minAvailable: on.length }, { minAvailable: '50%' }]) : { maxUnavailable: 1 }
  const claim = `data-${made.objects.length}`
  const key = made.workload({
    cpu,
    memoryMi,
    on,
    owner,
    budget,
    isApart,
    kind: made.chance(0.3) ? 'StatefulSet' : 'Deployment',
    spec: {
      ...(tolerates ? { tolerations: [{ key: 'only', operator: 'Exists' }] } : {}),
      ...(wanted === undefined ? {} : { nodeSelector: { pool: pool(wanted) } }),
      ...(isPinned || isShared ? claimVolume(claim) : {}),
      ...(made.chance(0.05) ? { priority: made.whole(1, 60) * 1_000_000 } : {}),
    },
  })
  if (isPinned || isShared) made.objects.push(...boundVolume('shop', claim, { volume: `volume-${claim}`, ...(isPinned ? { pinnedTo: on[0] ?? '' } : { accessModes: [made.one(['ReadWriteOnce', 'ReadWriteMany'])] }) }))
  if (made.chance(share('cooling'))) cool(made, key, on[0] ?? '', places)
}

/** Something happened to the workload of late: it is left alone for a while, or may not go back to where it came from. */
function cool(made: Making, key: string, on: string, places: readonly Place[]): void {
  const at = made.objects.findIndex(each => each.metadata.name === key && (each.kind === 'Deployment' || each.kind === 'StatefulSet'))
  const object = made.objects[at]
  if (object === undefined) throw new RangeError(`no workload ${key}`)
  if (made.chance(0.4)) {
    made.quarantined.set(`shop/${object.kind}/${key}`, nowMs + made.one([-60_000, 1_800_000]))
    return
  }
  const hours = made.one([1, 20, 30])
  const note = `${made.one(places).name}→${on}@${new Date(nowMs - hours * 3_600_000).toISOString()}`
  made.objects[at] = { ...object, metadata: { ...object.metadata, annotations: { 'ballast.dev/last-move': note } } }
}
