// What a driver answers in place of what was asked, in the words of Go's client: upstream's Events and conditions quote them, and users search for them.

import { status } from '@grpc/grpc-js'
import type { CallRefused } from '#kube/grpc/served-method.ts'
import { CallLate } from '#kube/grpc/socket-client.ts'
import { OutsideError } from '#kube/outside-error.ts'

/** Names of gRPC's codes as Go prints them. */
// biome-ignore format: a table
const goNames: Readonly<Record<status, string>> = {
  [status.OK]: 'OK', [status.CANCELLED]: 'Canceled', [status.UNKNOWN]: 'Unknown', [status.INVALID_ARGUMENT]: 'InvalidArgument',
  [status.DEADLINE_EXCEEDED]: 'DeadlineExceeded', [status.NOT_FOUND]: 'NotFound', [status.ALREADY_EXISTS]: 'AlreadyExists',
  [status.PERMISSION_DENIED]: 'PermissionDenied', [status.RESOURCE_EXHAUSTED]: 'ResourceExhausted', [status.FAILED_PRECONDITION]: 'FailedPrecondition',
  [status.ABORTED]: 'Aborted', [status.OUT_OF_RANGE]: 'OutOfRange', [status.UNIMPLEMENTED]: 'Unimplemented', [status.INTERNAL]: 'Internal',
  [status.UNAVAILABLE]: 'Unavailable', [status.DATA_LOSS]: 'DataLoss', [status.UNAUTHENTICATED]: 'Unauthenticated',
}

/** The name of a code as Go prints it, and as metrics have it. */
export const goCode = (code: status): string => goNames[code] ?? `Code(${code})`

/** A call of the driver that got no answer but a code. */
export class DriverError extends OutsideError {
  override readonly name = 'DriverError'
  readonly code: status
  /** What the driver said, without the code. */
  readonly said: string

  constructor(refused: CallRefused) {
    const words = refused instanceof CallLate ? 'context deadline exceeded' : refused.message
    // No cause: its text would stand a second time behind this one.
    super(`rpc error: code = ${goCode(refused.code)} desc = ${words}`)
    this.code = refused.code
    this.said = words
  }
}

const uncertain: readonly status[] = [status.CANCELLED, status.DEADLINE_EXCEEDED, status.UNAVAILABLE, status.ABORTED]

/**
 * Whether what was asked may still be under way in the driver, so that it must be asked again until it says how it ended. The codes are those of the CSI
 * specification, as external-provisioner takes them.
 */
export function mayStillRun(error: unknown): boolean {
  return !(error instanceof DriverError) || uncertain.includes(error.code)
}

/** The same for growing a volume and for snapshots, of which external-resizer and external-snapshotter take RESOURCE_EXHAUSTED for such a code, too. */
export function mayStillRunOrLack(error: unknown): boolean {
  return mayStillRun(error) || (error instanceof DriverError && error.code === status.RESOURCE_EXHAUSTED)
}

/** Whether a volume as it is asked for can never be made: it is tried again rarely. */
export const isInfeasibleVolume = (error: unknown): boolean => hasCode(error, status.INVALID_ARGUMENT)

/** Whether a size can never be had: it is tried again rarely, and the claim says so. */
export const isInfeasibleSize = (error: unknown): boolean =>
  hasCode(error, status.INVALID_ARGUMENT) || hasCode(error, status.OUT_OF_RANGE) || hasCode(error, status.NOT_FOUND)

/** Whether the driver grows no volume that a pod uses. */
export const isInUse = (error: unknown): boolean => hasCode(error, status.FAILED_PRECONDITION)

const hasCode = (error: unknown, code: status): boolean => error instanceof DriverError && error.code === code
