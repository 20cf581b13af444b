// Which code of gRPC what went wrong has: callers decide by it whether to come again.

import { status } from '@grpc/grpc-js'
import { CallRefused } from '#kube/grpc/served-method.ts'
import { MountFailed } from '../mounts/mounter.ts'
import { ArchiveClash, FileWorkFailed } from './share-files.ts'

const codes: Readonly<Record<string, status>> = {
  EACCES: status.PERMISSION_DENIED,
  EPERM: status.PERMISSION_DENIED,
  EROFS: status.PERMISSION_DENIED,
  ENOSPC: status.RESOURCE_EXHAUSTED,
  EDQUOT: status.RESOURCE_EXHAUSTED,
  ELATE: status.DEADLINE_EXCEEDED,
  EBUSYHUNG: status.UNAVAILABLE,
}

const hints: Readonly<Record<string, string>> = {
  EACCES: ' (the driver works as user 0: does the export map root to another user, as root_squash does?)',
  EPERM: ' (the driver works as user 0: does the export map root to another user, as root_squash does?)',
  EROFS: ' (the export is read-only)',
}

/** `what` was being done to `where`, an export. What is no failure from outside is thrown as it is. */
export function refusal(error: unknown, what: string, where: string): unknown {
  if (error instanceof CallRefused) return error
  const options = { cause: error }
  if (error instanceof ArchiveClash)
    return new CallRefused(
      status.ALREADY_EXISTS,
      `snapshot with the same name but different source volume ID already exists: ${error.message}`,
      options,
    )
  if (error instanceof MountFailed) return new CallRefused(mountCodes[error.kind], `${what}: ${error.message}`, options)
  if (error instanceof FileWorkFailed) {
    const { code, message } = error
    return new CallRefused(codes[code] ?? status.INTERNAL, `${what} on ${where}: ${message}${hints[code] ?? ''}`, options)
  }
  return error
}

export const mountCodes = {
  permission: status.PERMISSION_DENIED,
  argument: status.INVALID_ARGUMENT,
  late: status.INTERNAL,
  other: status.INTERNAL,
} as const satisfies Record<MountFailed['kind'], status>
