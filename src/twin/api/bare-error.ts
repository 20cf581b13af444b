// Errors that upstream did not foresee: its answer is a 500 with the words of the error and no reason.
import { StatusError } from '#kube/objects/status.ts'

/** A 500 without a reason. */
export function bareError(message: string): StatusError {
  return new StatusError({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: 500 })
}
