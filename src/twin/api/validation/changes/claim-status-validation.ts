// The status of a PersistentVolumeClaim that was written: what it has got, and how far its growth has come.
import { type FieldError, invalid, notSupported } from '#kube/objects/field-error.ts'
import { qualifiedNameProblems } from '#kube/objects/names.ts'
import { int64Value } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt } from '../../../json-value.ts'
import { quantityProblems } from '../pods/resource-validation.ts'

const steps = [
  ...['ControllerResizeInProgress', 'ControllerResizeInfeasible', 'NodeResizeInProgress', 'NodeResizeInfeasible'],
  'NodeResizePending',
].toSorted()

/** Everything that is wrong with the status of a claim that was written. */
export function volumeClaimStatusProblems(draft: Draft): readonly FieldError[] {
  const of = (list: string) => Object.entries(fieldsAt(draft, 'status', list) ?? {})
  const allocated = 'status.allocatedResources'
  return [
    ...of('capacity').flatMap(([name, value]) => basicProblems(String(value), `status.capacity[${name}]`)),
    ...of('allocatedResourceStatuses').flatMap(([name, step]) => [
      ...keyProblems(name, 'status.allocatedResourceStatuses'),
      ...(steps.includes(String(step)) ? [] : [notSupported('status.allocatedResourceStatuses', name, steps)]),
    ]),
    ...of('allocatedResources').flatMap(([name, value]) => {
      const key = keyProblems(name, allocated)
      if (key.length > 0) return key
      const basic = basicProblems(String(value), `${allocated}[${name}]`)
      return basic.length > 0 ? basic : quantityProblems('storage', String(value), `${allocated}[${name}]`)
    }),
  ]
}

/** Resources of no domain, or of Kubernetes' own, are storage alone. */
function keyProblems(name: string, at: string): readonly FieldError[] {
  const problems = qualifiedNameProblems(name).map(rule => invalid(at, name, rule))
  const isNative = !name.includes('/') || name.includes('kubernetes.io/')
  return problems.length > 0 || !isNative || name === 'storage' ? problems : [notSupported(at, name, ['storage'])]
}

/** What an int64 holds of an amount: past its end comes its beginning. */
function basicProblems(value: string, at: string): readonly FieldError[] {
  const whole = int64Value(value, 0)
  return whole < 0n ? [invalid(at, whole, 'must be a valid resource quantity')] : []
}
