// What an action is answered that was not done.

export interface ActionRefusal {
  /** 503: whether it was done is not known, or will be known only when it is seen. */
  readonly status: 400 | 403 | 404 | 409 | 503
  readonly code: string
  readonly message: string
  readonly remedy: string | null
  /** 409: the revision that shows what it is now. */
  readonly revision?: string
}

/** The refusal of `code`, which `docs/errors.md` explains. */
export function refusal(code: string, { status, message, remedy, revision }: Omit<ActionRefusal, 'code'>): ActionRefusal {
  const said = { code, message, remedy }
  return { status, ...said, ...(revision === undefined ? {} : { revision }) }
}

export function badAction(message: string, remedy: string | null = null): ActionRefusal {
  return refusal('action-bad-body', { status: 400, message, remedy })
}

export function targetGone(message: string): ActionRefusal {
  return refusal('action-target-gone', { status: 404, message, remedy: null })
}
