// Tables for spreadsheets: RFC 4180 with the mark of UTF-8, and no cell that a spreadsheet would run.

const byteOrderMark = '\ufeff'
const newLine = '\r\n'

export type CsvCell = string | number | boolean | null

/** The whole table: header, rows, each ended by CR LF. Units belong into the header; null is an empty cell. */
export function csvText(header: readonly string[], rows: Iterable<readonly CsvCell[]>): string {
  return `${byteOrderMark}${csvLine(header)}${Array.from(rows, csvLine).join('')}`
}

/** One row with its end. */
function csvLine(cells: readonly CsvCell[]): string {
  return `${cells.map(csvCell).join(',')}${newLine}`
}

/** One cell. A text that begins as a formula would gets a leading `'`; numbers of ours are left as they are. */
export function csvCell(cell: CsvCell): string {
  if (cell === null) return ''
  if (typeof cell !== 'string') return String(cell)
  const harmless = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
