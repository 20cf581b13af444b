// Expressions of the twin's own kinds, looked at before they are used: what cannot be read is told at once, not object by object.

import { CelError, parseCel } from '#kube/cel/cel-syntax.ts'
import { InputError } from '#kube/problem.ts'

/** @throws InputError where `source` is no CEL */
export function checkCel(source: string, where: string): void {
  try {
    parseCel(source)
  } catch (error) {
    if (!(error instanceof CelError)) throw error
    throw new InputError([{ code: 'twin-expression', where, found: error.message, expected: 'an expression in CEL' }])
  }
}
