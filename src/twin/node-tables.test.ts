// What `kubectl get nodes` asks of a big cluster, page by page.
import { expect, test } from 'vitest'
import { itemsAt, listAt, textAt } from './json-value.ts'
import { startTestTwin } from './twin-for-tests.ts'

test('5,000 nodes are ten tables of 500, every row once and sorted by name (case 40)', async () => {
  const names = Array.from({ length: 5_000 }, (_, index) => `node-${index}`)
  const nodes = names.map(name => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } }))
  await using twin = await startTestTwin(nodes)
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json'
  const rows: string[] = []
  let pages = 0
  let token: string | undefined
  do {
    const query = { limit: '500', ...(token === undefined ? {} : { continue: token }) }
    const page = await twin.client.get('/api/v1/nodes', { accept, query })
    expect(page.body).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' })
    rows.push(...itemsAt(page.body, 'rows').map(row => String(listAt(row, 'cells')[0])))
    token = textAt(page.body, 'metadata', 'continue')
    pages++
  } while (token !== undefined)
  expect(pages).toBe(10)
  expect(rows).toEqual(names.toSorted())
})
