// `pods/ephemeralcontainers`: what of a pod it may change, and what is wrong with a change. In upstream's order and words.
import { type FieldError, forbidden } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { copyOf, type Draft, fieldsAt, isSame, itemsAt } from '../../json-value.ts'
import { surroundingsOf } from '../validation/pod-spec-validation.ts'
import { ephemeralContainerProblems } from '../validation/pods/ephemeral-container-validation.ts'

const field = 'spec.ephemeralContainers'
/** Everything goes back to what is stored but the ephemeral containers. */
export function keepEphemeral(draft: Draft, existing: KubeObject): void {
  const kept: Draft = copyOf(fieldsAt(existing, 'spec') ?? {})
  const given = fieldsAt(draft, 'spec')?.['ephemeralContainers']
  if (given === undefined || given === null) delete kept['ephemeralContainers']
  else kept['ephemeralContainers'] = given
  draft['spec'] = kept
}

/** Those that are there stay as they are; others may be added. */
export function ephemeralProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  if (existing.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined)
    return [forbidden('', 'static pods do not support ephemeral containers')]
  const spec = fieldsAt(draft, 'spec') ?? {}
  const problems: FieldError[] = [...ephemeralContainerProblems(spec, 'spec', surroundingsOf(spec, 'spec'))]
  const now = new Map(itemsAt(draft, 'spec', 'ephemeralContainers').map(one => [one['name'], one]))
  for (const before of itemsAt(existing, 'spec', 'ephemeralContainers')) {
    const after = now.get(before['name'])
    const which = `existing ephemeral containers ${JSON.stringify(before['name'])} may not be`
    if (after === undefined) problems.push(forbidden(field, `${which} removed\n`))
    else if (!isSame(after, before)) problems.push(forbidden(field, `${which} changed\n`))
  }
  return problems
}
