// What went wrong with work on files, with the code by which the driver chooses its answer. Worker and driver share it.
import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import { OutsideError } from '#kube/outside-error.ts'
import { type ByteText, shown } from './byte-text.ts'

/** Codes beside those of the system, which are as in errno(3): `EACCES`, `ENOSPC`, `EROFS`, `ESTALE`, `ENOENT`. */
type OwnCode =
  /** A path leaves its root, or is no path of this kind. */
  | 'UNSAFE_PATH'
  /** An archive would write outside of its target, or more than it may. */
  | 'HOSTILE_ARCHIVE'
  /** An archive is damaged, or of a kind that is not read. */
  | 'BROKEN_ARCHIVE'
  /** An archive was not written to its end. */
  | 'CUT_ARCHIVE'
  /** A directory of a snapshot holds what belongs to another one. */
  | 'CLASH'
  /** There is more of something than is worked on. */
  | 'LIMIT'
  /** A program that is needed failed in a way that has no code of the system. */
  | 'PROGRAM'
  /** The work did not end within its time. */
  | 'DEADLINE'
  /** Too much work waits. */
  | 'OVERLOADED'
  /** Too many workers hang in the kernel. */
  | 'ABANDONED'
  /** The worker's process ended, or could not be started. */
  | 'WORKER_ENDED'

/** A code of the system, or one of ours. */
type FileWorkCode = OwnCode | (string & {})

export class FileWorkFailed extends OutsideError {
  override readonly name = 'FileWorkFailed'
  readonly code: FileWorkCode
  /** The path it is about, where it is about one. */
  readonly path: string | undefined

  constructor(
    code: FileWorkCode,
    message: string,
    options: { readonly path?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.path = options.path
  }
}

/** Words for codes that Node has none for; it calls them `Unknown system error -116`. */
const wordsBeyondNode: Readonly<Record<string, string>> = { ESTALE: 'stale file handle', EDQUOT: 'disk quota exceeded' }

let knownErrors: ReturnType<typeof getSystemErrorMap> | undefined

/** `EACCES` and its words for an error of a system call; undefined for any other error. */
export function systemFailure(error: unknown): { readonly code: string; readonly words: string } | undefined {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return undefined
  // Node makes the map anew each time.
  knownErrors ??= getSystemErrorMap()
  const known = knownErrors.get(error.errno)
  if (known !== undefined) return { code: known[0], words: known[1] }
  const number = -error.errno
  const code = Object.entries(constants.errno).find(([, value]) => value === number)?.[0]
  return code === undefined ? undefined : { code, words: wordsBeyondNode[code] ?? `error ${number} of the system` }
}

/**
 * Does `act`, and says of an error of the system what was attempted on which path.
 * @param doing what is attempted, before the path: `open`, `make directory`
 * @throws FileWorkFailed with the code of the system; other errors as they are
 */
export function attempt<T>(doing: string, path: ByteText, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw failureAt(doing, path, error)
  }
}

/** The same of an error that comes later: a FileWorkFailed, or another error as it is. */
export function failureAt(doing: string, path: ByteText, error: unknown): unknown {
  const failure = systemFailure(error)
  if (failure === undefined) return error
  const where = shown(path)
  return new FileWorkFailed(failure.code, `${doing} ${where}: ${failure.words} (${failure.code})`, { path: where, cause: error })
}

/** Whether `error` has one of `codes`. */
export function hasCode(error: unknown, ...codes: readonly string[]): error is FileWorkFailed {
  return error instanceof FileWorkFailed && codes.includes(error.code)
}
