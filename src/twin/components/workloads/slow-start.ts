// Creating many objects without hammering: batches of 1, 2, 4, … until one fails, as upstream's controllers do.
import { StatusError } from '#kube/objects/status.ts'

interface BatchOutcome {
  readonly created: number
  /** What the first failing batch met last; nothing after that batch was tried. */
  readonly error: Error | undefined
}

export async function createInBatches(count: number, create: (index: number) => Promise<void>): Promise<BatchOutcome> {
  let created = 0
  let tried = 0
  for (let size = 1; tried < count; size *= 2) {
    let error: Error | undefined
    for (const end = Math.min(count, tried + size); tried < end; tried++) {
      try {
        await create(tried)
        created++
      } catch (thrown) {
        error = thrown instanceof Error ? thrown : new Error(String(thrown))
      }
    }
    if (error !== undefined) return { created, error }
  }
  return { created, error: undefined }
}

/** Nothing can be made in a namespace that is going: no failure of the controller, and nothing to try again. */
export function isNamespaceTerminating(error: unknown): boolean {
  return error instanceof StatusError && error.causes.some(cause => cause.reason === 'NamespaceTerminating')
}
