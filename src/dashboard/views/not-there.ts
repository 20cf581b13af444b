// What is asked for by name and is not there: a sentence instead of a view.
import type { Sentence } from '../contract.ts'

export interface NotThere {
  readonly notThere: true
  readonly sentence: Sentence
}

export function isNotThere<View extends object>(found: View | NotThere): found is NotThere {
  return 'notThere' in found
}
