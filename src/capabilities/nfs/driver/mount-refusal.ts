// What the caller of the driver hears of a mount that did not come about.

import { status } from '@grpc/grpc-js'
import { CallRefused } from '#kube/grpc/served-method.ts'
import type { MountFailed } from '../mounts/mounter.ts'

const codes = {
  permission: status.PERMISSION_DENIED,
  argument: status.INVALID_ARGUMENT,
  late: status.INTERNAL,
  other: status.INTERNAL,
} as const satisfies Record<MountFailed['kind'], status>

export const mountRefusal = (error: MountFailed, words = error.message): CallRefused =>
  new CallRefused(codes[error.kind], words, { cause: error })
