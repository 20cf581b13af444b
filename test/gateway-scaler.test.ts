// What the HTTP add-on's scaler was recorded to answer for routes, against ours.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { httpScaledObjectRoute, interceptorRouteRoute } from '../src/capabilities/gateway/routing/route-of.ts'
import { isWanted, specsOf, valuesOf } from '../src/capabilities/gateway/scaler/scaler-answers.ts'
import { operatorObjects } from './gateway-operator-cases.ts'

interface Recorded {
  readonly isActive: { readonly result: boolean }
  readonly specs: { readonly metricSpecs: readonly unknown[] }
  readonly values: Readonly<Record<string, { readonly metricValues: readonly unknown[] }>>
}

const fixture = join(import.meta.dirname, 'fixtures', 'http-add-on', 'scaler.json')
const recorded: { readonly counts: Readonly<Record<string, number>>; readonly answers: Readonly<Record<string, Recorded>> } =
  JSON.parse(readFileSync(fixture, 'utf8'))

describe("the scaler's answers", () => {
  it.each(operatorObjects.map(object => [`${object.kind} ${object.metadata.name}`, object] as const))('%s', (name, object) => {
    const read = object.kind === 'HTTPScaledObject' ? httpScaledObjectRoute : interceptorRouteRoute
    const route = read(object as unknown as KubeObject)
    if (!('key' in route)) throw new Error(route.join('; '))
    // The connections under way have moved nothing for long: what else keeps a target awake is ours.
    const numbers = { concurrency: recorded.counts[route.key] ?? 0, rate: 0, quietMs: Number.POSITIVE_INFINITY }
    const specs = specsOf(route)
    const values = Object.fromEntries(
      specs.map(({ metricName }) => [metricName, { metricValues: valuesOf(route, numbers, metricName) }]),
    )
    expect({ isActive: { result: isWanted(route, numbers) }, specs: { metricSpecs: specs }, values }).toEqual(
      recorded.answers[name],
    )
  })
})
