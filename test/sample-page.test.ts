// The page of the worked example: its value is all that the dashboard knows of it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Capability } from '#coordination/capability.ts'
import { pagesOf } from '#dashboard/capability-page.ts'
import { type CapabilityView, capabilityView, overview } from '#dashboard/contract.ts'
import { startTestDashboard, type TestDashboard, TestStream } from '../src/dashboard/http/dashboard-for-tests.ts'
import { homelab, pictureOf } from '../src/dashboard/views/testdata/homelab.ts'
import { refresh } from './sample-capability/capability.ts'
import { refreshAnnotation } from './sample-capability/decision.ts'

const marked = homelab().map(object =>
  object.kind === 'Deployment'
    ? { ...object, metadata: { ...object.metadata, annotations: { [refreshAnnotation]: '1m', markup: '<b>' } } }
    : object,
)
const pictureWith = (capabilities: readonly string[]) => ({ ...pictureOf(marked), capabilities })
let dashboard: TestDashboard

beforeAll(async () => {
  dashboard = await startTestDashboard({ picture: pictureWith(['refresh']), options: { pages: await pagesOf([refresh]) } })
})
afterAll(() => dashboard[Symbol.asyncDispose]())

const pagesTold = async () => overview.parse((await dashboard.ask('/api/v1/overview')).json).pages

describe('where it is on', () => {
  test('it is in the menu, and reads without a script', async () => {
    expect(await pagesTold()).toEqual([{ path: '/refresh', title: 'Refresh' }])
    const { status, text: body } = await dashboard.ask('/refresh', { headers: { accept: 'text/html' } })
    expect(status).toBe(200)
    expect(body).toContain('<title>Refresh · talos-homelab · Ballast</title>')
    expect(body).toMatch(/<a href="\/refresh" aria-current="page">Refresh<\/a>/)
    expect(body).toMatch(/\d+ of \d+ Deployments are due for new pods\./)
    expect(body).toMatch(/<a href="\/workload\/[^"]+\/Deployment\/[^"]+">/)
  })

  test('programs read the same', async () => {
    const { status, json } = await dashboard.ask('/api/v1/pages/refresh')
    expect(status).toBe(200)
    const view = capabilityView.parse(json)
    expect(view.tables[0]?.total).toBe(marked.filter(({ kind }) => kind === 'Deployment').length)
    expect(view.tables[0]?.rows.length).toBeGreaterThan(0)
  })

  test('a stream brings it', async () => {
    using stream = await TestStream.open(dashboard.port, '/api/v1/stream?topics=page:refresh')
    expect((await stream.until(({ name }) => name === 'snapshot')).data).toMatchObject({
      topic: 'page:refresh',
      value: { title: 'Refresh' },
    })
  })
})

test('where it is off there is none', async () => {
  dashboard.show({ current: () => pictureWith([]), onChange: () => () => undefined })
  expect(await pagesTold()).toEqual([])
  const { status, text: body } = await dashboard.ask('/refresh', { headers: { accept: 'text/html' } })
  expect(status).toBe(404)
  expect(body).toContain('There is no such page.')
  expect((await dashboard.ask('/api/v1/pages/refresh')).status).toBe(404)
})

const pageAt = (path: string): Capability => ({
  ...refresh,
  page: async () => ({ path, title: 'Other', view: () => ({ title: 'Other', sentences: [], tables: [] }) }),
})

test.each([
  [[refresh, refresh], 'the address /refresh is taken'],
  [[pageAt('permits')], 'the address /permits is taken'],
  [[pageAt('node')], 'the address /node is taken'],
  [[pageAt('A/b')], 'no part of an address'],
])('an address that cannot be is refused by name', async (capabilities, words) => {
  await expect(pagesOf(capabilities)).rejects.toThrow(words)
})

describe('a view that fails or has no end', () => {
  const shown = async (view: () => CapabilityView) => {
    const pages = await pagesOf([{ ...refresh, page: async () => ({ path: 'refresh', title: 'Refresh', view }) }])
    return await startTestDashboard({ picture: pictureWith(['refresh']), options: { pages } })
  }

  test('says whose it is, and the other pages stay', async () => {
    await using broken = await shown(() => {
      throw new Error('no such node')
    })
    const { status, text: body } = await broken.ask('/refresh', { headers: { accept: 'text/html' } })
    expect([status, body.includes('This cannot be shown: page of refresh failed: no such node')]).toEqual([500, true])
    expect(body).toMatch(/<a href="\/refresh" aria-current="page">/)
    expect((await broken.ask('/api/v1/pages/refresh')).status).toBe(500)
    expect((await broken.ask('/', { headers: { accept: 'text/html' } })).status).toBe(200)
  })

  test('shows the rows that the contract allows, and counts all', async () => {
    const columns = [{ title: 'Node', isNumber: false }]
    const rows = Array.from({ length: 1_500 }, (_, at) => ({ key: `n${at}`, cells: [`n${at}`], path: null }))
    const tables = [{ name: 'nodes', title: 'Nodes', columns, rows, total: 0, empty: 'None.' }]
    await using long = await shown(() => ({ title: 'Refresh', sentences: [], tables }))
    const view = capabilityView.parse((await long.ask('/api/v1/pages/refresh')).json)
    expect([view.tables[0]?.rows.length, view.tables[0]?.total]).toEqual([1_000, 1_500])
  })
})
