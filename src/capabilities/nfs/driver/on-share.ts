// Work where a share is mounted, with its failures as answers.

import type { SharedMounts } from '../mounts/shared-mounts.ts'
import { mountSource } from './mount-source.ts'
import { refusal } from './refusals.ts'
import type { Place } from './share-files.ts'
import { cleanPath } from './share-path.ts'

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
  const source = mountSource(server, `/${cleanPath(share)}`, '')
  try {
    return await shares.using({ source, options }, root => work({ server, root }))
  } catch (error) {
    throw refusal(error, what, source)
  }
}
