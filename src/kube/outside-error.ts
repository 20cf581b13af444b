// What others cause, told apart from what we did wrong: whoever supervises work asks here whether to try again for ever or to stop it.

/** A server, a network, a credential or an object is not as it should be. Nothing of ours is broken: it is tried again. */
export class OutsideError extends Error {
  override readonly name: string = 'OutsideError'
}

/** An answer came, and it is not what was asked for: no JSON, or JSON of another shape. */
export class AnswerError extends OutsideError {
  override readonly name = 'AnswerError'
}

/**
 * Whether `error` comes from outside: one of these kinds, what the operating system says of a file or a socket, several of them together,
 * or an error that names one of them as its cause.
 */
export function isOutside(error: unknown): boolean {
  const seen = new Set<unknown>()
  for (let one = error; one instanceof Error && !seen.has(one); one = one.cause) {
    seen.add(one)
    if (one instanceof OutsideError || isOfTheSystem(one)) return true
    if (one instanceof AggregateError) return one.errors.length > 0 && one.errors.every(isOutside)
  }
  return false
}

/** `ECONNRESET` of a socket, `ENOENT` of a file: Node names the call that failed. */
function isOfTheSystem(error: Error): boolean {
  return 'syscall' in error && typeof error.syscall === 'string'
}
