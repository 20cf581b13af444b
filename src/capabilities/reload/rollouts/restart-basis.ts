// What a reload with annotations is written on.
import type { RestartBasis } from '#coordination/effects/restart.ts'
import { annotationOf, fixedAnnotationKeys } from '../annotations.ts'
import type { ReloadSettings } from '../settings.ts'
import { type WorkloadFacts, workloadFacts } from '../workloads/workload-facts.ts'
import type { ReloadWay } from '../workloads/workload-plan.ts'

/** Two who believe to lead would both write an annotation, each with a time of its own: the second is to see the first. */
export function basisOf(facts: WorkloadFacts, way: ReloadWay, settings: ReloadSettings): RestartBasis | undefined {
  if (settings.strategy !== 'annotations' || (way !== 'patch' && way !== 'pause-then-patch')) return undefined
  const key = fixedAnnotationKeys.lastReloadedFrom
  const before = annotationOf(facts.templateAnnotations, key)
  return {
    resourceVersion: facts.resourceVersion,
    holds: workload => annotationOf(workloadFacts(workload, settings).templateAnnotations, key) === before,
  }
}
