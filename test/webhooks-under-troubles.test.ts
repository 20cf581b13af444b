// A share of test/webhooks-under-troubles.deep.test.ts: what was met once.
import { expect, test } from 'vitest'
import { outcomeOf, type Run } from './part-troubles.ts'
import { webhookRows } from './webhook-trouble-rows.ts'

const secrets = 'GET /api/v1/namespaces/ballast-system/secrets'

// A refusal that passed left a replica with a certificate of its own until it was restarted; answers that did not come held up all parts
// before they began.
test.each<Omit<Run, 'capability'> & { readonly row: string }>([
  { row: 'with a Secret that nobody made yet', key: 'POST secrets', kind: '403', moment: 'at start', length: 'burst' },
  { row: 'with a Secret that is there', key: secrets, kind: '500', moment: 'at start', length: 'long' },
])('$row: $key answered $kind, $length $moment', async ({ row: name, ...run }) => {
  const row = webhookRows[name]
  const outcome = row && (await outcomeOf(row, { capability: 'readiness', ...run }))
  expect([outcome?.faults, (outcome?.fired ?? 0) > 0]).toEqual([[], true])
})
