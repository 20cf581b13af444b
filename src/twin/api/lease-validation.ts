// Leases: durations and counts that mean something.
import { type FieldError, invalid } from '#kube/field-error.ts'
import { type Draft, numberAt } from '../json-value.ts'

/** Everything that is wrong with a Lease. */
export function leaseProblems(draft: Draft): readonly FieldError[] {
  const seconds = numberAt(draft, 'spec', 'leaseDurationSeconds')
  const transitions = numberAt(draft, 'spec', 'leaseTransitions')
  return [
    ...(seconds !== undefined && seconds <= 0 ? [invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0')] : []),
    ...(transitions !== undefined && transitions < 0
      ? [invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0')]
      : []),
  ]
}
