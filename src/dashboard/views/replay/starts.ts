// What stood on a node when a plan was made. The plan's record has the sums of each node and every pod that moves; the pods that stay are
// those of the present cluster, as far as they are older than the plan and do not ask for more than the record says. What is left over is one tile, so
// that the tiles of a node always come to its sum.
import type { PodState } from '#cluster/cluster-state.ts'
import { remedyOf } from '#coordination/account/plan-entries.ts'
import type { PlanMove, RebalancePlan } from '#coordination/api.ts'
import type { ReplayTile } from '../../contract-replay.ts'
import type { Picture } from '../../picture.ts'
import { notNeeded, staysBecause, wayOut } from '../../words/en-plan.ts'
import * as words from '../../words/en-replay.ts'
import { madeAtMs } from '../plans/plan-facts.ts'
import { unknownBecause } from '../sources.ts'
import type { Viewing } from '../viewing.ts'
import { kindOfStay } from './stay-kinds.ts'

/** Amounts in the order of the replay's resources. */
export type Amounts = readonly number[]

export interface NodeStart {
  readonly node: string
  readonly allocatable: Amounts
  readonly requested: Amounts
  readonly pods: number
  /** All but the box. */
  readonly tiles: readonly Omit<ReplayTile, 'box'>[]
  /** Its pods that stay are known only by their sum. */
  readonly isFromRecord: boolean
}

/** Tiles of one node that are drawn one by one; the smallest beyond that are drawn as one. */
const mostTilesOfNode = 80
/** As many reasons as a plan keeps. */
const fullList = 1_000

export class Starts {
  readonly #picture: Picture
  readonly #plan: RebalancePlan
  readonly #resources: readonly string[]
  readonly #viewing: Viewing
  readonly #recorded: ReadonlyMap<string, Recorded>
  /** By node: moves that begin there with a pod that stands there from the beginning. */
  readonly #movers: ReadonlyMap<string, readonly PlanMove[]>
  readonly #reasons: ReadonlyMap<string, Stayed>
  /** Uids of pods that move, or came in the place of one that moved. */
  readonly #moved: ReadonlySet<string>
  readonly #isPresentKnown: boolean

