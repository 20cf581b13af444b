// Which fields of one CustomResourceDefinition another lacks: an API server drops them from what is written to it.
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import { isRecord } from '#kube/objects/object-shape.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

/** Paths such as `spec.goals[].max`, of the versions that both have; of a field that is absent nothing below it is named. A version that is absent is named as one. */
export function absentFields(present: KubeObject, wished: KubeObject): readonly string[] {
  const live = listAt(present, 'spec', 'versions')
  return listAt(wished, 'spec', 'versions').flatMap(version => {
    const other = live.find(one => textAt(one, 'name') === textAt(version, 'name'))
    if (other === undefined) return [`version ${textAt(version, 'name')}`]
    return below(at(other, 'schema', 'openAPIV3Schema'), at(version, 'schema', 'openAPIV3Schema'), '')
  })
}

function below(present: unknown, wished: unknown, path: string): readonly string[] {
  if (!isRecord(wished) || !isRecord(present) || present['x-kubernetes-preserve-unknown-fields'] === true) return []
  const known = isRecord(present['properties']) ? present['properties'] : {}
  const fields = Object.entries(isRecord(wished['properties']) ? wished['properties'] : {}).flatMap(([name, schema]) => {
    const inner = path === '' ? name : `${path}.${name}`
    if (Object.hasOwn(known, name)) return below(known[name], schema, inner)
    // A map of any keys has every field.
    return present['additionalProperties'] === undefined ? [inner] : []
  })
  return [
    ...fields,
    ...below(present['items'], wished['items'], `${path}[]`),
    ...below(present['additionalProperties'], wished['additionalProperties'], `${path}.*`),
  ]
}
