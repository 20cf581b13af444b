// A move as the order of moves knows it.
import type { Candidate } from '../candidates/candidate.ts'
import type { MoveAction } from '../plan-record.ts'

export interface Intent {
  readonly candidate: Candidate
  readonly to: string
  readonly action: MoveAction
}