  constructor(picture: Picture, plan: RebalancePlan, resources: readonly string[], viewing: Viewing) {
    this.#picture = picture
    this.#plan = plan
    this.#resources = resources
    this.#viewing = viewing
    this.#recorded = recordedOf(plan, resources)
    const { moves } = plan.spec
    this.#movers = Map.groupBy(
      moves.filter(({ follows }) => follows === undefined),
      ({ from }) => from,
    )
    this.#reasons = new Map(
      (plan.status?.unmovable ?? []).flatMap(stay => (stay.pod === undefined ? [] : [[stay.pod, stay] as const])),
    )
    this.#moved = new Set([
      ...moves.map(({ pod }) => pod.uid),
      ...(plan.status?.steps ?? []).flatMap(({ replacement }) => replacement?.uid ?? []),
    ])
    this.#isPresentKnown = picture.past === undefined && unknownBecause(picture, 'pods') === undefined
  }

  /** Nodes that anything is known of, in order of name. */
  get nodes(): readonly string[] {
    const told = this.#plan.spec.moves.flatMap(({ from, to }) => [from, to])
    return [...new Set([...this.#picture.state.nodes.keys(), ...this.#recorded.keys(), ...told])].toSorted(byNumbers)
  }

  /** `undefined`: nothing is kept of the node but that moves name it. `isWhole`: its pods that stay are one tile, as a pool wants them. */
  of(node: string, isWhole = false): NodeStart | undefined {
    const movers = (this.#movers.get(node) ?? []).map(move => this.#moverTile(move))
    const staying = isWhole ? this.#stayingTogether(node) : this.#stayingOn(node).map(pod => this.#stayTile(pod))
    const recorded = this.#recorded.get(node)
    const present = this.#picture.state.nodes.get(node)
    if (recorded === undefined && (present === undefined || !this.#isPresentKnown)) return undefined
    const known = sumOf([...movers, ...staying], this.#resources.length)
    const requested = known.amounts.map((amount, index) => recorded?.requested[index] ?? amount)
    const pods = recorded?.pods ?? known.pods
    const allocatable = this.#resources.map(
      (resource, index) => recorded?.allocatable[index] ?? present?.allocatable[resource] ?? 0,
    )
    const isFitting = pods >= known.pods && requested.every((amount, index) => amount >= (known.amounts[index] ?? 0))
    const shown = isFitting ? staying : []
    const rest = restOf({ amounts: requested, pods }, sumOf([...movers, ...shown], this.#resources.length))
    const record: readonly words.TogetherReason[] = ['record']
    const parts = this.#drawn(shown)
    const isLeft = rest.pods > 0 || rest.amounts.some(amount => amount > 0)
    const together = [...(isLeft ? [{ ...rest, reasons: record }] : []), ...parts.together]
    const tiles = [...parts.tiles, ...restTile(node, together, this.#resources.length), ...movers]
    const sum = sumOf(tiles, this.#resources.length)
    // What a record says that its own moves contradict is not drawn: the tiles are the sum.
    return { node, allocatable, requested: sum.amounts, pods: sum.pods, tiles, isFromRecord: !isFitting || rest.pods > 0 }
  }

  #moverTile(move: PlanMove): Omit<ReplayTile, 'box'> {
    const { kind, namespace, name } = move.workload
    return {
      id: move.id,
      kind: 'moves',
      pods: 1,
      pod: { kind: 'Pod', namespace: move.pod.namespace, name: move.pod.name },
      workload: { kind, namespace, name },
      amounts: amountsOfMove(move, this.#resources),
      because: words.movesBy({ plan: this.#plan.metadata.name, to: move.to }),
      remedy: null,
    }
  }

  /** Pods of the present that stood there when the plan was made, and stay. */
  #stayingOn(node: string): readonly PodState[] {
    if (!this.#isPresentKnown) return []
    const madeMs = madeAtMs(this.#plan)
    return this.#picture.state.podsOn(node).filter(({ uid, object }) => {
      const createdMs = Date.parse(object.metadata.creationTimestamp ?? '')
      return !this.#moved.has(uid) && !(madeMs > 0 && createdMs > madeMs)
    })
  }

  /** Their sum, without a word of each: there may be many thousands. */
  #stayingTogether(node: string): readonly Omit<ReplayTile, 'box'>[] {
    const pods = this.#stayingOn(node).map(pod => ({ amounts: this.#amountsOf(pod), pods: 1 }))
    if (pods.length === 0) return []
    return restTile(node, [{ ...sumOf(pods, this.#resources.length), reasons: ['pool'] }], this.#resources.length)
  }

  #amountsOf({ requests }: PodState): Amounts {
    return this.#resources.map(resource => (resource === 'pods' ? 1 : (requests[resource] ?? 0)))
  }

  #stayTile(pod: PodState): Omit<ReplayTile, 'box'> {
    const { key, namespace, name, workload } = pod
    return {
      id: `pod ${key}`,
      pods: 1,
      pod: { kind: 'Pod', namespace, name },
      workload: workload === undefined ? null : { kind: workload.kind, namespace: workload.namespace, name: workload.name },
      amounts: this.#amountsOf(pod),
      ...this.#whyStays(pod),
    }
  }

  #whyStays(pod: PodState): Pick<ReplayTile, 'kind' | 'because' | 'remedy'> {
    const stay = this.#reasons.get(pod.key)
    if (stay === undefined)
      return this.#plan.status?.unmovable !== undefined && this.#reasons.size < fullList
        ? { kind: 'may', because: notNeeded({ pods: 1 }), remedy: null }
        : { kind: 'rest', because: words.reasonNotKept(), remedy: null }
    const remedy = remedyOf(stay, this.#picture.ownerLabel)
    return {
      kind: kindOfStay(stay.reason, pod),
      because: staysBecause({ reason: stay.reason, message: stay.message ?? '' }),
      remedy: remedy === undefined ? null : wayOut(remedy),
    }
  }

  /** The largest that may be named one by one; the others counted. */
  #drawn(tiles: readonly Omit<ReplayTile, 'box'>[]): {
    readonly tiles: readonly Omit<ReplayTile, 'box'>[]
    readonly together: readonly Together[]
  } {
    const seen = tiles.filter(({ pod }) => this.#viewing.sees(pod?.namespace ?? undefined))
    const hidden = tiles.filter(tile => !seen.includes(tile))
    const ordered = seen.toSorted((a, b) => (b.amounts[0] ?? 0) - (a.amounts[0] ?? 0) || (a.id < b.id ? -1 : 1))
    const small = ordered.slice(mostTilesOfNode)
    const count = this.#resources.length
    return {
      tiles: ordered.slice(0, mostTilesOfNode),
      together: [
        ...(hidden.length === 0 ? [] : [{ ...sumOf(hidden, count), reasons: ['hidden'] as const }]),
        ...(small.length === 0 ? [] : [{ ...sumOf(small, count), reasons: ['small'] as const }]),
      ],
    }
  }
}

type Stayed = NonNullable<NonNullable<RebalancePlan['status']>['unmovable']>[number]

interface Sum {
  readonly amounts: Amounts
  readonly pods: number
}

interface Together extends Sum {
  readonly reasons: readonly words.TogetherReason[]
}

/** What the pod of a move asks for. */
export function amountsOfMove({ certificate: { requests } }: PlanMove, resources: readonly string[]): Amounts {
  return resources.map(resource => (resource === 'pods' ? 1 : Math.max(0, requests[resource] ?? 0)))
}

/** Sum of several tiles; `count` resources. */
export function sumOf(parts: readonly Sum[], count: number): Sum {
  const amounts = Array.from({ length: count }, () => 0)
  let pods = 0
  for (const part of parts) {
    pods += part.pods
    for (let index = 0; index < count; index++) amounts[index] = (amounts[index] ?? 0) + (part.amounts[index] ?? 0)
  }
  return { amounts, pods }
}

/** One tile for all that is not drawn one by one; none where that is nothing. */
export function restTile(box: string, together: readonly Together[], count: number): readonly Omit<ReplayTile, 'box'>[] {
  if (together.length === 0) return []
  const { amounts, pods } = sumOf(together, count)
  const reasons = [...new Set(together.flatMap(part => part.reasons))]
  const because = words.podsTogether({ pods, reasons })
  return [{ id: `rest ${box}`, kind: 'rest', pods, pod: null, workload: null, amounts, because, remedy: null }]
}

function restOf(all: Sum, known: Sum): Sum {
  return {
    amounts: all.amounts.map((amount, index) => Math.max(0, amount - (known.amounts[index] ?? 0))),
    pods: Math.max(0, all.pods - known.pods),
  }
}

/** What a plan says of a node before it; undefined where it does not say. */
interface Recorded {
  readonly requested: readonly (number | undefined)[]
  readonly allocatable: readonly (number | undefined)[]
  readonly pods: number | undefined
}

function recordedOf(plan: RebalancePlan, resources: readonly string[]): ReadonlyMap<string, Recorded> {
  const nodes = Map.groupBy(plan.status?.before ?? [], ({ node }) => node)
  return new Map(
    Array.from(nodes, ([node, rows]) => {
      const row = new Map(rows.map(one => [one.resource, one]))
      const requested = resources.map(resource => wholeOf(row.get(resource)?.requested))
      const allocatable = resources.map(resource => wholeOf(row.get(resource)?.allocatable))
      return [node, { requested, allocatable, pods: wholeOf(row.get('pods')?.requested) }]
    }),
  )
}

/** `undefined` of what is no such figure. */
function wholeOf(text: string | undefined): number | undefined {
  const amount = Number(text)
  return text !== undefined && Number.isSafeInteger(amount) && amount >= 0 ? amount : undefined
}

/** `n2` before `n10`. */
const byNumbers = new Intl.Collator('en', { numeric: true }).compare
