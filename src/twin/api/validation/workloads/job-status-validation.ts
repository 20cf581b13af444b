// The status that a Job's controller writes: what it counts, what it says of its end, and what it may not take back.
import { duplicate, type FieldError, invalid, required } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isSame, itemsAt, listAt, numberAt, textAt, valueAt } from '../../../json-value.ts'
import { printedStruct } from '../../../schema/printed-struct.ts'
import { parsedIndexes, sharedIndex } from './job-indexes.ts'

type Job = Draft | KubeObject

function isTrue(job: Job, type: string): boolean {
  return itemsAt(job, 'status', 'conditions').some(condition => condition['type'] === type && condition['status'] === 'True')
}

const at = 'status'
const aboutConditions = (why: string): FieldError => ({
  type: 'FieldValueInvalid',
  field: `${at}.conditions`,
  body: `Invalid value: ${why}`,
})

/** Everything that is wrong with the status of a Job that was written; most of it counts only where it is about what changed. */
export function jobStatusProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  return [
    ...countProblems(draft),
    ...endProblems(draft, existing),
    ...indexProblems(draft, existing),
    ...lateProblems(draft, existing),
    ...backProblems(draft, existing),
  ]
}

function countProblems(draft: Draft): readonly FieldError[] {
  const seen = new Set<unknown>()
  return [
    ...['active', 'succeeded', 'failed', 'ready', 'terminating'].flatMap(name => {
      const count = numberAt(draft, 'status', name) ?? 0
      return count < 0 ? [invalid(`${at}.${name}`, count, 'must be greater than or equal to 0')] : []
    }),
    ...['succeeded', 'failed'].flatMap(list =>
      listAt(draft, 'status', 'uncountedTerminatedPods', list).flatMap((uid, index) => {
        const place = `${at}.uncountedTerminatedPods.${list}[${index}]`
        if (uid === '') return [invalid(place, uid, 'must not be empty')]
        const isTaken = seen.has(uid)
        seen.add(uid)
        return isTaken ? [duplicate(place, uid)] : []
      }),
    ),
  ]
}

/** Whether what lies at a path, or whether a condition holds, is otherwise than before. */
function changes(draft: Draft, existing: KubeObject) {
  return {
    field: (name: string) => !isSame(valueAt(draft, 'status', name) ?? null, valueAt(existing, 'status', name) ?? null),
    condition: (...types: readonly string[]) =>
      types.some(type => isTrue(draft, type)) !== types.some(type => isTrue(existing, type)),
  }
}

function endProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const { field, condition } = changes(draft, existing)
  const [isComplete, isFailed, isTarget] = ['Complete', 'Failed', 'FailureTarget'].map(type => isTrue(draft, type))
  const isMet = isTrue(draft, 'SuccessCriteriaMet')
  const isFinished = isComplete === true || isFailed === true
  const ends = condition('Complete', 'Failed')
  const timed = condition('Complete') || field('completionTime')
  const [start, end] = [textAt(draft, 'status', 'startTime'), textAt(draft, 'status', 'completionTime')]
  const active = numberAt(draft, 'status', 'active') ?? 0
  const uncounted = fieldsAt(draft, 'status', 'uncountedTerminatedPods')
  const isUncounted = ['failed', 'succeeded'].some(list => listAt(uncounted, list).length > 0)
  const neverStarts = valueAt(draft, 'spec', 'suspend') === true && valueAt(draft, 'spec', 'completions') === 0
  const told: readonly (readonly [isWrong: boolean | undefined, problem: () => FieldError])[] = [
    [
      (condition('Complete') || condition('Failed')) && isComplete && isFailed,
      () => aboutConditions('cannot set Complete=True and Failed=true conditions'),
    ],
    [
      (condition('Complete') || condition('FailureTarget')) && isComplete && isTarget,
      () => aboutConditions('cannot set Complete=True and FailureTarget=true conditions'),
    ],
    [
      timed && end !== undefined && !isComplete,
      () => invalid(`${at}.completionTime`, end, 'cannot set completionTime when there is no Complete=True condition'),
    ],
    [
      timed && end === undefined && isComplete,
      () => required(`${at}.completionTime`, 'completionTime is required for Complete jobs'),
    ],
    [
      (field('startTime') || field('completionTime')) && start !== undefined && end !== undefined && end < start,
      () => invalid(`${at}.completionTime`, end, 'must be equal to or after `startTime`'),
    ],
    [
      (condition('Failed') || field('failedIndexes')) && isFailed && !isTarget,
      () => aboutConditions('cannot set Failed=True condition without the FailureTarget=true condition'),
    ],
    [
      (condition('Complete') || condition('SuccessCriteriaMet')) && isComplete && !isMet,
      () => aboutConditions('cannot set Complete=True condition without the SuccessCriteriaMet=true condition'),
    ],
    [
      (ends || field('active')) && active > 0 && isFinished,
      () => invalid(`${at}.active`, active, 'active>0 is invalid for finished job'),
    ],
    [
      (ends || field('startTime')) && !neverStarts && start === undefined && isFinished,
      () => required(`${at}.startTime`, 'startTime is required for finished job'),
    ],
    [
      (ends || field('uncountedTerminatedPods')) && isFinished && isUncounted,
      () =>
        invalid(
          `${at}.uncountedTerminatedPods`,
          printedStruct('UncountedTerminatedPods', uncounted),
          'must be empty for finished job',
        ),
    ],
  ]
  return told.flatMap(([isWrong, problem]) => (isWrong === true ? [problem()] : []))
}

function indexProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const { field } = changes(draft, existing)
  const [completed, failed] = [textAt(draft, 'status', 'completedIndexes') ?? '', textAt(draft, 'status', 'failedIndexes')]
  const [isOther, isOtherFailed] = [field('completedIndexes'), field('failedIndexes')]
  const completions = numberAt(draft, 'spec', 'completions')
  const hasLimit = valueAt(draft, 'spec', 'backoffLimitPerIndex') !== undefined
  const whyCompleted = completions === undefined ? undefined : parsedIndexes(completed, completions).why
  const whyFailed = completions === undefined || !hasLimit ? undefined : parsedIndexes(failed ?? '', completions).why
  const shared =
    completions === undefined || completed === '' || (failed ?? '') === ''
      ? undefined
      : sharedIndex(completed, failed ?? '', completions)
  return [
    ...(isOther && whyCompleted !== undefined
      ? [invalid(`${at}.completedIndexes`, completed, `error parsing completedIndexes: ${whyCompleted}`)]
      : []),
    ...(isOtherFailed && whyFailed !== undefined
      ? [invalid(`${at}.failedIndexes`, failed, `error parsing failedIndexes: ${whyFailed}`)]
      : []),
    ...(isOther && completed !== '' && valueAt(draft, 'spec', 'completionMode') !== 'Indexed'
      ? [invalid(`${at}.completedIndexes`, completed, 'cannot set non-empty completedIndexes when non-indexed completion mode')]
      : []),
    ...(isOtherFailed && failed !== undefined && !hasLimit
      ? [invalid(`${at}.failedIndexes`, failed, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null')]
      : []),
    ...((isOther || isOtherFailed) && shared !== undefined
      ? [invalid(`${at}.failedIndexes`, failed, `failedIndexes and completedIndexes overlap at index: ${shared}`)]
      : []),
  ]
}

function lateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const { field, condition } = changes(draft, existing)
  const count = (name: string) => numberAt(draft, 'status', name) ?? 0
  const [isComplete, isFailed, isMet] = ['Complete', 'Failed', 'SuccessCriteriaMet'].map(type => isTrue(draft, type))
  const isFinished = isComplete === true || isFailed === true
  const unless = 'cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True'
  return [
    ...((condition('Complete', 'Failed') || field('terminating')) && count('terminating') > 0 && isFinished
      ? [invalid(`${at}.terminating`, count('terminating'), 'terminating>0 is invalid for finished job')]
      : []),
    ...((field('ready') || field('active')) && count('ready') > count('active')
      ? [invalid(`${at}.ready`, count('ready'), 'cannot set more ready pods than active')]
      : []),
    ...(isMet && isFailed ? [aboutConditions('cannot set SuccessCriteriaMet=True and Failed=true conditions')] : []),
    ...(isMet && isTrue(draft, 'FailureTarget')
      ? [aboutConditions('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions')]
      : []),
    ...(fieldsAt(draft, 'spec', 'successPolicy') !== undefined && !isMet && isComplete ? [aboutConditions(unless)] : []),
  ]
}

/** What may not be taken back. */
function backProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const { field } = changes(draft, existing)
  const less = (name: string) => (numberAt(draft, 'status', name) ?? 0) < (numberAt(existing, 'status', name) ?? 0)
  const mayShrink =
    valueAt(draft, 'spec', 'completionMode') === 'Indexed' &&
    valueAt(draft, 'spec', 'completions') === valueAt(draft, 'spec', 'parallelism')
  const shown = (name: string) => valueAt(draft, 'status', name) ?? null
  const resumes =
    isTrue(existing, 'Suspended') &&
    itemsAt(draft, 'status', 'conditions').some(one => one['type'] === 'Suspended' && one['status'] === 'False')
  const hadMet = isTrue(existing, 'SuccessCriteriaMet')
  const [ended, started] = [textAt(existing, 'status', 'completionTime'), textAt(existing, 'status', 'startTime')]
  return [
    ...['Failed', 'Complete', 'FailureTarget']
      .filter(type => isTrue(existing, type) && !isTrue(draft, type))
      .map(type => aboutConditions(`cannot disable the terminal ${type}=True condition`)),
    ...(less('failed')
      ? [invalid(`${at}.failed`, numberAt(draft, 'status', 'failed') ?? 0, 'cannot decrease the failed counter')]
      : []),
    ...(less('succeeded') && !mayShrink
      ? [invalid(`${at}.succeeded`, numberAt(draft, 'status', 'succeeded') ?? 0, 'cannot decrease the succeeded counter')]
      : []),
    ...(ended !== undefined && textAt(draft, 'status', 'completionTime') !== undefined && field('completionTime')
      ? [invalid(`${at}.completionTime`, shown('completionTime'), 'field is immutable')]
      : []),
    ...(started !== undefined && field('startTime') && !resumes && valueAt(draft, 'spec', 'suspend') !== true
      ? [invalid(`${at}.startTime`, shown('startTime'), 'field is immutable for unsuspended job once set')]
      : []),
    ...(hadMet && !isTrue(draft, 'SuccessCriteriaMet')
      ? [aboutConditions('cannot disable the SuccessCriteriaMet=True condition')]
      : []),
    ...(isTrue(existing, 'Complete') && !hadMet && isTrue(draft, 'SuccessCriteriaMet')
      ? [aboutConditions('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions')]
      : []),
  ]
}
