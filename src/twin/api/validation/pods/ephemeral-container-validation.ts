// Ephemeral containers, of a pod or of a template that may not have any; in upstream's order and words.
import { duplicate, type FieldError, forbidden, notFound } from '#kube/objects/field-error.ts'
import { type Draft, isEmpty, itemsAt, textAt } from '../../../json-value.ts'
import { type ContainerSurroundings, containerProblems, imageProblems } from '../container-validation.ts'

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
/** Those that are there where they are empty, too. */
const pointers: ReadonlySet<string> = new Set(['restartPolicy', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'])

/** Everything that is wrong with the ephemeral containers of a pod's spec at `path`. */
export function ephemeralContainerProblems(spec: Draft, path: string, around: ContainerSurroundings): readonly FieldError[] {
  const others = new Set(['containers', 'initContainers'].flatMap(list => itemsAt(spec, list).map(one => one['name'])))
  const names = new Set(others)
  return itemsAt(spec, 'ephemeralContainers').flatMap((container, index) => {
    const at = `${path}.ephemeralContainers[${index}]`
    const problems = [...containerProblems(container, at, around), ...imageProblems(container, at)]
    const name = container['name']
    if (names.has(name)) problems.push(duplicate(`${at}.name`, name))
    names.add(name)
    const target = textAt(container, 'targetContainerName') ?? ''
    if (target !== '' && !others.has(target)) problems.push(notFound(`${at}.targetContainerName`, target))
    for (const one of notAllowed)
      if (pointers.has(one) ? container[one] !== undefined : !isEmpty(container[one]))
        problems.push(forbidden(`${at}.${one}`, words))
    for (const [number, mount] of itemsAt(container, 'volumeMounts').entries())
      for (const path of ['subPath', 'subPathExpr'])
        if ((textAt(mount, path) ?? '') !== '') problems.push(forbidden(`${at}.volumeMounts[${number}].${path}`, words))
    return problems
  })
}
