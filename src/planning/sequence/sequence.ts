// Puts moves into an order in which each is possible when its turn comes, by playing them on a copy of the cluster: room on the
// destination before anything of the same wave is gone, a budget that allows it, every filter passed, the landing as wanted.

import type { PodState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import type { Budgets } from '../candidates/budgets.ts'
import { workloadKey } from '../goals/policy.ts'
import { waveGroups } from '../isolation/rules.ts'
import type { PlanInput } from '../plan-input.ts'
import type { Amounts, Move } from '../plan-record.ts'
import { type Acceptable, AcceptableNodes } from './acceptable-nodes.ts'
import { acceptance, namedNodes } from './acceptance.ts'
import { certificateOf } from './certificate.ts'
import { leastLikely, predictLanding } from './landing.ts'
import type { Intent } from './move-intent.ts'

export interface Blocked {
  readonly intent: Intent
  /** `order`: no room or no budget at any time; `refused`: a filter; `landing`: the scheduler would choose another node. */
  readonly why: 'order' | 'refused' | 'landing'
  readonly detail: string
}

export interface Sequence {
  readonly moves: readonly Move[]
  /** What `closed` of its moves speaks of. */
  readonly closedNodes: readonly string[]
  readonly blocked: readonly Blocked[]
}

interface Tools {
  readonly budgets: Budgets
  readonly snapshotHash: string
}

export async function sequenceMoves(input: PlanInput, intents: readonly Intent[], tools: Tools): Promise<Sequence> {
  const play = new Play(input, tools, new AcceptableNodes(input, intents))
  const moves: Omit<Move, 'id'>[] = []
  let left: readonly Intent[] = intents.toSorted(firstFirst)
  let blocked: readonly Blocked[] = []
  const hasBudget = ({ candidate }: Intent) => tools.budgets.covering(candidate.pod).length > 0
  for (let wave = 1; left.length > 0; wave++) {
    const played: Omit<Move, 'id'>[] = []
    blocked = []
    for (const group of waveGroups(input.state, input.policy, left, hasBudget)) {
      const part = await play.wave(group.intents, { number: wave, most: group.isOneByOne ? 1 : group.intents.length })
      blocked = [...blocked, ...part.blocked]
      played.push(...part.moves)
      if (played.length > 0) break
    }
    if (played.length === 0) break
    moves.push(...played)
    // By name: pods of a dump may have no UID.
    const gone = new Set(played.map(({ pod }) => `${pod.namespace}/${pod.name}`))
    left = left.filter(intent => !gone.has(intent.candidate.pod.key))
  }
  return { moves: withIds(moves), closedNodes: play.closedNodes, blocked: left.length === 0 ? [] : blocked }
}

/**
 * Plays `intents` in the order in which they are given, as many in a wave as go together. A pod that comes twice goes on from where it
 * stopped: its second intent has that node as `from`. After the first that cannot be played nothing is.
 */
export async function playInOrder(input: PlanInput, intents: readonly Intent[], tools: Tools): Promise<Sequence> {
  const play = new Play(input, tools, new AcceptableNodes(input, intents))
  const moves: Omit<Move, 'id'>[] = []
  let left = intents
  for (let wave = 1; left.length > 0; wave++) {
    const { moves: played, blocked } = await play.wave(left, { number: wave, most: left.length, isInOrder: true })
    moves.push(...played)
    left = left.slice(played.length)
    if (played.length === 0) return { moves: withIds(moves), closedNodes: play.closedNodes, blocked }
  }
  return { moves: withIds(moves), closedNodes: play.closedNodes, blocked: [] }
}

/**
 * Plays `intents` in the order in which they are given, each to its own node and no other, as many in a wave as go together. What cannot be
 * played when its turn comes is passed over.
 */
export async function playWhatGoes(input: PlanInput, intents: readonly Intent[], tools: Tools): Promise<Sequence> {
  const play = new Play(input, tools, new AcceptableNodes(input, intents), true)
  const moves: Omit<Move, 'id'>[] = []
  const blocked: Blocked[] = []
  let left = intents
  for (let wave = 1; left.length > 0; ) {
    const part = await play.wave(left, { number: wave, most: left.length, isInOrder: true })
    moves.push(...part.moves)
    // What is refused behind others of its wave may have waited for one of them, and is tried again.
    const passed = part.moves.length === 0 ? part.blocked : []
    blocked.push(...passed)
    left = left.slice(part.moves.length + passed.length)
    if (part.moves.length > 0) wave++
  }
  return { moves: withIds(moves), closedNodes: [], blocked }
}

/** Numbers the moves; one that takes a pod on from where another brought it names that one. */
function withIds(moves: readonly Omit<Move, 'id'>[]): readonly Move[] {
  const width = Math.max(2, String(moves.length).length)
  const last = new Map<string, string>()
  return moves.map((move, at) => {
    const id = `m${String(at + 1).padStart(width, '0')}`
    // By name: pods of a dump may have no UID.
    const key = `${move.pod.namespace}/${move.pod.name}`
    const follows = last.get(key)
    last.set(key, id)
    return { ...move, id, ...(follows === undefined ? {} : { follows }) }
  })
}

/** Stateless before stateful, large before small. */
function firstFirst(a: Intent, b: Intent): number {
  const isStateful = (intent: Intent) => Number(intent.candidate.workload.kind === 'StatefulSet')
  const size = (intent: Intent, resource: string) => intent.candidate.pod.requests[resource] ?? 0
  return (
    isStateful(a) - isStateful(b) ||
    size(b, 'cpu') - size(a, 'cpu') ||
    size(b, 'memory') - size(a, 'memory') ||
    (a.candidate.pod.key < b.candidate.pod.key ? -1 : 1)
  )
}

interface PlayedWave {
  readonly moves: readonly Omit<Move, 'id'>[]
  readonly blocked: readonly Blocked[]
}

class Play {
  readonly #input: PlanInput
  readonly #placement: Placement
  readonly #budgets: Budgets
  readonly #snapshotHash: string
  readonly #acceptable: AcceptableNodes
  /** Pods that have been moved, as they stand now; by the key of the pod that the cluster has. */
  readonly #standing = new Map<string, PodState>()
  /** What has left each node in this wave and may still be there when others of it arrive. */
  #leaving = new Map<string, Record<string, number>>()
  /** What is requested on nodes on which nothing has changed since it was counted. */
  readonly #used = new Map<string, Amounts>()

  /** Each replacement has to land on the very node that was chosen for it, in a large cluster too. */
  readonly #isExact: boolean

  constructor(input: PlanInput, { budgets, snapshotHash }: Tools, acceptable: AcceptableNodes, isExact = false) {
    this.#isExact = isExact
    this.#input = input
    this.#placement = new Placement(input.state, input.settings)
    this.#budgets = budgets.fork()
    this.#snapshotHash = snapshotHash
    this.#acceptable = acceptable
  }

  get closedNodes(): readonly string[] {
    return this.#acceptable.closedNodes.slice()
  }

  /** `isInOrder`: the wave ends with the first that cannot be played. */
  async wave(
    intents: readonly Intent[],
    wave: { readonly number: number; readonly most: number; readonly isInOrder?: boolean },
  ): Promise<PlayedWave> {
    for (const node of this.#leaving.keys()) this.#used.delete(node)
    this.#leaving = new Map()
    this.#acceptable.beginWave()
    const busy = new Set<string>()
    const moves: Omit<Move, 'id'>[] = []
    const blocked: Blocked[] = []
    let first: Omit<Move, 'id'> | undefined
    for (const intent of intents) {
      const workload = workloadKey(intent.candidate.workload)
      // One soft taint steers to one set of nodes: a wave under `prefer` has one.
      const isElsewhere = this.#input.policy.landing === 'prefer' && first !== undefined && !this.#accepts(first)(intent.to)
      if (blocked.length > 0 && wave.isInOrder === true) break
      if (busy.has(workload) || isElsewhere || moves.length >= wave.most) {
        if (wave.isInOrder === true) break
        continue
      }
      await this.#input.pause?.()
      const step = this.#stepEitherWay(intent, { number: wave.number, first })
      if ('why' in step) {
        blocked.push(step)
        continue
      }
      busy.add(workload)
      first ??= step
      moves.push(step)
    }
    this.#budgets.settle()
    return { moves, blocked }
  }

  /** A replacement that cannot stand beside the pod it replaces (a hard spread, anti-affinity) can after it: then the pod is evicted. */
  #stepEitherWay(intent: Intent, wave: Wave): Omit<Move, 'id'> | Blocked {
    const step = this.#step(intent, wave)
    if (!('why' in step) || step.why !== 'refused' || intent.action !== 'surge') return step
    return this.#step({ ...intent, action: 'evict' }, wave)
  }

  /** Plays one move, or says what it waits for and leaves everything as it was. */
  #step(intent: Intent, wave: Wave): Omit<Move, 'id'> | Blocked {
    const { candidate, to, action } = intent
    const { pod, from } = candidate
    const blocked = (why: Blocked['why'], detail: string): Blocked => ({ intent, why, detail })
    const budgetBefore = action === 'evict' ? this.#budgets.covering(pod) : []
    if (budgetBefore.some(budget => budget.allowed < 1))
      return blocked('order', `budget ${budgetBefore[0]?.name ?? ''} allows no disruption`)
    const freeBefore = this.#freeOf(to)
    const short = shortResource(pod.requests, freeBefore)
    if (short !== undefined) return blocked('order', `${short} on ${to}`)
    const standing = this.#standing.get(pod.key) ?? pod
    const pending = action === 'surge' ? this.#placement.asRolledOut(standing) : this.#placement.asPending(standing)
    if (action === 'evict') this.#remove(standing, from)
    const { landing, undo, ...open } = this.#land(intent, pending, wave.first)
    if (landing.refusal !== undefined || landing.likely < leastLikely) {
      undo?.()
      if (action === 'evict') this.#bind(standing, from)
      if (landing.refusal === undefined) return blocked('landing', namedNodes(landing.nodes))
      return blocked(landing.refusal.filter === 'NodeResourcesFit' ? 'order' : 'refused', landing.refusal.reason)
    }
    this.#bind(pending, to)
    if (action === 'surge') this.#remove(standing, from)
    this.#standing.set(pod.key, pending)
    if (action === 'evict') this.#budgets.evict(pod)
    this.#leave(from, pod.requests)
    this.#acceptable.played(intent, open)
    const certificate = certificateOf({
      snapshotHash: this.#snapshotHash,
      candidate,
      to,
      freeBefore,
      landing: { mode: this.#input.policy.landing, ...landing },
      budget: budgetBefore[0],
      settings: this.#input.settings,
    })
    const identity = { namespace: pod.namespace, name: pod.name, uid: pod.uid }
    return { wave: wave.number, pod: identity, workload: candidate.workload, from, to, ...open, action, certificate }
  }

  #accepts(move: Omit<Move, 'id'>): (node: string) => boolean {
    return acceptance({ closedNodes: this.#acceptable.closedNodes }, move)
  }

  /** Where it lands when all but one node are tainted; in a large cluster, with all nodes open on which it may land as well. */
  #land(intent: Intent, pending: PodState, first: Omit<Move, 'id'> | undefined): Landed {
    const { to } = intent
    const { landing: mode } = this.#input.policy
    const placement = this.#placement
    if (this.#isExact || mode !== 'prefer' || !this.#acceptable.isLarge)
      return { landing: predictLanding(placement, pending, { mode, to }), acceptable: [to] }
    const fitting = placement.fitting(pending)
    const standing = {
      used: (node: string) => this.#usedOf(node),
      fits: (node: string) => fitting(node).kind !== 'refused',
    }
    const open =
      first === undefined ? this.#acceptable.first(intent, standing) : this.#acceptable.further(intent, standing, first)
    if (open === undefined) return { landing: unled, acceptable: [to] }
    const accepts = acceptance({ closedNodes: this.#acceptable.closedNodes }, { ...open, from: intent.candidate.from })
    return { ...open, landing: predictLanding(placement, pending, { mode, to, accepts }) }
  }

  /** Requested on a node, with what left it in this wave. The very same object until that changes. */
  #usedOf(node: string): Amounts {
    const known = this.#used.get(node) ?? this.#countUsed(node)
    this.#used.set(node, known)
    return known
  }

  #countUsed(node: string): Amounts {
    const free = this.#freeOf(node)
    const { allocatable = {} } = this.#input.state.nodes.get(node) ?? {}
    return Object.fromEntries(Object.entries(allocatable).map(([resource, amount]) => [resource, amount - (free[resource] ?? 0)]))
  }

  /** Free on a node while nothing of this wave is gone yet. */
  #freeOf(node: string): Amounts {
    const leaving = this.#leaving.get(node) ?? {}
    const free = Object.entries(this.#placement.freeOf(node)).map(([resource, amount]) => [
      resource,
      amount - (leaving[resource] ?? 0),
    ])
    return Object.fromEntries(free.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)))
  }

  #bind(pod: PodState, node: string): void {
    this.#placement.bind(pod, node)
    this.#used.delete(node)
  }

  #remove(pod: PodState, node: string): void {
    this.#placement.remove(pod.key)
    this.#used.delete(node)
  }

  #leave(node: string, requests: Amounts): void {
    this.#used.delete(node)
    const leaving = this.#leaving.get(node) ?? {}
    for (const [resource, amount] of Object.entries({ ...requests, pods: 1 }))
      leaving[resource] = (leaving[resource] ?? 0) + amount
    this.#leaving.set(node, leaving)
  }
}

interface Wave {
  readonly number: number
  /** Its first move: which nodes are open is settled by it. */
  readonly first: Omit<Move, 'id'> | undefined
}

interface Landed extends Acceptable {
  readonly landing: ReturnType<typeof predictLanding>
  readonly undo?: () => void
}

/** It can be led nowhere with certainty. */
const unled: ReturnType<typeof predictLanding> = { nodes: [], totals: {}, likely: 0 }

/** The first resource of which there is too little; what is requested as 0 needs nothing. */
function shortResource(requests: Amounts, free: Amounts): string | undefined {
  if ((free['pods'] ?? 0) < 1) return 'pods'
  return Object.keys(requests).find(
    resource => (requests[resource] ?? 0) > 0 && (requests[resource] ?? 0) > (free[resource] ?? 0),
  )
}
