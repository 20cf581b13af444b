// Work where a share is mounted, with its failures as answers.

import { status } from '@grpc/grpc-js'
import { CallRefused } from '#kube/grpc/served-method.ts'
import { optionsProblem } from '../mounts/mount-options.ts'
import type { SharedMounts } from '../mounts/shared-mounts.ts'
import { mountSource } from './mount-source.ts'
import { refusal } from './refusals.ts'
import type { Place } from './share-files.ts'
import { cleanPath, pathProblem, serverProblem } from './share-path.ts'

/** A share as classes and identifiers name it. */
export interface NamedShare {
  readonly server: string
  readonly share: string
}

/** Runs `work` where a share is mounted. @throws CallRefused with `what` before the reason */
export async function onShare<T>(
  shares: SharedMounts,
  { server, share }: NamedShare,
  options: readonly string[],
  what: string,
  work: (share: Pick<Place, 'server' | 'root'>) => Promise<T>,
): Promise<T> {
  const wrong = serverProblem(server) ?? pathProblem(share) ?? optionsProblem(options)
  const source = mountSource(server, `/${cleanPath(share)}`, '')
  if (wrong !== undefined) throw new CallRefused(status.INVALID_ARGUMENT, `${source} is not mounted: ${wrong}`)
  try {
    return await shares.using({ source, options }, root => work({ server, root }))
  } catch (error) {
    throw refusal(error, what, source)
  }
}
