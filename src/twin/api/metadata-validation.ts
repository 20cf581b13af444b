// Names, labels and annotations: rules that hold for every object.
import { type FieldError, invalid, tooLong } from '#kube/field-error.ts'
import {
  annotationBytesLimit,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  labelValueProblems,
  qualifiedNameProblems,
} from '#kube/names.ts'
import { type Draft, fieldsAt, listAt, textAt } from '../json-value.ts'
import type { ResourceType } from './resource-type.ts'

/** Everything that is wrong with the metadata of an object. */
export function validateMetadata(type: ResourceType, draft: Draft): readonly FieldError[] {
  const metadata = fieldsAt(draft, 'metadata') ?? {}
  const problems: FieldError[] = []
  const name = textAt(metadata, 'name') ?? ''
  if (name !== '') problems.push(...nameProblems(type, name).map(problem => invalid('metadata.name', name, problem)))
  for (const [key, value] of Object.entries(fieldsAt(metadata, 'labels') ?? {})) {
    problems.push(...qualifiedNameProblems(key).map(problem => invalid('metadata.labels', key, problem)))
    if (typeof value === 'string')
      problems.push(...labelValueProblems(value).map(problem => invalid('metadata.labels', value, problem)))
  }
  let bytes = 0
  for (const [key, value] of Object.entries(fieldsAt(metadata, 'annotations') ?? {})) {
    problems.push(...qualifiedNameProblems(key.toLowerCase()).map(problem => invalid('metadata.annotations', key, problem)))
    bytes += Buffer.byteLength(key) + (typeof value === 'string' ? Buffer.byteLength(value) : 0)
  }
  if (bytes > annotationBytesLimit) problems.push(tooLong('metadata.annotations', annotationBytesLimit))
  for (const finalizer of listAt(metadata, 'finalizers')) {
    if (typeof finalizer !== 'string') continue
    problems.push(...qualifiedNameProblems(finalizer).map(problem => invalid('metadata.finalizers', finalizer, problem)))
  }
  return problems
}

function nameProblems(type: ResourceType, name: string): readonly string[] {
  if (type.group === 'rbac.authorization.k8s.io') return pathSegmentProblems(name)
  switch (type.key) {
    case 'namespaces':
    case 'services':
      return dns1123LabelProblems(name)
    default:
      return dns1123SubdomainProblems(name)
  }
}

function pathSegmentProblems(name: string): readonly string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`]
  return ['/', '%'].filter(character => name.includes(character)).map(character => `may not contain '${character}'`)
}
