// Rebalancing over time by HTTP: as JSON, as CSV, and as a page that reads without a script, is small, and makes nothing of a cluster markup.
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RebalancePlan } from '#coordination/api.ts'
import { move, plan } from '#coordination/plans/testdata/objects.ts'
import { hostClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { rebalancingView, utilisation as utilisationShape } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { UtilisationHistory, utilisationSpans } from '../source/utilisation-history.ts'
import { ago, bookWith, homelab, hour, minute, nowMs, pictureOf } from '../views/testdata/homelab.ts'
import { startTestDashboard, type TestDashboard } from './dashboard-for-tests.ts'

/** Something else at each step: nothing of it can be drawn in few words. */
function noise(picture: Picture, sinceMs: number): UtilisationHistory {
  const history = new UtilisationHistory(2)
  const random = seededRandom(3)
  const share = () => Math.floor(random() * 1_000)
  const names = [...picture.state.nodes.keys()].slice(0, 40)
  for (let ms = sinceMs; ms <= nowMs; ms += utilisationSpans.hour.stepMs)
    for (const name of names)
      history.note(name, ms, { cpuRequested: share(), cpuUsed: share(), memoryRequested: share(), memoryUsed: share() })
  return history
}

const hostile = `<img src=x onerror=alert(1)>"'&`
const moves = (count: number) =>
  Array.from({ length: count }, (_, at) => move({ id: `m${String(at + 1).padStart(3, '0')}`, from: 'talos00', to: 'talos03' }))

function planOf(name: string, count: number, message: string): RebalancePlan {
  const made = plan({
    name,
    moves: moves(count),
    steps: moves(count).map(({ id }) => ({ id, state: 'Mismatch', landedOn: 'talos01', reason: 'LandingMismatch', message })),
  })
  return { ...made, metadata: { ...made.metadata, uid: `uid-${name}`, creationTimestamp: ago(minute) } }
}

const event: KubeObject = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name: 'e', namespace: 'media', uid: 'e' },
  eventTime: ago(minute),
  reason: hostile,
  note: 'pod eviction from talos00 node by sigs.k8s.io/descheduler',
  reportingController: 'sigs.k8s.io.descheduler',
  regarding: { kind: 'Pod', namespace: 'media', name: 'sonarr-0', uid: 'u' },
}

const small = pictureOf([...homelab(), event])
const picture: Picture = {
  ...small,
  book: { ...small.book, plans: [planOf('talos-0', 2, hostile), planOf('talos-long', 300, 'elsewhere')] },
  utilisation: noise(small, nowMs - hour),
}
let dashboard: TestDashboard
beforeAll(async () => {
  dashboard = await startTestDashboard({ picture, clock: hostClock({ speed: 100 }) })
})
afterAll(() => dashboard[Symbol.asyncDispose]())

const html = { accept: 'text/html' }

describe('JSON', () => {
  test.each([
    '/api/v1/rebalancing',
    '/api/v1/rebalancing?span=days',
    '/api/v1/rebalancing?nodes=talos03,talos00&plan=talos-long',
    `/api/v1/rebalancing?at=${ago(20 * minute)}`,
  ])('%s is what the contract says', async path => {
    const { status, json } = await dashboard.ask(path)
    expect(status).toBe(200)
    expect(rebalancingView.parse(json)).toEqual(json)
  })

  test('the nodes that are asked for, the plan that is asked for, and not more moves than are told one by one', async () => {
    const { json } = await dashboard.ask('/api/v1/rebalancing?nodes=talos03,talos00&plan=talos-long')
    const view = rebalancingView.parse(json)
    expect(view.utilisation.nodes.map(({ node }) => node)).toEqual(['talos03', 'talos00'])
    expect([view.plan?.outcome.name, view.plan?.outcome.moves, view.plan?.moves.length]).toEqual(['talos-long', 300, 100])
  })

  test('of one node', async () => {
    const { json } = await dashboard.ask('/api/v1/nodes/talos01/utilisation?span=days')
    const view = utilisationShape.parse(json)
    expect([view.span, view.steps, view.nodes.map(({ node }) => node)]).toEqual(['days', 288, ['talos01']])
  })

  // biome-ignore format: a table
  test.each([
    ['/api/v1/rebalancing?span=week',            400, 'bad-query',         /span/],
    ['/api/v1/rebalancing?nodes=,',              400, 'bad-query',         /nodes/],
    ['/api/v1/rebalancing?node=talos00',         400, 'unknown-query-key', /Did you mean/],
    ['/api/v1/rebalancing?plan=talos-1',         404, 'not-there',         /There is no plan talos-1\. Did you mean talos-0\?/],
    ['/api/v1/nodes/talos9/utilisation',         404, 'not-there',         /There is no node talos9/],
    ['/api/v1/export/landings.csv?plan=x',       404, 'not-there',         /There is no plan x/],
  ])('%s is refused', async (path, status, code, message) => {
    const answer = await dashboard.ask(path)
    expect([answer.status, answer.code]).toEqual([status, code])
    expect(answer.text).toMatch(message)
  })
})

