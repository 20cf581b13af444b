// What plan, permits, workload, history and search answer has the shape that programs are promised, down to the last field.

import { afterAll, expect, test } from 'vitest'
import { solveInChild } from '#planning/solving/solve.ts'
import * as schema from '../contract.ts'
import { permitCountsOf } from './ledger/permit-counts.ts'
import { permitPage } from './ledger/permits.ts'
import { pictureAt } from './moment.ts'
import { certificateOf } from './plans/certificate.ts'
import { movePage } from './plans/moves.ts'
import { planViewOf } from './plans/plan.ts'
import { searchIn } from './search.ts'
import { homelab, minute, nowMs, permitObject, pictureOf, plannedFor } from './testdata/homelab.ts'
import { everything } from './viewing.ts'
import { historyPage } from './workloads/history.ts'
import { workloadRows, workloadViewOf } from './workloads/workload.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())
const plan = await plannedFor(homelab(), session.solve)
const joined = {
  requester: 'reload',
  class: 'correctness',
  verb: 'restart',
  purpose: 'reload',
  reasons: [],
  idempotencyKey: 'r/1',
}
const present = pictureOf([...homelab(), plan, permitObject({ joined: [joined] })])
const earlier = pictureAt(present, nowMs - minute / 2)
if (!('picture' in earlier)) throw new Error('not kept')

test.each([
  ['now', present],
  ['half a minute ago', earlier.picture],
])('%s', (_, picture) => {
  const ref = { kind: 'Deployment', namespace: 'monitoring', name: 'mimir-querier' }
  expect(schema.planView.parse(planViewOf(picture, 'talos-7f3c', everything))).toBeDefined()
  expect(schema.movePage.parse(movePage(picture, plan, undefined, 5)).next).toBe('m06')
  expect(schema.moveCertificate.parse(certificateOf(picture, plan, 'm01'))).toBeDefined()
  expect(schema.permitPage.parse(permitPage(picture, {})).permits.length).toBeGreaterThan(0)
  expect(schema.permitCounts.parse(permitCountsOf(picture, {}))).toBeDefined()
  expect(schema.workloadView.parse(workloadViewOf(picture, ref, everything))).toBeDefined()
  expect(schema.historyPage.parse(historyPage(picture, ref, {})).history.length).toBeGreaterThan(0)
  expect(schema.workloadPage.parse(workloadRows(picture, {}))).toBeDefined()
  expect(schema.searchHits.parse(searchIn(picture, 'mimir', 20)).length).toBeGreaterThan(0)
})
