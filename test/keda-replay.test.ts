// What KEDA 2.21.0 was recorded doing on a real control plane (test/real/keda), against our definitions and pure decisions.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { isRecord } from '#kube/objects/object-shape.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { boundsProblem } from '../src/capabilities/autoscale/admission/bounds.ts'
import { formulaOf } from '../src/capabilities/autoscale/admission/modifiers.ts'
import { triggersProblem } from '../src/capabilities/autoscale/admission/triggers.ts'
import { autoscalerDifferences, wantedAutoscaler } from '../src/capabilities/autoscale/decisions/autoscaler.ts'
import type { ScaledObject } from '../src/capabilities/autoscale/kinds/scaled-object.ts'
import { servedKinds } from '../src/capabilities/autoscale/kinds/served-kinds.ts'
import { metricsOf } from '../src/capabilities/autoscale/operator/settling.ts'
import { TriggerSet } from '../src/capabilities/autoscale/operator/trigger-set.ts'
import { scalerWorld } from '../src/capabilities/autoscale/scalers/testdata/scaler-world.ts'
import { crdFacts } from './crd-facts.ts'
import { comparable, otherOutcomes } from './keda-differences.ts'
import { type KedaScenario, kedaScenarios } from './keda-scenarios.ts'

const folder = join(import.meta.dirname, 'fixtures', 'keda')
const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'))

interface Recorded {
  readonly name: string
  readonly moment: string
  readonly object?: {
    readonly labels?: Record<string, string>
    readonly annotations?: Record<string, string>
    readonly status?: ScaledObject['status']
  }
  readonly autoscalers: readonly {
    readonly name: string
    readonly labels: Record<string, string>
    readonly annotations?: Record<string, string>
    readonly ownerReferences: KubeObject['metadata']['ownerReferences']
    readonly spec: unknown
  }[]
}

const outcomes: readonly Recorded[] = read('outcomes.json').outcomes

function merged(one: unknown, other: unknown): unknown {
  if (!isRecord(one) || !isRecord(other)) return other
  return Object.fromEntries(
    [...new Set([...Object.keys(one), ...Object.keys(other)])].flatMap(key => {
      const value = key in other ? merged(one[key], other[key]) : one[key]
      return value === null ? [] : [[key, value] as const]
    }),
  )
}

function objectOf({ name, spec, later }: KedaScenario, { object, moment }: Recorded): ScaledObject {
  const wanted = { scaleTargetRef: { name, ...(name === 'stateful' ? { kind: 'StatefulSet' } : {}) }, ...spec }
  const changed = moment === 'changed' && isRecord(later?.['spec']) ? merged(wanted, later['spec']) : wanted
  const { labels, annotations } = object ?? {}
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: {
      name,
      namespace: 'default',
      uid: 'UID',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec: changed as ScaledObject['spec'],
  }
}

const replayed = outcomes.flatMap(outcome => {
  const scenario = kedaScenarios.find(({ name }) => name === outcome.name)
  if (scenario === undefined) throw new Error(`nobody is called ${outcome.name}`)
  const key = `${outcome.name} ${outcome.moment}`
  return outcome.object === undefined || (otherOutcomes[key] !== undefined && outcome.name !== 'foreign')
    ? []
    : [{ key, outcome, object: objectOf(scenario, outcome) }]
})

async function metricsFor(object: ScaledObject) {
  await using world = scalerWorld({ clock: new VirtualClock(0) })
  await using set = await TriggerSet.open(
    {
      owner: { kind: 'ScaledObject', namespace: 'default', name: object.metadata.name, uid: 'UID', generation: 1 },
      triggers: object.spec.triggers,
      world,
      given: async ({ metadata }) => ({ metadata, env: {}, auth: {} }),
    },
    new AbortController().signal,
  )
  return (await metricsOf(object, set, new AbortController().signal)).metrics
}

test('there is enough to replay', () => {
  expect(replayed.length).toBeGreaterThan(70)
  expect(replayed.filter(({ outcome }) => outcome.autoscalers.length > 0).length).toBeGreaterThan(45)
})

