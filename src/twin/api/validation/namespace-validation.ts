// Namespaces: who holds them, and the phase that they are in.
import { type FieldError, invalid } from '#kube/objects/field-error.ts'
import { type Draft, listAt, textAt } from '../../json-value.ts'
import { finalizerProblems } from './metadata-validation.ts'

/** Everything that is wrong with a new Namespace but for its metadata. */
export function namespaceProblems(draft: Draft): readonly FieldError[] {
  return listAt(draft, 'spec', 'finalizers').flatMap(name =>
    finalizerProblems(String(name), 'spec.finalizers', 'spec.finalizers'),
  )
}

/** A namespace is in the phase that its deletion says. */
export function namespaceStatusProblems(draft: Draft): readonly FieldError[] {
  const isGoing = textAt(draft, 'metadata', 'deletionTimestamp') !== undefined
  const [phase, wanted] = [textAt(draft, 'status', 'phase') ?? '', isGoing ? 'Terminating' : 'Active']
  const rule = `may only be '${wanted}' if \`deletionTimestamp\` is ${isGoing ? 'not empty' : 'empty'}`
  return phase === wanted ? [] : [invalid('status.Phase', phase, rule)]
}
