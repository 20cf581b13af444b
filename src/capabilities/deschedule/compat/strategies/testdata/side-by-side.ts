// What upstream was seen to evict, as it is recorded, and when ours is the same.
import type { PodState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { referenceCluster } from '#planning/testdata/reference-cluster.ts'
import type { StrategyName } from '../../policy/args.ts'
import { messyCluster } from './messy-cluster.ts'
import { oneCycle } from './one-cycle.ts'
import { policyCases, policyText } from './policies.ts'

/** One cluster under one policy. */
export interface RecordedCase {
  /** The name of the policy among those of its strategy. */
  readonly policy: string
  /** Seed of the messy cluster; 0: the reference cluster. */
  readonly seed: number
  /** How often upstream was run, until it evicted what ours does. */
  readonly runs: number
  /** What upstream evicted in that run; in its first one where `anyOf` is there. By key. */
  readonly evicted: readonly string[]
  /**
   * Where upstream leaves so much to the order of Go's maps that no run of 50 hit ours: all that it evicted in one of them. From each node
   * and owner it took equally many every time.
   */
  readonly anyOf?: readonly string[]
}

export interface SideBySide {
  readonly strategy: StrategyName
  readonly version: string
  readonly command: string
  /** Revision of the clusters. */
  readonly revision: number
  readonly cases: readonly RecordedCase[]
}

/** A policy on a cluster: objects, the file's text, and what ours evicts. */
interface Side {
  readonly objects: readonly KubeObject[]
  readonly policy: string
  /** By key, sorted. */
  readonly ours: readonly string[]
  /** How many of these pods each node and owner loses, as a text that is equal where the counts are. */
  counts(keys: readonly string[]): string
}

/** @throws Error for a policy that is not there */
export function sideOf(strategy: StrategyName, { policy: name, seed }: Pick<RecordedCase, 'policy' | 'seed'>, nowMs: number): Side {
  const found = policyCases.find(one => one.strategy === strategy && one.name === name)
  if (found === undefined) throw new Error(`${strategy}: no policy is called ${JSON.stringify(name)}`)
  const objects = seed === 0 ? ranked(referenceCluster()) : messyCluster(seed, nowMs)
  const policy = policyText(found)
  const { evicted, state } = oneCycle(objects, policy, { nowMs })
  return {
    objects,
    policy,
    ours: evicted.map(({ key }) => key).sort(),
    counts(keys) {
      const places = keys.map(key => placeOf(state.pods.get(key)))
      return [...Map.groupBy(places, place => place)].map(([place, of]) => `${place} ${of.length}`).sort().join('\n')
    },
  }
}

/**
 * Every pod with a priority of its own, since among equals upstream takes whichever comes first; no budgets, since nobody keeps their
 * status where no controller runs.
 */
function ranked(objects: readonly KubeObject[]): readonly KubeObject[] {
  return objects
    .filter(({ kind }) => kind !== 'PodDisruptionBudget')
    .map((object, at) =>
      object.kind === 'Pod' ? { ...object, spec: { ...Object(object['spec']), priority: (at * 7_919) % 100_003 } } : object,
    )
}

function placeOf(pod: PodState | undefined): string {
  const owners = pod?.object.metadata.ownerReferences?.map(({ kind, name }) => `${kind}/${name}`)
  return [pod?.namespace, pod?.nodeName, ...(owners ?? [])].join(' ')
}

/** Why ours is not what upstream did, `undefined` where it is. */
export function difference({ ours, counts }: Side, { evicted, anyOf }: RecordedCase): string | undefined {
  if (anyOf === undefined) {
    const [more, less] = [ours.filter(key => !evicted.includes(key)), evicted.filter(key => !ours.includes(key))]
    return more.length + less.length === 0 ? undefined : `ours alone: ${more.join(' ')}; upstream alone: ${less.join(' ')}`
  }
  const never = ours.filter(key => !anyOf.includes(key))
  if (never.length > 0) return `upstream never evicted ${never.join(' ')}`
  return counts(ours) === counts(evicted) ? undefined : `upstream took otherwise from nodes and owners: ${evicted.join(' ')}`
}
