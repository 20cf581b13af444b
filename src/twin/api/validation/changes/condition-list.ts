// Conditions as all kinds of today have them.
import { duplicate, type FieldError, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, numberAt, textAt } from '../../../json-value.ts'

export const statuses = ['False', 'True', 'Unknown']
const reasonPattern = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?'
const reasonRule = `a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '${reasonPattern}')`

/** What is wrong with conditions of today's kind at `at`. */
export function conditionListProblems(at: string, list: readonly Draft[]): readonly FieldError[] {
  const seen = new Set<string>()
  return list.flatMap((condition, index) => {
    const place = `${at}[${index}]`
    const [type, reason] = [textAt(condition, 'type') ?? '', textAt(condition, 'reason') ?? '']
    const status = textAt(condition, 'status') ?? ''
    const generation = numberAt(condition, 'observedGeneration') ?? 0
    const isRepeated = seen.has(type)
    seen.add(type)
    return [
      ...(isRepeated ? [duplicate(`${place}.type`, type)] : []),
      ...qualifiedNameProblems(type).map(rule => invalid(`${place}.type`, type, rule)),
      ...(statuses.includes(status) ? [] : [notSupported(`${place}.status`, status, statuses)]),
      ...(generation < 0 ? [invalid(`${place}.observedGeneration`, generation, 'must be greater than or equal to zero')] : []),
      ...(textAt(condition, 'lastTransitionTime') === undefined ? [required(`${place}.lastTransitionTime`)] : []),
      ...(reason === ''
        ? [required(`${place}.reason`)]
        : new RegExp(`^${reasonPattern}$`).test(reason)
          ? []
          : [invalid(`${place}.reason`, reason, reasonRule)]),
    ]
  })
}
