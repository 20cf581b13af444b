// Discovery and schemas of the twin beside what a real server says of itself. `test/real/clients/record-documents.ts` records.
import { expect, test } from 'vitest'
import { documentFidelity, recordedDocuments, twinDocuments } from '#test/fidelity-documents.ts'

/** Fields that may differ, each by a rule. */
const mostDiffering = 605

test('groups, resources, verbs, kinds, fields and types are the recorded ones', async () => {
  const rows = documentFidelity(recordedDocuments(), await twinDocuments())
  const total = (of: 'fields' | 'reproduced') => rows.reduce((sum, row) => sum + row[of], 0)
  console.log(`discovery and OpenAPI: ${total('reproduced')} of ${total('fields')} fields of ${rows.length} documents`)
  expect(rows.flatMap(row => row.open)).toEqual([])
  expect(total('fields') - total('reproduced')).toBeLessThanOrEqual(mostDiffering)
})
