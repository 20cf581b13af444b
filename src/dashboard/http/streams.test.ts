// The stream over HTTP as several viewers see it, and behind another path.
import { expect, test } from 'vitest'
import { plan } from '#coordination/plans/testdata/objects.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { bookWith, homelab, pictureOf } from '../views/testdata/homelab.ts'
import { startTestDashboard, TestStream } from './dashboard-for-tests.ts'

const rbac = 'rbac.authorization.k8s.io'
const proposed = { ...plan(), status: { phase: 'Proposed' as const } }
const picture = pictureOf(homelab(), { book: bookWith({ plans: [proposed] }) })

function role(name: string, group: string, resources: readonly string[]): readonly KubeObject[] {
  const subjects = [{ kind: 'User', name, apiGroup: rbac }]
  const metadata = { name: `${name}-${resources.join('-')}` }
  return [
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata, rules: [{ apiGroups: [group], resources, verbs: ['list'] }] },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: metadata.name },
      subjects,
    },
  ]
}

const objects = [
  ...['jane', 'joe'].flatMap(name => role(name, '', ['nodes'])),
  ...role('jane', '', ['pods']),
  ...role('jane', 'ballast.dev', ['rebalanceplans', 'disruptionpermits']),
]

const isOf =
  (topic: string, ...names: readonly string[]) =>
  (event: { readonly name: string; readonly data: unknown }) =>
    names.includes(event.name) && JSON.stringify(event.data).includes(`"topic":"${topic}"`)

test('two viewers of one topic are each told what they may see, first and with each change', async () => {
  const section = { auth: { mode: 'proxy', proxy: { trustLoopback: true } } }
  await using of = await startTestDashboard({ picture, objects, section })
  const path = '/api/v1/stream?topics=overview,plan:talos-0'
  using jane = await TestStream.open(of.port, path, { 'x-remote-user': 'jane' })
  using joe = await TestStream.open(of.port, path, { 'x-remote-user': 'joe' })
  await Promise.all([jane, joe].map(stream => stream.until(isOf('overview', 'snapshot'))))
  await jane.until(isOf('plan:talos-0', 'snapshot'))
  expect(await joe.until(isOf('plan:talos-0', 'gone'))).toMatchObject({ data: { error: { code: 'reading-forbidden' } } })
  of.source.change({ cluster: 'renamed', book: bookWith({ plans: [{ ...proposed, spec: { ...proposed.spec, moves: [] } }] }) })
  await Promise.all([jane, joe].map(stream => stream.until(isOf('overview', 'delta'))))
  await jane.until(isOf('plan:talos-0', 'delta'))
  expect(joe.events.filter(isOf('plan:talos-0', 'snapshot', 'delta'))).toEqual([])
  // What jane saw is no place to go on from for joe.
  expect(jane.lastId).toMatch(/^.+\.\d+$/)
  using back = await TestStream.open(of.port, path, { 'x-remote-user': 'joe', 'last-event-id': jane.lastId ?? '' })
  await back.until(({ name }) => name === 'resync')
  await back.until(isOf('overview', 'snapshot'))
  expect(back.events[0]).toMatchObject({ name: 'hello', data: { resumed: false } })
})

test('behind another path everything is there, and nowhere else', async () => {
  await using of = await startTestDashboard({ picture, section: { basePath: '/tools/ballast/' } })
  expect(of.url).toBe(`http://127.0.0.1:${of.port}/tools/ballast/`)
  const page = await of.ask('/tools/ballast/', { headers: { accept: 'text/html' } })
  expect([page.status, page.text.includes('/tools/ballast/assets/main-a1.js')]).toEqual([200, true])
  // What a page of ours leads to lies below the path: none is at the root.
  const targets = [...page.text.matchAll(/(?:href|src|action)="(\/[^"]*)"/g)].map(([, target = '']) => target)
  expect(targets.length).toBeGreaterThan(3)
  expect(targets.filter(target => !target.startsWith('/tools/ballast/'))).toEqual([])
  for (const path of [
    'plan',
    'permits',
    'help',
    'node/talos00',
    'assets/main-a1.js',
    'api/v1/overview',
    'api/v1/export/nodes.csv',
    'healthz',
  ]) {
    expect([path, (await of.ask(`/tools/ballast/${path}`)).status]).toEqual([path, 200])
    if (path !== 'healthz') expect([path, (await of.ask(`/${path}`)).status]).toEqual([path, 404])
  }
  using stream = await TestStream.open(of.port, '/tools/ballast/api/v1/stream?topics=overview')
  await stream.until(isOf('overview', 'snapshot'))
})
