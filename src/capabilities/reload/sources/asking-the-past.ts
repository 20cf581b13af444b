// What the API server held some time ago: it tells of the last minutes alone, and a passing trouble is no reason to give up before it forgets.
import { StatusError } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'

/** 410: it has forgotten; 403: we may not know; the others: it tells of no past. */
const finalCodes = new Set([400, 403, 404, 405, 410, 422])
/** With the back-off that is some minutes: longer than API servers remember. */
const mostAsked = 10

/** Whether it is to be asked again, after so many failures before this one. */
export function isAskedAgain(error: unknown, failures: number): boolean {
  if (!isOutside(error) || failures + 1 >= mostAsked) return false
  return !(error instanceof StatusError && finalCodes.has(error.code))
}
