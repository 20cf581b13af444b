// A share of test/first-lists.deep.test.ts: what was met once.
import { expect, test } from 'vitest'
import { firstListsRows, playFirstLists } from './first-lists.ts'

test('a first list of rules that is refused takes their webhook from nobody', async () => {
  const row = firstListsRows['readiness']
  const path = '/apis/readiness.node.x-k8s.io/v1alpha1/nodereadinessrules'
  const played = row && (await playFirstLists(row, { path, kind: '403' }, { forMs: 20_000, afterMs: 5_000 }))
  expect(played?.gone).toEqual([])
})
