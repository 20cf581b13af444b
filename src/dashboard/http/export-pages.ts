// Tables of many pages as one file, page by page, so that others get their turn in between.

import type { Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'

/** Rows of one file; the rest is asked for with narrower filters. */
export const mostExported = 50_000

interface Page<Row> {
  readonly rows: readonly Row[]
  /** Cursor of the page that follows; null: this is the last. */
  readonly next: string | null
}

type ReadPage<Row, Refused> = { readonly ok: true; readonly page: Page<Row> } | { readonly ok: false; readonly refused: Refused }

type AllRows<Row, Refused> =
  | { readonly ok: true; readonly rows: readonly Row[] }
  | { readonly ok: false; readonly refused: Refused }

/** Every row from the first page on, up to one more than go into a file. What refuses a page refuses all. */
export async function allRows<Row, Refused>(
  clock: Clock,
  read: (cursor: string | undefined) => Promise<ReadPage<Row, Refused>>,
): Promise<AllRows<Row, Refused>> {
  const breathe = breather(clock)
  const rows: Row[] = []
  for (let cursor: string | undefined; ; ) {
    const given = await read(cursor)
    if (!given.ok) return given
    const { page } = given
    for (const row of page.rows) rows.push(row)
    if (page.next === null || page.next === cursor || rows.length > mostExported) return { ok: true, rows }
    cursor = page.next
    await breathe()
  }
}
