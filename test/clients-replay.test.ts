// The twin held to what real clients asked of a real API server and what that answered, field by field. `test/real/clients/record.ts`
// records; nothing but the recordings is needed here.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Fidelity, fidelityOf, fidelityTable, recordedClients } from '#test/fidelity-table.ts'
import { runsOf } from './runs.ts'

/** Fields of each client that may differ, each by an accepted rule: the measure that must not fall. */
const committed = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', 'fidelity.json'), 'utf8')) as Readonly<
  Record<string, number>
>

const rows: Fidelity[] = []
afterAll(() => console.log(fidelityTable(rows.toSorted((left, right) => (left.client < right.client ? -1 : 1)))))

test('a figure is committed for every client and for no other', () => {
  expect(recordedClients.map(file => file.replace(/\.json(\.gz)?$/, '')).toSorted()).toEqual(Object.keys(committed).toSorted())
})

// `npm test` leaves the oldest kubectl to `npm run test:deep`: it asks what the newest asks, but for autoscaling/v1.
const asked = recordedClients.filter(file => runsOf(2) === 2 || file !== 'kubectl-1.32.json.gz')

test.each(asked)('%s is answered as the real server answered', async file => {
  const row = await fidelityOf(file)
  rows.push(row)
  expect(row.open).toEqual([])
  expect(row.fields - row.reproducedFields).toBeLessThanOrEqual(committed[row.client] ?? 0)
})
