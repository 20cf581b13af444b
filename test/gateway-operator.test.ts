// What the HTTP add-on's operator was recorded to make of HTTPScaledObjects, against ours.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { httpFinalizer, outcomeOf } from '../src/capabilities/gateway/operator/scaled-object-for.ts'
import { httpScaledObjectRoute } from '../src/capabilities/gateway/routing/route-of.ts'
import { operatorObjects, operatorScaler } from './gateway-operator-cases.ts'

interface Recorded {
  readonly metadata: Readonly<Record<string, unknown>>
  readonly spec?: unknown
  readonly status?: Readonly<Record<string, unknown>>
}
type States = Readonly<Record<'HTTPScaledObject' | 'InterceptorRoute' | 'ScaledObject', Readonly<Record<string, Recorded>>>>

const fixture = join(import.meta.dirname, 'fixtures', 'http-add-on', 'operator.json')
const { first }: { readonly first: States } = JSON.parse(readFileSync(fixture, 'utf8'))
const scalerAddress = `${operatorScaler.service}.${operatorScaler.namespace}:${operatorScaler.port}`
const uid = 'uid'

/** A Go struct writes its empty field `scalingModifiers`, which says nothing. */
const withoutEmpty = (recorded: Recorded | undefined): unknown =>
  recorded === undefined ? undefined : JSON.parse(JSON.stringify(recorded).replace(',"scalingModifiers":{}', ''))

describe("the operator's work", () => {
  it.each(
    operatorObjects.filter(({ kind }) => kind === 'HTTPScaledObject').map(object => [object.metadata.name, object] as const),
  )('%s', (name, given) => {
    const object = { ...given, metadata: { ...given.metadata, uid } } as unknown as KubeObject
    const route = httpScaledObjectRoute(object)
    const outcome = outcomeOf({ object, scaledObject: undefined, route, scalerAddress })
    const { metadata = {}, status = {} } = first.HTTPScaledObject[name] ?? {}
    expect({ finalizers: [httpFinalizer] }).toEqual({ finalizers: metadata['finalizers'] })
    const { targetService, targetWorkload } = outcome
    const [{ observedGeneration: _generation, ...ready }] = status['conditions'] as [Record<string, unknown>]
    expect({ targetService, targetWorkload, ready: { type: 'Ready', ...outcome.ready } }).toEqual({
      targetService: status['targetService'],
      targetWorkload: status['targetWorkload'],
      ready,
    })
    const written = outcome.beside.kind === 'apply' ? outcome.beside.object : undefined
    const ownerReferences = written?.metadata.ownerReferences?.map(({ uid: _uid, ...rest }) => rest)
    const { labels, annotations } = written?.metadata ?? {}
    const found =
      written === undefined ? undefined : { metadata: { labels, annotations, ownerReferences }, spec: written['spec'] }
    expect(found).toEqual(withoutEmpty(first.ScaledObject[name]))
  })
})
