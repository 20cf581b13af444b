// A look, from the state of a cluster or from the files of a repository. Pure.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import { shown } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { measurementsOf } from '#planning/goals/measurements.ts'
import type { EnergyNode } from '#planning/goals/policy.ts'
import { proposeGoals } from '#planning/proposals/proposals.ts'
import { ownProgramIn } from '#upstreams/own-program.ts'
import { findUpstreams } from '#upstreams/recognition.ts'
import { swapWords } from '#upstreams/swap-words.ts'
import type { Upstream } from '#upstreams/upstream.ts'
import { toldUses } from '../repository/upstream-findings.ts'
import type { Repository } from '../repository.ts'
import type { Look, Present } from './look.ts'
import { lossesOf } from './losses.ts'
import { rivalries } from './rivals.ts'
import { wasteOf } from './waste.ts'

interface LookedCluster {
  readonly looked: string
  /** Read from an API server just now, not from a dump. */
  readonly isLive: boolean
  readonly state: ClusterState
  readonly objects: readonly KubeObject[]
  readonly settings: SchedulerSettings
  /** What nodes draw, where a RebalancePolicy says it. */
  readonly energy: readonly EnergyNode[]
}

/** What a cluster says of itself. */
export function lookAtCluster({ looked, isLive, state, objects, settings, energy }: LookedCluster): Look {
  const measured = measurementsOf(objects)
  const present = findUpstreams(objects)
    .filter(({ upstream, workload }) => ownProgramIn(upstream, workload) === undefined)
    .map(({ upstream, workload, version, chart, isLive }): Present => {
      const told = [version === undefined ? undefined : `image ${version}`, chart === undefined ? undefined : `chart ${chart}`]
      const text = told.filter(part => part !== undefined).join(', ')
      return presentOf(upstream, text === '' ? 'no version said' : text, shown(workload), !isLive)
    })
  const losses = lossesOf(state, settings)
  const has = (isIt: (object: KubeObject) => boolean) => objects.some(isIt)
  const remedy = isLive ? 'or this account may not read them' : 'ballast snapshot --look keeps them'
  const unknown = [
    ...(measured.pods.size === 0 ? ['what pods use: nothing of metrics.k8s.io is here'] : []),
    ...(has(({ kind }) => kind === 'Event') ? [] : [`who evicted whom: no Events are here (${remedy})`]),
    ...(has(({ metadata }) => (metadata.managedFields ?? []).length > 0)
      ? []
      : [`who wrote what: no managedFields are here (${remedy})`]),
    ...(losses === undefined ? ['what the loss of a node breaks: there are too many pods and nodes to play it'] : []),
    ...(energy.length === 0 ? ['watts: no RebalancePolicy says what nodes draw (spec.energy)'] : []),
  ]
  return {
    looked,
    of: 'cluster',
    present,
    rivalries: rivalries(present, objects),
    waste: wasteOf(state, measured, energy),
    ...(losses === undefined ? {} : { losses }),
    proposals: proposeGoals(state, measured),
    unknown,
  }
}

/** What the files of a repository say. */
export function lookAtRepository(looked: string, repository: Repository): Look {
  const uses = toldUses(repository)
  const present = uses.map(({ upstream, what, use }) => presentOf(upstream, what, `${use.file}:${use.line}`, use.isSuspended))
  const objects = repository.objects.flatMap(({ object, namespaces, isApplied }) => {
    const [namespace] = namespaces
    if (!isApplied) return []
    return [namespace === undefined ? object : { ...object, metadata: { ...object.metadata, namespace } }]
  })
  return {
    looked,
    of: 'repository',
    present,
    rivalries: rivalries(oncePerName(present), objects),
    proposals: [],
    unknown: ['what is used, wasted or lost with a node: files do not say it; look at the cluster, too'],
  }
}

/** A helmfile that installs first what Flux takes over then is one installation. */
function oncePerName(present: readonly Present[]): readonly Present[] {
  return [...Map.groupBy(present, ({ name }) => name).values()].flatMap(ones => ones.slice(0, 1))
}

function presentOf({ name, capability, replaced }: Upstream, version: string, where: string, isOff: boolean): Present {
  const base = { name, version, where, capability, isOff }
  if (replaced === undefined) return base
  return { ...base, swap: { how: swapWords[replaced.swap.part.kind], command: `ballast migrate plan ${replaced.id}` } }
}
