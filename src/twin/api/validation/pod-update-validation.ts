// What an update may change of a pod: images, the deadline, added tolerations, removed gates and, while gated, its node selection.
import { type FieldError, forbidden, invalid, required } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { copyOf, type Draft, fieldsAt, integerAt, isSame, itemsAt, listAt, textAt, valueAt } from '../../json-value.ts'
import { podAloneDefaults, podSpecDefaults } from '../pod-defaults.ts'
import { differing, isUnchanged } from './changes/fixed-fields.ts'
import { imageProblems } from './container-validation.ts'
import { tolerationProblems } from './pods/scheduling-validation.ts'

const sentence =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

/** Problems of a pod's update against the stored pod. */
export function podUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const now = copyOf(fieldsAt(draft, 'spec') ?? {})
  // What was stored before a default came to be is no change.
  const before = copyOf(fieldsAt(existing, 'spec') ?? {})
  podSpecDefaults(before)
  podAloneDefaults(before)
  const problems: FieldError[] = []
  for (const list of ['containers', 'initContainers']) {
    const previous = itemsAt(before, list)
    if (itemsAt(now, list).length !== previous.length)
      return [...problems, forbidden(`spec.${list}`, 'pod updates may not add or remove containers')]
    for (const [index, container] of itemsAt(now, list).entries()) {
      const at = `spec.${list}[${index}]`
      if ((textAt(container, 'image') ?? '') === '') problems.push(required(`${at}.image`))
      problems.push(...imageProblems(container, at))
      const image = previous[index]?.['image']
      if (image !== undefined) container['image'] = image
    }
  }
  const late = deadlineProblem(integerAt(now, 'activeDeadlineSeconds'), integerAt(before, 'activeDeadlineSeconds'))
  if (late !== undefined) problems.push(late)
  // A deadline that none can be, or that comes later, is all that is told.
  if (late !== undefined && now['activeDeadlineSeconds'] !== undefined) return problems
  problems.push(...addedProblems(now, before), ...gateProblems(now, before))
  for (const name of ['activeDeadlineSeconds', 'tolerations', 'schedulingGates']) restore(now, before, name)
  if (listAt(before, 'schedulingGates').length > 0) problems.push(...gatedProblems(now, before))
  if (!isUnchanged(now, before)) problems.push(forbidden('spec', `${sentence}\n${differing(now, before)}`))
  return problems
}

const int32Maximum = 2_147_483_647

/** A deadline comes nearer, once there is one. */
function deadlineProblem(now: number | bigint | undefined, before: number | bigint | undefined): FieldError | undefined {
  const place = 'spec.activeDeadlineSeconds'
  if (now === undefined)
    return before === undefined ? undefined : invalid(place, null, 'must not update from a positive integer to nil value')
  if (now < 0 || now > int32Maximum) return invalid(place, now, `must be between 0 and ${int32Maximum}, inclusive`)
  return before !== undefined && before < now ? invalid(place, now, 'must be less than or equal to previous value') : undefined
}

function restore(now: Draft, before: Draft, name: string): void {
  if (before[name] === undefined) delete now[name]
  else now[name] = before[name]
}

function gateProblems(now: Draft, before: Draft): readonly FieldError[] {
  const known = new Set(itemsAt(before, 'schedulingGates').map(gate => gate['name']))
  return itemsAt(now, 'schedulingGates').flatMap((gate, index) =>
    known.has(gate['name'])
      ? []
      : [
          forbidden(
            `spec.schedulingGates[${index}].name`,
            `only deletion is allowed, but found new scheduling gate '${String(gate['name'])}'`,
          ),
        ],
  )
}

function addedProblems(now: Draft, before: Draft): readonly FieldError[] {
  const kept = itemsAt(now, 'tolerations')
  const isMissing = itemsAt(before, 'tolerations').some(
    toleration =>
      !kept.some(candidate => isSame({ ...candidate, tolerationSeconds: 0 }, { ...toleration, tolerationSeconds: 0 })),
  )
  return isMissing
    ? [forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')]
    : tolerationProblems(now, 'spec')
}

/** A gated pod may be narrowed to fewer nodes; what passes is put back so that the rest can be compared. */
function gatedProblems(now: Draft, before: Draft): readonly FieldError[] {
  const problems: FieldError[] = []
  const selector = fieldsAt(now, 'nodeSelector') ?? {}
  for (const [key, value] of Object.entries(fieldsAt(before, 'nodeSelector') ?? {})) {
    if (selector[key] !== value)
      problems.push(
        invalid(
          'spec.nodeSelector',
          now['nodeSelector'],
          'only additions to spec.nodeSelector are allowed (no mutations or deletions)',
        ),
      )
  }
  restore(now, before, 'nodeSelector')
  const required = 'requiredDuringSchedulingIgnoredDuringExecution'
  const previousTerms = valueAt(before, 'affinity', 'nodeAffinity', required, 'nodeSelectorTerms')
  if (Array.isArray(previousTerms)) {
    const terms = itemsAt(now, 'affinity', 'nodeAffinity', required, 'nodeSelectorTerms')
    const isNarrower = terms.length === previousTerms.length && terms.every((term, index) => onlyAdds(term, previousTerms[index]))
    if (!isNarrower) {
      problems.push(
        invalid(
          `spec.affinity.nodeAffinity.${required}.nodeSelectorTerms`,
          terms,
          'no additions/deletions to non-empty NodeSelectorTerms list are allowed',
        ),
      )
    }
  }
  restoreNodeAffinity(now, before)
  return problems
}

function onlyAdds(term: Draft, before: unknown): boolean {
  return ['matchExpressions', 'matchFields'].every(list => {
    const previous = itemsAt(before, list)
    const present = itemsAt(term, list)
    return previous.every((requirement, index) => isSame(requirement, present[index]))
  })
}

function restoreNodeAffinity(now: Draft, before: Draft): void {
  const affinity = fieldsAt(now, 'affinity')
  const previous = fieldsAt(before, 'affinity')
  if (affinity !== undefined) {
    restore(affinity, previous ?? {}, 'nodeAffinity')
    if (previous === undefined && Object.keys(affinity).length === 0) delete now['affinity']
  } else if (previous !== undefined && fieldsAt(previous, 'nodeAffinity') === undefined && Object.keys(previous).length === 0)
    now['affinity'] = previous
}
