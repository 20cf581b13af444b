// A share of the hostile dumps of test/hostile, into a twin and through the commands that read files; hostile-dumps.deep.test.ts has many more.
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { testNodes } from '#twin/components/cluster-for-tests.ts'
import { startTwin } from '#twin/twin.ts'
import { testDeployment } from '#twin/twin-for-tests.ts'
import { dumpReport, dumpThroughCommands } from './hostile/dump-commands.ts'
import { dumpOnTwin } from './hostile/dump-onslaught.ts'

test.each([3, 8])('a twin starts with a hostile dump, and what is right in it goes on (seed %i)', async seed => {
  expect(await dumpOnTwin(seed, 40)).toEqual([])
})

test.each([
  ['why', 'node/node-0', '--cluster', 'FILE'],
  ['doctor', '--cluster', 'FOLDER'],
  ['simulate', '--cluster', 'FILE', '--scenario', 'SCENARIO'],
])('%s answers a hostile dump, or says what is wrong with it', async (...words) => {
  expect(await dumpThroughCommands(7, 40, [words])).toEqual([])
})

const deployment = testDeployment('cart', 1)
const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', namespace: 'shop' } }
const container = { name: 'main', image: 'a:1' }

test.each([
  // object, place, found, expected
  [{ ...pod, spec: null }, 'Pod shop/a: spec.containers', 'nothing', /^a list/],
  [{ ...pod, spec: { containers: 'main' } }, 'Pod shop/a: spec.containers', '"main"', /^a list/],
  [{ ...pod, spec: { containers: [{ ...container, ports: {} }] } }, 'Pod shop/a: spec.containers[0].ports', '{}', /^a list/],
  [{ ...pod, spec: { containers: [container], priority: 2 ** 31 } }, 'Pod shop/a: spec.priority', '2147483648', /32 bits/],
  [
    { ...pod, spec: { containers: [{ ...container, resources: { requests: { cpu: 'a lot' } } }] } },
    'Pod shop/a: spec.containers[0].resources.requests[cpu]',
    '"a lot"',
    /quantity/,
  ],
  [
    { ...deployment, spec: { ...(deployment['spec'] as object), selector: { matchLabels: { a: 'b' } } } },
    /spec.template.metadata.labels$/,
    /match/,
    /controller/,
  ],
  [{ ...pod, metadata: { name: 'a/b' }, spec: { containers: [container] } }, 'snapshot', /a\/b/, /name/],
  [null, 'snapshot', 'null', /an object/],
])('what is wrong with an object is told: where, what, and what would be right (%#)', async (object, where, found, expected) => {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  await using twin = await startTwin({ clock, objects: [...testNodes(1), object as never], components: false })
  const match = (value: string | RegExp): unknown => (typeof value === 'string' ? value : expect.stringMatching(value))
  expect(twin.report.problems).toMatchObject([{ object, where: match(where), found: match(found), expected: match(expected) }])
  expect(twin.access.list('nodes')).toHaveLength(1)
})

test('two objects of one UID do not undo each other: the second gets a UID of its own', async () => {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  const named = (name: string) => ({
    ...pod,
    metadata: { ...pod.metadata, name, uid: 'same' },
    spec: { containers: [container] },
  })
  await using twin = await startTwin({ clock, objects: [named('a'), named('b')], components: false })
  const uids = twin.access.list('pods').map(({ metadata }) => metadata.uid)
  expect(new Set(uids).size).toBe(2)
  expect(twin.report.problems).toMatchObject([{ code: 'object-duplicate', where: 'Pod shop/b: metadata.uid' }])
})

test('one object of the year 9999 does not move the time of all', async () => {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  const late = {
    ...pod,
    metadata: { ...pod.metadata, creationTimestamp: '9999-12-31T23:59:59Z' },
    spec: { containers: [container] },
  }
  await using twin = await startTwin({ clock, objects: [...testNodes(1), late], components: false })
  expect(twin.access.list('pods')).toHaveLength(1)
  expect(new Date(clock.now()).getUTCFullYear()).toBe(2026)
})

test('fields that a definition does not describe are left out and told, once for a kind', async () => {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  const spec = { type: 'object', properties: { size: { type: 'integer' }, parts: { type: 'array', items: { type: 'object' } } } }
  const free = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'gadgets.example.com' },
    spec: {
      group: 'example.com',
      names: { kind: 'Gadget', plural: 'gadgets' },
      scope: 'Cluster',
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: { spec, free } } } },
      ],
    },
  }
  const gadget = (name: string, more: object) => ({ apiVersion: 'example.com/v1', kind: 'Gadget', metadata: { name }, ...more })
  const objects = [
    definition,
    gadget('a', { spec: { size: 1 }, free: { anything: 1 } }),
    ...['b', 'c'].map(name => gadget(name, { spec: { size: 1, seize: 2, parts: [{}, { x: 1 }] }, status: {}, free: { x: 1 } })),
  ]
  await using twin = await startTwin({ clock, objects, components: false })
  expect(twin.report.problems).toMatchObject([
    {
      code: 'field-unknown',
      where: 'Gadget b: spec.seize, spec.parts[1].x, status',
      found: '6 fields of 2 Gadgets that their definition does not describe',
      expected: 'fields that it describes; these are left out, as an API server does',
    },
  ])
  expect(twin.access.get('gadgets.example.com', undefined, 'b')).toMatchObject({ spec: { size: 1 }, free: { x: 1 } })
})

test('doctor says what it sets aside of a dump, and looks at the rest', async () => {
  const right = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'right', namespace: 'shop' } }
  const wrong = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'wrong', namespace: 'shop', labels: 'x' },
    spec: 7,
  }
  const said = await dumpReport([right, wrong], ['doctor', '--cluster', 'FILE'])
  expect(said).toMatch(/set aside: .*Deployment shop\/wrong/)
  expect(said).not.toContain('shop/right')
})
