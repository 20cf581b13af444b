// A table that comes page by page: the next page joins those that are there; another question begins anew.
import { computed, type Signal, signal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import type { ApiError } from '../../contract.ts'
import { ApiProblem, getJson } from '../live/requests.ts'
import type { Shown } from '../widgets/state-note.tsx'

interface Rows<Row> {
  readonly rows: readonly Row[]
  readonly next: string | null
  readonly total: number | null
}

interface Pages<Row> {
  readonly topic: Shown<Rows<Row>>
  /** Fetches the next page. */
  readonly more: () => void
  readonly reload: () => void
  readonly isLoading: boolean
}

/** Pages of what `GET path` answers. When `changed` changes, the first page is asked for again and replaces all. */
export function usePages<Page, Row>(path: string, changed: unknown, rowsOf: (page: Page) => Rows<Row>): Pages<Row> {
  const pages = useMemo(() => new LoadedPages<Page, Row>(path, rowsOf), [path])
  useEffect(() => {
    void pages.load(undefined)
    return () => pages.leave()
  }, [pages, changed])
  return { topic: pages, more: pages.more, reload: pages.reload, isLoading: pages.isLoading.value }
}

class LoadedPages<Page, Row> implements Shown<Rows<Row>> {
  readonly #value = signal<Rows<Row> | undefined>(undefined)
  readonly error: Signal<ApiError['error'] | undefined> = signal(undefined)
  readonly isLoading = signal(false)
  readonly value = computed(() => this.#value.value)
  readonly state = computed(() => {
    const problem = this.error.value
    if (problem !== undefined) return /forbidden/.test(problem.code) ? 'forbidden' : 'error'
    return this.#value.value === undefined ? 'loading' : 'live'
  })
  readonly #path: string
  readonly #rowsOf: (page: Page) => Rows<Row>
  #asking: AbortController | undefined

  constructor(path: string, rowsOf: (page: Page) => Rows<Row>) {
    this.#path = path
    this.#rowsOf = rowsOf
  }

  readonly more = (): void => {
    const next = this.#value.peek()?.next
    if (next !== undefined && next !== null && !this.isLoading.peek()) void this.load(next)
  }

  readonly reload = (): void => void this.load(undefined)

  leave(): void {
    this.#asking?.abort(left)
  }

  async load(cursor: string | undefined): Promise<void> {
    this.#asking?.abort(left)
    const asking = new AbortController()
    this.#asking = asking
    this.isLoading.value = true
    try {
      const path = cursor === undefined ? this.#path : `${this.#path}&cursor=${encodeURIComponent(cursor)}`
      const page = this.#rowsOf(await getJson<Page>(path, asking.signal))
      const before = cursor === undefined ? [] : (this.#value.peek()?.rows ?? [])
      this.#value.value = { ...page, rows: [...before, ...page.rows] }
      this.error.value = undefined
    } catch (error) {
      if (error === left) return
      if (!(error instanceof ApiProblem)) throw error
      const { code, message, remedy } = error
      this.error.value = { code, message, remedy }
    } finally {
      if (this.#asking === asking) this.isLoading.value = false
    }
  }
}

const left = new Error('the page was left, or asks for something else')
