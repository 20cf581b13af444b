import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { move, plan } from '#coordination/plans/testdata/objects.ts'
import { hostClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { bookWith, homelab, pictureOf } from '../views/testdata/homelab.ts'
import { startTestDashboard, type TestDashboard } from './dashboard-for-tests.ts'
import { allRows, mostExported } from './export-pages.ts'

/** A node whose name and taint are formulas for a spreadsheet. */
const nasty: KubeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: '=cmd', uid: 'u-nasty', labels: { 'topology.kubernetes.io/zone': '<b>x</b>=cmd' } },
  status: { allocatable: { cpu: '1', memory: '1Gi', pods: '10' }, conditions: [{ type: 'Ready', status: 'True' }] },
}
const { policies } = pictureOf(homelab()).book
const picture = pictureOf([...homelab(), nasty], {
  book: bookWith({ policies, plans: [plan({ moves: [move(), move({ id: 'm02', wave: 2 })] })] }),
})
let dashboard: TestDashboard
beforeAll(async () => {
  dashboard = await startTestDashboard({ picture })
})
afterAll(() => dashboard[Symbol.asyncDispose]())

const linesOf = (text: string) => text.split('\r\n')

test('is a file with a mark, CRLF and units in the header', async () => {
  const { status, headers, text, bytes } = await dashboard.ask('/api/v1/export/nodes.csv')
  expect([status, headers['content-type'], headers['content-disposition']]).toEqual([
    200,
    'text/csv; charset=utf-8; header=present',
    'attachment; filename="ballast-nodes.csv"',
  ])
  expect([...bytes.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf])
  const [header, ...rows] = linesOf(text)
  expect(header).toContain('node,role,ready,cordoned,draining,zone,cpu allocatable (Kubernetes quantity)')
  expect(rows.find(row => row.startsWith('talos00'))).toMatch(/^talos00,control-plane,true,false,false,[^,]*,7950m,7425m,/)
  expect(text.endsWith('\r\n')).toBe(true)
})

test('D28: a cell that begins with = is prefixed, one that has it inside is not', async () => {
  const { text } = await dashboard.ask('/api/v1/export/nodes.csv')
  const row = linesOf(text).find(line => line.includes('cmd'))
  expect(row).toMatch(/^'=cmd,worker,true,false,false,<b>x<\/b>=cmd,/)
})

test.each([
  ['/api/v1/export/goals.csv', 3],
  ['/api/v1/export/pods.csv?node=talos00', 60],
  ['/api/v1/export/plans.csv', 2],
  ['/api/v1/export/moves.csv?plan=talos-0', 3],
  ['/api/v1/export/flows.csv?plan=talos-0', 2],
  ['/api/v1/export/unmovable.csv?plan=talos-0', 1],
  ['/api/v1/export/permits.csv?decision=denied', 1],
  ['/api/v1/export/workloads.csv?namespace=monitoring', 2],
])('%s has at least %i lines', async (path, least) => {
  const { status, text } = await dashboard.ask(path)
  expect(status).toBe(200)
  const [header = '', ...rows] = linesOf(text).filter(line => line !== '')
  expect(rows.length + 1).toBeGreaterThanOrEqual(least)
  expect(header.split(',').length).toBeGreaterThan(3)
})

test.each([
  ['/api/v1/export/pods.csv', 400, 'bad-query'],
  ['/api/v1/export/pods.csv?node=talos77', 404, 'not-there'],
  ['/api/v1/export/moves.csv?plan=none', 404, 'not-there'],
  ['/api/v1/export/history.csv?workload=media/Deployment/nobody', 404, 'not-there'],
  ['/api/v1/export/history.csv?workload=media', 400, 'bad-query'],
  ['/api/v1/export/secrets.csv', 404, 'no-such-address'],
  ['/api/v1/export/permits.csv?sort=x', 400, 'unknown-query-key'],
])('%s is %i %s', async (path, status, code) => {
  const answer = await dashboard.ask(path)
  expect([answer.status, answer.code]).toEqual([status, code])
})

describe('pages of a table', () => {
  const pages = (count: number, each: number) => async (cursor: string | undefined) => {
    const page = Number(cursor ?? 0)
    const rows = Array.from({ length: each }, (_, index) => page * each + index)
    return { ok: true as const, page: { rows, next: page + 1 < count ? String(page + 1) : null } }
  }

  test('are read to the last', async () => {
    const all = await allRows(hostClock(), pages(7, 500))
    expect(all.ok && [all.rows.length, all.rows.at(-1)]).toEqual([3_500, 3_499])
  })

  test('end where a file is full, and where a page leads to itself', async () => {
    const many = await allRows(hostClock(), pages(1_000, 500))
    expect(many.ok && many.rows.length).toBe(mostExported + 500)
    const circle = await allRows(hostClock(), async () => ({ ok: true as const, page: { rows: [1], next: 'again' } }))
    expect(circle.ok && circle.rows).toEqual([1, 1])
  })

  test('refused in the middle refuse all', async () => {
    const all = await allRows(hostClock(), async cursor =>
      cursor === undefined ? { ok: true as const, page: { rows: [1], next: 'a' } } : { ok: false as const, refused: 'no' },
    )
    expect(all).toEqual({ ok: false, refused: 'no' })
  })
})
