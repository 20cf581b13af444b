// RemoveDuplicates: several pods of one owner on a node where they could be spread. Kept as upstream has it: the owner is the one directly
// above (a ReplicaSet, not its Deployment); the first pod of a node is the reference and stays whatever the average is; cordoned nodes
// count as targets; a pod that has fewer than two nodes to choose from adds none; the average is over duplicates of all nodes, so pods
// of an owner with one pod a node are counted too. Not kept: a pod with two owners is wished for once, upstream asks twice.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import { requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { StrategyRun, StrategyView } from '../contract.ts'
import type { RemoveDuplicatesArgs } from '../policy/args.ts'
import { nodeChoiceIdentity } from './node-affinity-identity.ts'
import { choosing } from './pod-choice.ts'
import { compare } from './pod-order.ts'
import { firstUntolerated, forbidsScheduling, tolerationsIdentity } from './tolerance.ts'
import { Wishing } from './wishing.ts'

/** The pods of one owner and one list of images. */
interface Kin {
  /** Duplicates by node, without the first of each node. */
  readonly duplicates: Map<string, PodState[]>
  /** All of them, first ones too. */
  count: number
}

export function* removeDuplicates(args: RemoveDuplicatesArgs, view: StrategyView): StrategyRun {
  const wishing = new Wishing(view, args.plugin)
  const kins = kinsOf(args, view, wishing)
  const nodes = new Targets(view.nodes)
  for (const [owner, { duplicates, count }] of [...kins].sort(([a], [b]) => compare(a, b))) {
    const all = [...duplicates.values()].flat()
    if (all.length === 0) continue
    const targets = nodes.count(all)
    view.tell(2, 'feasible nodes', { owner, nodes: targets, strategy: args.plugin })
    if (targets < 2) {
      for (const pod of all) wishing.stays(pod, 'less than two feasible nodes for duplicates to land')
      continue
    }
    const average = Math.ceil(count / targets)
    for (const pods of duplicates.values()) {
      for (const pod of pods.slice(0, average - 1)) wishing.stays(pod, `its node has no more than the average of ${average}`)
      if ((yield* wishing.wishEach(pods.slice(average - 1))) === 'total-limit') return
    }
  }
}

function kinsOf(args: RemoveDuplicatesArgs, view: StrategyView, wishing: Wishing): ReadonlyMap<string, Kin> {
  const isChosen = choosing(args)
  const excluded = new Set(args.excludeOwnerKinds)
  const kins = new Map<string, Kin>()
  for (const node of view.nodes) {
    const firsts = new Set<string>()
    for (const pod of view.activePods(node.name)) {
      if (!isChosen(pod)) continue
      const owners = pod.object.metadata.ownerReferences ?? []
      if (owners.length === 0 || owners.some(({ kind }) => excluded.has(kind))) {
        wishing.stays(pod, owners.length === 0 ? 'it has no owner' : 'an owner is of an excluded kind')
        continue
      }
      if (!wishing.passesBoth(pod)) continue
      const images = pod.object.spec.containers.map(({ image = '' }) => image).sort()
      const names = owners.map(({ kind, name }) => `${pod.namespace}/${kind}/${name}`)
      const likeness = likenessOf(names, images)
      const isFirst = !firsts.has(likeness)
      if (isFirst) wishing.stays(pod, 'it is the first of its kind on its node')
      firsts.add(likeness)
      for (const name of names) {
        const owner = `${name}/${images.join('#')}`
        const kin: Kin = kins.get(owner) ?? { duplicates: new Map(), count: 0 }
        kins.set(owner, kin)
        kin.count++
        if (isFirst) continue
        const duplicates = kin.duplicates.get(node.name)
        if (duplicates === undefined) kin.duplicates.set(node.name, [pod])
        else duplicates.push(pod)
      }
    }
  }
  return kins
}

/** Equal for pods that are duplicates of each other: each owner with each image. */
function likenessOf(owners: readonly string[], images: readonly string[]): string {
  if (owners.length === 1 && images.length === 1) return `${owners[0]}/${images[0]}`
  const pairs = owners.flatMap(owner => images.map(image => `${owner}/${image}`))
  return pairs.sort().join('\n')
}

/** Which nodes pods could be on, looked up once for all that ask the same. */
class Targets {
  readonly #nodes: readonly NodeState[]
  readonly #known = new Map<string, readonly string[]>()

  constructor(nodes: readonly NodeState[]) {
    this.#nodes = nodes
  }

  /** How many nodes the pods could be on, of those pods that have at least two to choose from. */
  count(pods: readonly PodState[]): number {
    const lists = new Set(pods.map(pod => this.#of(pod)).filter(({ length }) => length > 1))
    const [first, ...others] = lists
    if (first === undefined || others.length === 0) return first?.length ?? 0
    return new Set([...lists].flat()).size
  }

  #of({ object }: PodState): readonly string[] {
    const { tolerations } = object.spec
    const identity = `${tolerationsIdentity(tolerations)};${nodeChoiceIdentity(object)}`
    const known = this.#known.get(identity)
    if (known !== undefined) return known
    const matches = requiredNodes(object)
    const fitting = this.#nodes.filter(
      node => firstUntolerated(tolerations, node.object.spec?.taints, forbidsScheduling) === undefined && matches(node.object),
    )
    const names = fitting.map(({ name }) => name)
    this.#known.set(identity, names)
    return names
  }
}
