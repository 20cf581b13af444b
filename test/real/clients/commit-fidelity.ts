// Writes the figures that `test/clients-replay.test.ts` holds: `node test/real/clients/commit-fidelity.ts`. Prints the table and what is open.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fidelityOf, fidelityTable, recordedClients } from '../../fidelity-table.ts'

const rows = []
for (const file of recordedClients) rows.push(await fidelityOf(file))
// The same difference of many answers is told once.
const told = new Map<string, { readonly line: string; count: number }>()
for (const { client, open } of rows) {
  for (const line of open) {
    const what = line.replaceAll(/\d+|"[^"]*"|\[[^\]]*\]/g, '').replace(/^.*?: /, '')
    const known = told.get(what)
    if (known === undefined) told.set(what, { line: `${client}: ${line}`, count: 1 })
    else known.count++
  }
}
for (const { line, count } of told.values()) console.log(`${count} x ${line}`)
console.log(fidelityTable(rows))
const figures = Object.fromEntries(rows.map(row => [row.client, row.fields - row.reproducedFields]))
writeFileSync(join(import.meta.dirname, '..', '..', 'fixtures', 'fidelity.json'), `${JSON.stringify(figures, null, 2)}\n`)
