// A table as a file for spreadsheets.
import type { Seen } from '../access/viewing-of.ts'
import type { Viewing } from '../views/viewing.ts'
import { type CsvCell, csvText } from '../words/csv.ts'
import { answerOf, csvType, type WholeAnswer } from './answer.ts'
import { mostExported } from './export-pages.ts'
import type { Call } from './route.ts'
import { notThere, viewedValue } from './viewed.ts'

export interface CsvTable {
  readonly header: readonly string[]
  readonly rows: readonly (readonly CsvCell[])[]
}

/** A table as a file; a text in place of it is a 404. */
export async function csvTable(
  call: Call<unknown>,
  name: string,
  needs: Parameters<typeof viewedValue>[1],
  view: (viewing: Viewing, seen: Seen) => CsvTable | string,
): Promise<WholeAnswer> {
  const viewed = await viewedValue(call, needs, view)
  if (!viewed.ok) return viewed.answer
  return typeof viewed.value === 'string' ? notThere(viewed.value) : csvFile(name, viewed.value)
}

/** At most as many rows as one file has; the header `Ballast-Cut` says so. */
export function csvFile(name: string, { header, rows }: CsvTable): WholeAnswer {
  const safe = name.replaceAll(/[^A-Za-z0-9._-]+/g, '-').slice(0, 100)
  return answerOf(csvType, csvText(header, rows.slice(0, mostExported)), {
    headers: {
      'content-disposition': `attachment; filename="ballast-${safe}.csv"`,
      ...(rows.length > mostExported ? { 'ballast-cut': String(mostExported) } : {}),
    },
  })
}
