// `pods/ephemeralcontainers`: what of a pod it may change, and what is wrong with a change. In upstream's order and words.
import { duplicate, type FieldError, forbidden, notFound } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { copyOf, type Draft, fieldsAt, isEmpty, isSame, itemsAt, textAt } from '../../json-value.ts'
import { containerProblems } from '../validation/container-validation.ts'

const field = 'spec.ephemeralContainers'
const words = 'cannot be set for an Ephemeral Container'
/** In the order in which a container has them. */
const notAllowed = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
]

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
  const problems: FieldError[] = [...eachProblems(fieldsAt(draft, 'spec') ?? {})]
  const now = new Map(itemsAt(draft, 'spec', 'ephemeralContainers').map(one => [one['name'], one]))
  for (const before of itemsAt(existing, 'spec', 'ephemeralContainers')) {
    const after = now.get(before['name'])
    const which = `existing ephemeral containers ${JSON.stringify(before['name'])} may not be`
    if (after === undefined) problems.push(forbidden(field, `${which} removed\n`))
    else if (!isSame(after, before)) problems.push(forbidden(field, `${which} changed\n`))
  }
  return problems
}

function eachProblems(spec: Draft): readonly FieldError[] {
  const volumes = new Set<unknown>(itemsAt(spec, 'volumes').map(volume => volume['name']))
  const others = new Set(['containers', 'initContainers'].flatMap(list => itemsAt(spec, list).map(one => one['name'])))
  const names = new Set(others)
  return itemsAt(spec, 'ephemeralContainers').flatMap((container, index) => {
    const at = `${field}[${index}]`
    const isHostNetwork = spec['hostNetwork'] === true
    const problems = [...containerProblems(container, at, { volumes, isHostNetwork, isInit: false })]
    const name = container['name']
    if (names.has(name)) problems.push(duplicate(`${at}.name`, name))
    names.add(name)
    const target = textAt(container, 'targetContainerName') ?? ''
    if (target !== '' && !others.has(target)) problems.push(notFound(`${at}.targetContainerName`, target))
    for (const one of notAllowed) if (!isEmpty(container[one])) problems.push(forbidden(`${at}.${one}`, words))
    for (const [number, mount] of itemsAt(container, 'volumeMounts').entries())
      for (const path of ['subPath', 'subPathExpr'])
        if ((textAt(mount, path) ?? '') !== '') problems.push(forbidden(`${at}.volumeMounts[${number}].${path}`, words))
    return problems
  })
}
