// Who may do what to whose workload: the owner label decides, or the scaler that targets the workload.
import { classNumber, type Purpose } from '../intent.ts'
import { isOwnersScale, isUrgent, workloadOf } from './disturbance.ts'
import { untilSettled } from './pauses/scale-cool-down.ts'
import { type Answer, deny, type Owner, pass, type Question, type Rule } from './question.ts'

/**
 * `while-stable`: not just scaled (waking is a rule of its own). `policy`: as the requester's policy says of workloads without
 * any label. `evicted`: where isolation is told not to wait for 0 replicas. `managed`: where it is not told to spare what nobody owns.
 */
type Cell = 'yes' | 'no' | 'urgent' | 'while-stable' | 'policy' | 'evicted' | 'managed'

// biome-ignore format: a table
const matrix: Readonly<Record<Owner | 'unlabelled', Readonly<Record<Exclude<Purpose, 'steer' | 'provide'>, Cell>>>> = {
  keda:        { reload: 'yes', resize: 'while-stable', move: 'no',     isolate: 'evicted', 'scale-to-zero': 'no', drain: 'urgent' },
  descheduler: { reload: 'yes', resize: 'yes',          move: 'yes',    isolate: 'yes',     'scale-to-zero': 'no', drain: 'yes' },
  none:        { reload: 'yes', resize: 'no',           move: 'no',     isolate: 'managed', 'scale-to-zero': 'no', drain: 'urgent' },
  unlabelled:  { reload: 'yes', resize: 'yes',          move: 'policy', isolate: 'managed', 'scale-to-zero': 'no', drain: 'yes' },
}

/** At 0 replicas there is nothing to forbid; that rule has spoken before this one. */
export const ownerMatrix: Rule = { name: 'owner-matrix', from: 'coordinate', ask }

function ask(question: Question): Answer {
  const { intent, facts } = question
  const { purpose } = intent
  const workload = facts.owner.workload ?? workloadOf(intent)
  if (workload === undefined || purpose === 'steer' || purpose === 'provide' || isOwnersScale(question)) return pass
  const { value, source, contradicting, key } = facts.owner
  const cell = matrix[value ?? 'unlabelled'][purpose]
  if (cell === 'while-stable') return untilSettled(question)
  if (isAllowed(cell, question)) return pass
  const said = contradicting === undefined ? {} : { contradicting }
  const label = key === undefined ? facts.ownerLabel : { key, values: facts.ownerLabel.values }
  return deny({ rule: 'owner', owner: value, source, ...said, label, purpose, workload })
}

function isAllowed(cell: Exclude<Cell, 'while-stable'>, { intent }: Question): boolean {
  switch (cell) {
    case 'yes':
      return true
    case 'no':
      return false
    case 'urgent':
      return isUrgent(intent)
    case 'policy':
      return intent.unlabelled !== 'none' || classNumber(intent.class) < 4
    case 'evicted':
      return intent.evictScaled === true
    case 'managed':
      return intent.spareUnmanaged !== true
  }
}
