// Bodies nobody foresaw: random bytes and mutated real ones. The server takes them or answers a Status, and lives.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fieldsAt, numberAt, textAt } from './json-value.ts'
import { startTestTwin, testDeployment, testPod } from './twin-for-tests.ts'

const core = '/api/v1/namespaces/default'
const paths = [`${core}/pods`, `${core}/configmaps`, '/apis/apps/v1/namespaces/default/deployments', `${core}/pods/p/binding`]
const types = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']
const patches = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml']

const protobuf = Buffer.from(
  '6b3873000a0f0a0276311209436f6e6669674d6170121b0a110a016112001a0022002a0032003800420012060a01621201631a002200',
  'hex',
)
const bodies = [
  Buffer.from(JSON.stringify(testPod('q'))),
  Buffer.from(JSON.stringify(testDeployment('d'))),
  Buffer.from('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y\ndata: {a: b}\n'),
  Buffer.from('[{"op":"add","path":"/metadata/labels/a","value":"b"},{"op":"test","path":"/kind","value":"Pod"}]'),
  protobuf,
]

/** A body with bytes changed, cut out or doubled. */
const mutated = fc
  .tuple(
    fc.constantFrom(...bodies),
    fc.array(fc.tuple(fc.nat(400), fc.nat(255), fc.constantFrom('set', 'cut', 'double')), { minLength: 1, maxLength: 6 }),
  )
  .map(([body, changes]) => {
    let bytes = Buffer.from(body)
    for (const [at, value, what] of changes) {
      const place = at % Math.max(1, bytes.byteLength)
      if (what === 'set') bytes[place] = value
      else if (what === 'cut') bytes = bytes.subarray(0, place)
      else bytes = Buffer.concat([bytes.subarray(0, place), bytes])
    }
    return bytes
  })

const anyBody = fc.oneof(
  mutated,
  fc.uint8Array({ maxLength: 300 }),
  fc.json({ maxDepth: 6 }).map(text => Buffer.from(text)),
  fc.json({ maxDepth: 3 }).map(text => Buffer.from(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"z"},"spec":${text}}`)),
)

describe('whatever a body is', () => {
  test('it is taken, or refused with a Status', async () => {
    const bugs: unknown[] = []
    await using twin = await startTestTwin([testPod('p')], { onTrouble: ({ error }) => bugs.push(error) })
    const patchTypes = patches.map(type => `application/${type}`)
    const request = fc.oneof(
      fc.tuple(fc.constant('POST' as const), fc.constantFrom(...paths), fc.constantFrom(...types)),
      fc.tuple(fc.constant('PUT' as const), fc.constant(`${core}/pods/p`), fc.constantFrom(...types)),
      fc.tuple(fc.constant('PATCH' as const), fc.constant(`${core}/pods/p`), fc.constantFrom(...patchTypes)),
      fc.tuple(fc.constant('DELETE' as const), fc.constant(`${core}/pods/p`), fc.constantFrom(...types)),
    )
    await fc.assert(
      fc.asyncProperty(request, anyBody, async ([verb, path, contentType], bytes) => {
        const query = { fieldManager: 'm', dryRun: 'All' }
        const answer = await twin.client.call(verb, path, { bytes, contentType, query })
        const isTaken = answer.status < 300 && fieldsAt(answer.body, 'metadata') !== undefined
        const isRefused = textAt(answer.body, 'kind') === 'Status' && numberAt(answer.body, 'code') === answer.status
        expect({ isTaken, isRefused, bugs }).toEqual({ isTaken, isRefused: !isTaken || isRefused, bugs: [] })
      }),
      { numRuns: 3000 },
    )
  })
})