describe('CSV', () => {
  // biome-ignore format: a table
  test.each([
    ['utilisation.csv',                          4 * 120 + 1,   'node,time,cpu requested (%),cpu used (%),memory requested (%),memory used (%)'],
    ['utilisation.csv?span=days&nodes=talos03',  288 + 1,       'node,time,'],
    ['landings.csv',                             302 + 1,       'plan,move,namespace,'],
    ['landings.csv?plan=talos-0',                2 + 1,         'plan,move,namespace,'],
    ['outcomes.csv',                             2 + 1,         'plan,policy,phase,'],
    ['evictions.csv',                            1 + 1,         'time,namespace,pod,node,strategy,result,because,permit'],
  ])('%s has %i lines', async (path, lines, header) => {
    const { status, text } = await dashboard.ask(`/api/v1/export/${path}`)
    expect(status).toBe(200)
    expect(text.split('\r\n').filter(line => line !== '')).toHaveLength(lines)
    expect(text.slice(1, 1 + header.length)).toBe(header)
  })
})

describe('the page without a script', () => {
  test('has the lines with their names, the plan, the rate and the evictions as text', async () => {
    const { status, text } = await dashboard.ask('/rebalancing', { headers: html })
    expect(status).toBe(200)
    for (const wanted of [
      'Utilisation over time',
      'aria-label="talos00, last hour: CPU requested ',
      'Plan against what happened',
      '▲ elsewhere',
      'Landing hit rate',
      'Evictions of the descheduler',
      'href="/api/v1/export/utilisation.csv?span=hour&amp;nodes=',
      '<form method="get" action="/rebalancing"',
    ])
      expect(text).toContain(wanted)
    expect(text).not.toContain('This page needs its script')
  })

  test('keeps what was asked for in its links and its form', async () => {
    const { text } = await dashboard.ask('/rebalancing?span=days&nodes=talos03&plan=talos-0', { headers: html })
    expect(text).toContain('aria-label="talos03, last 48 hours: ')
    expect(text).not.toContain('aria-label="talos00, last')
    expect(text).toContain('href="/rebalancing?nodes=talos03&amp;plan=talos-0"')
    expect(text).toContain('<input type="hidden" name="span" value="days">')
    expect(text).toContain('name="nodes" value="talos03"')
  })

  test('says what is not there, and takes no query for more than it is', async () => {
    const missing = await dashboard.ask('/rebalancing?plan=nothing', { headers: html })
    expect([missing.status, missing.text.includes('There is no plan nothing.')]).toEqual([404, true])
    const odd = await dashboard.ask(`/rebalancing?span=week&nodes=${encodeURIComponent(hostile)}`, { headers: html })
    expect(odd.status).toBe(200)
    expect(odd.text).not.toContain('<img')
  })

  test('text of others stays text', async () => {
    const { text } = await dashboard.ask('/rebalancing?plan=talos-0', { headers: html })
    expect(text).toContain('&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;')
    expect(text).not.toContain('<img')
  })

  test('is small, however restless the nodes were and however long the plan is', async () => {
    const { bytes } = await dashboard.ask('/rebalancing?plan=talos-long', { headers: { ...html, 'accept-encoding': 'gzip' } })
    expect(gunzipSync(bytes).length).toBeGreaterThan(60_000)
    expect(bytes.length).toBeLessThan(14 * 1_024)
  })
})

test('5,000 nodes: twelve are drawn, and the page stays small', async () => {
  const nodes = Array.from({ length: 5_000 }, (_, at): KubeObject => {
    const name = `pool-${at % 7}-${at}`
    return {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, uid: name },
      status: { allocatable: { cpu: '8', memory: '16Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] },
    }
  })
  const many = pictureOf(nodes, { book: bookWith({}) })
  await using large = await startTestDashboard({ picture: { ...many, utilisation: noise(many, nowMs - hour) } })
  const { bytes } = await large.ask('/rebalancing', { headers: { ...html, 'accept-encoding': 'gzip' } })
  const text = gunzipSync(bytes).toString('utf8')
  expect(text.match(/class="drawn-lines-row"/g)).toHaveLength(12)
  expect(text).toContain('The 12 of 5000 nodes that miss a goal, belong to the plan or are the fullest.')
  expect(bytes.length).toBeLessThan(16 * 1_024)
  const { json } = await large.ask('/api/v1/rebalancing')
  expect(rebalancingView.parse(json).utilisation.nodeCount).toBe(5_000)
})
