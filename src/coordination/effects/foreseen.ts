// What an effect's server answers that its caller can do something about; the same words for every effect.
import { isConflict, isInvalid, isNotFound, StatusError } from '#kube/objects/status.ts'

/** An effect that was not done. */
export type NotDone =
  /** What was meant is not there, or another object has its name. */
  | { readonly kind: 'gone' }
  /** The schema, admission or the authorizer says no, or somebody else was faster too often. */
  | { readonly kind: 'refused'; readonly message: string }

/** `error` as an outcome. @throws `error` itself where nobody could have foreseen it. */
export function notDoneBy(error: unknown): NotDone {
  if (isNotFound(error)) return { kind: 'gone' }
  const isRefusal = isConflict(error) || isInvalid(error) || (error instanceof StatusError && [400, 403].includes(error.code))
  if (isRefusal) return { kind: 'refused', message: error.message }
  throw error
}
