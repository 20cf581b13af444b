// Which code of gRPC what went wrong has: callers decide by it whether to come again.

import { status } from '@grpc/grpc-js'
import { CallRefused } from '#kube/grpc/served-method.ts'
import { FileWorkFailed } from '../files/file-work-failed.ts'
import { MountFailed } from '../mounts/mounter.ts'
import { mountRefusal } from './mount-refusal.ts'

const codes: Readonly<Record<string, status>> = {
  EACCES: status.PERMISSION_DENIED,
  EPERM: status.PERMISSION_DENIED,
  EROFS: status.PERMISSION_DENIED,
  ENOSPC: status.RESOURCE_EXHAUSTED,
  EDQUOT: status.RESOURCE_EXHAUSTED,
  CLASH: status.ALREADY_EXISTS,
  DEADLINE: status.DEADLINE_EXCEEDED,
  OVERLOADED: status.UNAVAILABLE,
  ABANDONED: status.UNAVAILABLE,
}

const squashed = ' (the driver works as user 0: does the export map root to another user, as root_squash does?)'
const hints: Readonly<Record<string, string>> = {
  EACCES: squashed,
  EPERM: squashed,
  EROFS: ' (the export is read-only)',
}

/** A failure after which a mount is of no use: of a server that was made anew, or does not answer. */
const spoiling = new Set(['ESTALE', 'EIO', 'ENOTCONN', 'EHOSTDOWN', 'DEADLINE'])

/** `what` was being done to `where`, an export. What is no failure from outside is given back as it is. */
export function refusal(error: unknown, what: string, where: string): unknown {
  if (error instanceof MountFailed) return mountRefusal(error, `failed to mount nfs server: ${error.message}`)
  if (!(error instanceof FileWorkFailed)) return error
  const { code, message } = error
  const words =
    code === 'CLASH'
      ? `snapshot with the same name but different source volume ID already exists: ${message}`
      : `${what} on ${where}: ${message}${hints[code] ?? ''}`
  return new CallRefused(codes[code] ?? status.INTERNAL, words, { cause: error })
}

/** Whether the next call had better mount the share anew. */
export function spoilsMount(error: unknown): boolean {
  const failure = error instanceof CallRefused ? error.cause : error
  return failure instanceof FileWorkFailed && spoiling.has(failure.code)
}
