// Values that are no topic of the stream: asked for once, and again when somebody says so.
import { type Signal, signal } from '@preact/signals'
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { ApiError } from '../../contract.ts'
import { ApiProblem, getJson } from '../live/requests.ts'
import type { Shown } from './state-note.tsx'

interface Answered<T> extends Shown<T> {
  /** Asks once more; what is shown stays until the answer is there. */
  readonly reload: () => void
}

/** What `GET path` answers, in the states of a topic. Asked anew when `path` or `again` changes; undefined asks for nothing. */
export function useAnswer<T>(path: string | undefined, again: unknown = undefined): Answered<T> {
  const cell = useMemo(
    () => ({
      value: signal<T | undefined>(undefined),
      state: signal<Shown<T>['state']['value']>('loading'),
      error: signal<ApiError['error'] | undefined>(undefined),
    }),
    [path],
  )
  const [times, setTimes] = useState(0)
  useEffect(() => {
    if (path === undefined) return
    const leaving = new AbortController()
    void ask(path, cell, leaving.signal)
    return () => leaving.abort()
  }, [path, again, times])
  return { ...cell, reload: () => setTimes(times + 1) }
}

interface Cell<T> {
  readonly value: Signal<T | undefined>
  readonly state: Signal<Shown<T>['state']['value']>
  readonly error: Signal<ApiError['error'] | undefined>
}

async function ask<T>(path: string, { value, state, error }: Cell<T>, leaving: AbortSignal): Promise<void> {
  try {
    const answer = await getJson<T>(path, leaving)
    if (leaving.aborted) return
    value.value = answer
    error.value = undefined
    state.value = 'live'
  } catch (problem) {
    if (leaving.aborted) return
    if (!(problem instanceof ApiProblem)) throw problem
    error.value = { code: problem.code, message: problem.message, remedy: problem.remedy }
    state.value = stateOfStatus(problem.status)
  }
}

/** How it stands with what was refused so. */
function stateOfStatus(status: number): Shown<unknown>['state']['value'] {
  if (status === 403) return 'forbidden'
  return status === 404 || status === 410 ? 'gone' : 'error'
}
