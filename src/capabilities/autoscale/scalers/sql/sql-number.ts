// The one number that a query of a database is for.
import { AnswerError } from '#kube/outside-error.ts'

const goFloat = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/** The only column of the first row, as the server wrote it. @throws AnswerError without what was found, which may be secret */
export function numberInRow(row: readonly unknown[] | undefined, who: string): number {
  if (row === undefined) throw new AnswerError(`${who} answered without a row: the query must have one`)
  if (row.length !== 1) throw new AnswerError(`${who} answered with ${row.length} columns: the query must have one`)
  const [found] = row
  if (found === null || found === undefined) throw new AnswerError(`${who} answered with NULL, not a number`)
  const value = typeof found === 'string' && goFloat.test(found) ? Number(found) : Number.NaN
  if (!Number.isFinite(value)) throw new AnswerError(`${who} answered with something that is no number`)
  return value
}
