// RuntimeClasses, and templates that nothing makes pods of by itself.
import { type FieldError, invalid, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, textAt, textsAt } from '../../json-value.ts'
import { limitedNameProblems } from './allowance-validation.ts'
import { podTemplateProblems } from './pod-spec-validation.ts'
import { quantityProblems } from './pods/resource-validation.ts'
import { tolerationProblems } from './pods/scheduling-validation.ts'

/** Everything that is wrong with a RuntimeClass. */
export function runtimeClassProblems(draft: Draft, minor: number): readonly FieldError[] {
  const handler = textAt(draft, 'handler') ?? ''
  const scheduling = fieldsAt(draft, 'scheduling') ?? {}
  return [
    ...(handler === '' ? [required('handler')] : dns1123LabelProblems(handler).map(rule => invalid('handler', handler, rule))),
    ...Object.entries(textsAt(scheduling, 'nodeSelector')).flatMap(([key, value]) => [
      ...qualifiedNameProblems(key).map(rule => invalid('scheduling.nodeSelector', key, rule)),
      ...labelValueProblems(value).map(rule => invalid('scheduling.nodeSelector', value, rule)),
    ]),
    // Versions before named the place twice.
    ...tolerationProblems(scheduling, minor < 35 ? 'scheduling.tolerations' : 'scheduling'),
    ...Object.entries(fieldsAt(draft, 'overhead', 'podFixed') ?? {}).flatMap(([name, value]) => [
      ...limitedNameProblems('Container', name, `overhead.limits[${name}]`),
      ...quantityProblems(name, String(value), `overhead.limits[${name}]`),
    ]),
  ]
}

/** Everything that is wrong with a PodTemplate. */
export function templateObjectProblems(draft: Draft): readonly FieldError[] {
  return podTemplateProblems(fieldsAt(draft, 'template') ?? {}, 'template')
}
