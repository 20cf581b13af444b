// Which workloads a manifest can place: pods of one template are alike, so that all of them have to be free to move. The others are named
// with the reason.

import type { PodState, WorkloadReference } from '#cluster/cluster-state.ts'
import { kindKey } from '#cluster/ownership.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Sorting } from '../candidates/movable.ts'
import { workloadKey } from '../goals/policy.ts'
import type { PlanInput } from '../plan-input.ts'
import type { Unmovable } from '../plan-record.ts'

/** A workload with a template of which every pod may move. */
export interface TemplateUnit {
  readonly key: string
  readonly workload: WorkloadReference
  readonly object: KubeObject
  readonly pods: readonly PodState[]
}

export interface TemplateUnits {
  readonly units: readonly TemplateUnit[]
  /** Why a workload of which some pod may move has no such unit, by `namespace/kind/name`. */
  readonly refused: ReadonlyMap<string, string>
}

const templated: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet'])

export function templateUnits(input: Pick<PlanInput, 'state' | 'policy'>, { candidates, unmovable }: Sorting): TemplateUnits {
  const units: TemplateUnit[] = []
  const refused = new Map<string, string>()
  const held = new Map(unmovable.map(each => [`${each.pod.namespace}/${each.pod.name}`, each]))
  for (const [key, group] of Map.groupBy(candidates, ({ workload }) => workloadKey(workload))) {
    const [first] = group
    if (first === undefined) continue
    const { workload } = first
    const object = input.state.object(kindKey(workload.apiVersion, workload.kind), workload.namespace, workload.name)
    const pods = input.state.podsOf(workload.uid).filter(pod => !pod.isFinished)
    const unit = object === undefined || workload.uid === '' ? undefined : { key, workload, object, pods }
    const because = refusal(input, { workload, unit, free: new Set(group.map(({ pod }) => pod.key)), held })
    if (unit === undefined || because !== undefined) refused.set(key, because ?? 'its workload is not among the objects')
    else units.push(unit)
  }
  return { units, refused }
}

interface Asked {
  readonly workload: WorkloadReference
  readonly unit: TemplateUnit | undefined
  /** Pods of it that may move. */
  readonly free: ReadonlySet<string>
  readonly held: ReadonlyMap<string, Unmovable>
}

/** Why no template of it can be changed; `undefined`: one can. */
function refusal({ policy }: Pick<PlanInput, 'policy'>, { workload, unit, free, held }: Asked): string | undefined {
  if (!templated.has(workload.kind))
    return `a changed template of ${workload.kind} replaces no pod: only Deployments and StatefulSets roll out`
  if (unit === undefined) return `${workload.kind} ${workload.name} is not among the objects`
  const stays = unit.pods.find(pod => !free.has(pod.key))
  if (stays !== undefined) {
    const why =
      stays.nodeName === undefined ? 'is not on a node yet' : `stays: ${held.get(stays.key)?.code ?? 'no node is free for it'}`
    return `a changed template replaces all of its ${unit.pods.length} pods, and ${stays.name} ${why}`
  }
  if (unit.pods.length > policy.limits.perPlan)
    return `a changed template replaces all of its ${unit.pods.length} pods, and a plan may replace ${policy.limits.perPlan} (limits.perPlan)`
  return stalled(unit)
}

/** Workloads that do not roll out by themselves. */
function stalled({ object }: TemplateUnit): string | undefined {
  const spec = object['spec'] as
    | {
        readonly paused?: boolean
        readonly updateStrategy?: { readonly type?: string; readonly rollingUpdate?: { readonly partition?: number } }
      }
    | undefined
  if (spec?.paused === true) return 'it is paused: a changed template replaces no pod'
  if (spec?.updateStrategy?.type === 'OnDelete')
    return 'its update strategy is OnDelete: a changed template replaces no pod by itself'
  if ((spec?.updateStrategy?.rollingUpdate?.partition ?? 0) > 0)
    return 'its update strategy has a partition: only part of its pods is replaced'
  return undefined
}