for (const { key, outcome, object } of replayed) {
  const isRefused = outcome.object?.status?.conditions?.some(({ reason }) => reason === 'ScaledObjectCheckFailed') === true
  const isNowhere = /scaleTargetRef specification/.test(JSON.stringify(outcome.object?.status?.conditions))
  const [found] = outcome.autoscalers
  if (found !== undefined && !isRefused)
    test(`the autoscaler is KEDA's: ${key}`, async () => {
      const kind = key.startsWith('stateful') ? 'StatefulSet' : 'Deployment'
      const wanted = wantedAutoscaler(object, await metricsFor(object), {
        target: { apiVersion: 'apps/v1', kind },
        version: 'main',
      })
      const { name, labels, annotations, ownerReferences } = wanted.metadata
      expect({ name, labels, annotations, ownerReferences }).toEqual({
        name: found.name,
        labels: found.labels,
        annotations: found.annotations,
        ownerReferences: found.ownerReferences,
      })
      // What the server filled in is no difference, and nothing is written anew.
      const live = { ...wanted, metadata: { ...found, name }, spec: found.spec } as KubeObject
      expect(autoscalerDifferences(wanted, live)).toEqual([])
    })
  if (isRefused && !isNowhere)
    test(`it is refused in KEDA's words: ${key}`, async () => {
      const problem = async () => {
        const fitting = boundsProblem(object.spec) ?? triggersProblem(object.spec.triggers)
        if (fitting !== undefined) return fitting
        formulaOf(object.spec)
        await metricsFor(object)
        return undefined
      }
      const said = await problem().catch((error: Error & { readonly cause?: Error }) => error.cause?.message ?? error.message)
      const message = outcome.object?.status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? ''
      expect(String(comparable(message))).toMatch(/./)
      expect(said).toBeDefined()
      expect(String(comparable(message)).endsWith(String(comparable(said)))).toBe(true)
    })
}

/** What ours may say otherwise, and why. */
const otherDefinitions: readonly { readonly path: RegExp; readonly because: string }[] = [
  { path: /^scaledjobs\.keda\.sh .*jobTargetRef/, because: 'the API server checks each Job that is made of it' },
  { path: /^(cluster)?triggerauthentications.*\.oauth2\.required/, because: 'a field with a default is never missing' },
  { path: /^scaledjobs\.keda\.sh .*openAPIV3Schema\.required/, because: 'without a spec there is no Job to start' },
  { path: /\.tolerance\.pattern/, because: 'the same amounts, with an exponent of at most three digits' },
]

function* differences(theirs: unknown, ours: unknown, path: string): Generator<string> {
  if (isRecord(theirs) && isRecord(ours)) {
    for (const key of new Set([...Object.keys(theirs), ...Object.keys(ours)]))
      yield* differences(theirs[key], ours[key], `${path}.${key}`)
    return
  }
  if (Array.isArray(theirs) && Array.isArray(ours) && theirs.length === ours.length) {
    for (const [at, one] of theirs.entries()) yield* differences(one, ours[at], `${path}[${at}]`)
    return
  }
  if (JSON.stringify(theirs) !== JSON.stringify(ours)) yield `${path}: ${JSON.stringify(theirs)} is ${JSON.stringify(ours)}`
}

test('our definitions say what KEDA’s say: fields, types, rules, defaults, columns', () => {
  const theirs: readonly { readonly name: string; readonly spec: unknown }[] = read('definitions.json').definitions
  const ours = servedKinds.flatMap(({ definition }) => (definition === undefined ? [] : [crdFacts(definition as KubeObject)]))
  expect(ours.map(({ name }) => name).toSorted()).toEqual(theirs.map(({ name }) => name).toSorted())
  const found = theirs.flatMap(({ name, spec }) => [...differences(spec, ours.find(one => one.name === name)?.spec, `${name} `)])
  expect(found.filter(line => !otherDefinitions.some(({ path }) => path.test(line)))).toEqual([])
})
