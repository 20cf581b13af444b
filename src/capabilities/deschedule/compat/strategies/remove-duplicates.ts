// RemoveDuplicates: several pods of one owner on a node where they could be spread. Kept as upstream has it: the owner is the one directly
// above (a ReplicaSet, not its Deployment); the first pod of a node is the reference and stays whatever the average is; cordoned nodes
// count as targets; a pod that has fewer than two nodes to choose from adds none; the average is over duplicates of all nodes, so pods
// of an owner with one pod a node are counted too. Not kept: a pod with two owners is wished for once, upstream asks twice.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import { requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { StrategyRun, StrategyView } from '../contract.ts'
import { type Breath, breath, type Pace } from '../pace.ts'
import type { ByShape } from '../pod-shapes.ts'
import type { RemoveDuplicatesArgs } from '../policy/args.ts'
import { nodeChoiceIdentity } from './node-affinity-identity.ts'
import { choosing } from './pod-choice.ts'
import { compare } from './pod-order.ts'
import { firstUntolerated, forbidsScheduling, tolerationsIdentity } from './tolerance.ts'
import { Wishing } from './wishing.ts'

/** The pods of one owner and one list of images. */
interface Kin {
  readonly name: string
  /** Duplicates by node, without the first of each node. */
  readonly duplicates: Map<string, PodState[]>
  /** All of them, first ones too. */
  count: number
}

/** Pods that are duplicates of each other where they are on one node: each owner with each image. */
interface Likes {
  /** One for each owner. */
  readonly kins: readonly Kin[]
  /** The node on which one was met last. */
  metOn: string
}

export function* removeDuplicates(args: RemoveDuplicatesArgs, view: StrategyView): StrategyRun {
  const wishing = new Wishing(view, args.plugin)
  const kins = yield* kinsOf(args, view, wishing)
  const nodes = new Targets(view)
  for (const { name, duplicates, count } of kins.toSorted((a, b) => compare(a.name, b.name))) {
    const all = [...duplicates.values()].flat()
    if (view.pace.isDue(1 + all.length)) yield breath
    if (all.length === 0) continue
    const targets = nodes.count(all)
    view.tell(2, 'feasible nodes', { owner: name, nodes: targets, strategy: args.plugin })
    if (targets < 2) {
      for (const pod of all) wishing.stays(pod, 'less than two feasible nodes for duplicates to land')
      continue
    }
    const average = Math.ceil(count / targets)
    for (const pods of duplicates.values()) {
      for (const pod of pods.slice(0, average - 1))
        wishing.stays(pod, () => `its node has no more than the average of ${average}`)
      if ((yield* wishing.wishEach(pods.slice(average - 1))) === 'total-limit') return
    }
  }
}

function* kinsOf(args: RemoveDuplicatesArgs, view: StrategyView, wishing: Wishing): Generator<Breath, readonly Kin[], unknown> {
  const isChosen = choosing(args, view)
  const register = new Register(args.excludeOwnerKinds)
  const likesOf = view.byShape(pod => register.likesOf(pod))
  for (const node of view.nodes) {
    for (const pod of view.activePods(node.name)) {
      if (view.pace.isDue()) yield breath
      if (!isChosen(pod)) continue
      const likes = likesOf(pod)
      if (typeof likes === 'string') {
        wishing.stays(pod, likes)
        continue
      }
      if (!wishing.passesBoth(pod)) continue
      const isFirst = likes.metOn !== node.name
      if (isFirst) wishing.stays(pod, 'it is the first of its kind on its node')
      likes.metOn = node.name
      for (const kin of likes.kins) {
        kin.count++
        if (isFirst) continue
        const duplicates = kin.duplicates.get(node.name)
        if (duplicates === undefined) kin.duplicates.set(node.name, [pod])
        else duplicates.push(pod)
      }
    }
  }
  return register.kins
}

/** Who belongs together. */
class Register {
  readonly #excluded: ReadonlySet<string>
  readonly #kins = new Map<string, Kin>()
  readonly #likes = new Map<string, Likes>()

  constructor(excludeOwnerKinds: readonly string[]) {
    this.#excluded = new Set(excludeOwnerKinds)
  }

  get kins(): readonly Kin[] {
    return [...this.#kins.values()]
  }

  /** A text says why the pod has no duplicates. */
  likesOf({ object, namespace }: PodState): Likes | string {
    const owners = object.metadata.ownerReferences ?? []
    if (owners.length === 0) return 'it has no owner'
    if (owners.some(({ kind }) => this.#excluded.has(kind))) return 'an owner is of an excluded kind'
    const images = object.spec.containers.map(({ image = '' }) => image).sort()
    const names = owners.map(({ kind, name }) => `${namespace}/${kind}/${name}`)
    const pairs = names.flatMap(name => images.map(image => `${name}/${image}`)).sort()
    const identity = pairs.join('\n')
    const known = this.#likes.get(identity)
    if (known !== undefined) return known
    const likes = { kins: names.map(name => this.#kin(`${name}/${images.join('#')}`)), metOn: '' }
    this.#likes.set(identity, likes)
    return likes
  }

  #kin(name: string): Kin {
    const kin = this.#kins.get(name) ?? { name, duplicates: new Map(), count: 0 }
    this.#kins.set(name, kin)
    return kin
  }
}

/** Which nodes pods could be on, looked up once for all that ask the same. */
class Targets {
  readonly #known = new Map<string, readonly string[]>()
  readonly #namesOf: ByShape<readonly string[]>
  readonly #pace: Pace

  constructor({ nodes, byShape, pace }: Pick<StrategyView, 'nodes' | 'byShape' | 'pace'>) {
    this.#pace = pace
    this.#namesOf = byShape(pod => this.#names(pod, nodes))
  }

  /** How many nodes the pods could be on, of those pods that have at least two to choose from. */
  count(pods: readonly PodState[]): number {
    const lists = new Set<readonly string[]>()
    for (const pod of pods) {
      const names = this.#namesOf(pod)
      if (names.length > 1) lists.add(names)
    }
    const [first, ...others] = lists
    if (first === undefined || others.length === 0) return first?.length ?? 0
    return new Set([...lists].flat()).size
  }

  #names({ object }: PodState, nodes: readonly NodeState[]): readonly string[] {
    const { tolerations } = object.spec
    const identity = `${tolerationsIdentity(tolerations)};${nodeChoiceIdentity(object)}`
    const known = this.#known.get(identity)
    if (known !== undefined) return known
    const matches = requiredNodes(object)
    this.#pace.spend(nodes.length)
    const fitting = nodes.filter(
      node => firstUntolerated(tolerations, node.object.spec?.taints, forbidsScheduling) === undefined && matches(node.object),
    )
    const names = fitting.map(({ name }) => name)
    this.#known.set(identity, names)
    return names
  }
}
