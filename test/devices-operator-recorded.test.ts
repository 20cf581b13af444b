// Ours against what Intel's operator made of objects and answered about them: see test/real/devices/record-operator.ts.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { applyJsonPatch } from '#kube/objects/json-patch.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { answerDefaults, answerPlugin } from '../src/capabilities/devices/operator/admission.ts'
import type { DaemonSet } from '../src/capabilities/devices/operator/daemon-set.ts'
import { fpgaKinds } from '../src/capabilities/devices/operator/fpga-kinds.ts'
import { fpgaMappings } from '../src/capabilities/devices/operator/fpga-mappings.ts'
import { answerFpgaPod } from '../src/capabilities/devices/operator/fpga-pods.ts'
import { type deviceNames, pluginName, pluginsOf } from '../src/capabilities/devices/operator/plugin-kinds.ts'
import { pluginKinds, specOf } from '../src/capabilities/devices/operator/plugin-schema.ts'
import { reconcilePlugin } from '../src/capabilities/devices/operator/reconcile.ts'
import { answerSgxPod } from '../src/capabilities/devices/operator/sgx-pods.ts'
import { plainDaemonSet } from './plain-daemon-set.ts'
import { fpgaObject, fpgaObjects, fpgaParts, fpgaPod, fpgaPodCases } from './real/devices/fpga-cases.ts'
import { askedCases, askedObject, operatorCases, podCases, podObject, podParts } from './real/devices/operator-cases.ts'

interface Recorded {
  readonly definitions: Readonly<Record<string, unknown>>
  readonly daemonSets: readonly Readonly<Record<string, object>>[]
  readonly asked: readonly { readonly image?: unknown; readonly isAllowed: boolean }[]
  readonly pods: readonly (object | null)[]
  readonly fpgaPods: readonly (object | null | 'broken')[]
}

const recorded: Recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures', 'devices', 'operator-answers.json'), 'utf8'),
)

const settings = {
  images: 'upstream',
  imagePullSecret: '',
  imageOverrides: {},
  namespace: 'ballast-agent',
  ownImage: '',
} as const

/** What an object is brought to, from nothing or from a DaemonSet that is there: images first, as the loop does. */
function decided(device: (typeof deviceNames)[number], object: KubeObject, found: readonly DaemonSet[]) {
  const read = specOf(device, object)
  if (!read.ok) throw new Error(`${object.metadata.name} cannot be read`)
  return reconcilePlugin({ device, object, spec: read.value }, { daemonSets: found, pods: [], settings, nowMs: 0 }).daemonSet
}

/** A recorded DaemonSet as the server has it: of the object with this UID. */
function served(plain: object, uid: string): DaemonSet {
  const { metadata, spec } = structuredClone(plain) as { metadata: KubeObject['metadata']; spec: { spec: DaemonSet['spec'] } }
  const ownerReferences = (metadata.ownerReferences ?? []).map(owner => ({ ...owner, uid }))
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { ...metadata, ownerReferences, uid: 'ds' }, spec: spec.spec }
}

test.each(operatorCases)('$device $name', ({ device, name, specs }) => {
  const object = (step: number): KubeObject => {
    const asked = askedObject({ device, spec: specs[step] })
    return { ...asked, metadata: { name, uid: 'u' } }
  }
  const key = `${pluginName(device)}-${name}`
  const [first = {}, second = {}] = recorded.daemonSets.map(step => step[key] ?? {})
  const created = decided(device, object(0), [])
  expect(created.kind).toBe('create')
  expect('object' in created ? plainDaemonSet(created.object) : undefined).toEqual(first)
  // What upstream's made needs nothing.
  expect(decided(device, object(0), [served(first, 'u')]).kind).toBe('keep')
  const changed = decided(device, object(1), [served(first, 'u')])
  expect('object' in changed ? plainDaemonSet(changed.object) : plainDaemonSet(served(first, 'u'))).toEqual(second)
  expect(decided(device, object(1), [served(second, 'u')]).kind).toBe('keep')
})

/** Upstream asks for a name of which it publishes no image; ours takes what it publishes too. */
const takenBesides = ['intel-dlb-initcontainer', 'intel-fpga-initcontainer']

test.each(askedCases.map((one, at) => ({ one, at, says: JSON.stringify(one) })))('$says', ({ one, at }) => {
  const object = askedObject(one)
  const request = { operation: 'CREATE', object, resource: pluginsOf(one.device) } as const
  const { image, isAllowed } = recorded.asked[at] ?? { isAllowed: undefined }
  const defaults = answerDefaults(request)
  const [operation] = defaults.kind === 'patched' ? defaults.patch : []
  const value = operation !== undefined && 'value' in operation ? operation.value : undefined
  expect(typeof value === 'object' && value !== null && 'image' in value ? value.image : value).toEqual(image)
  const answer = answerPlugin(request)
  const isTaken = takenBesides.some(name => JSON.stringify(one).includes(name))
  expect([answer.kind === 'allowed', isTaken]).toEqual([isTaken || isAllowed, isTaken])
})

test.each(podCases.map((one, at) => ({ one, at, says: JSON.stringify(one) })))('pod $says', ({ one, at }) => {
  const pod = podObject(one)
  const answer = answerSgxPod({ operation: 'CREATE', object: pod })
  const after = answer.kind === 'patched' ? applyJsonPatch(pod, answer.patch) : { ok: true as const, value: pod }
  if (!after.ok) throw new Error('the patch cannot be applied')
  const parts = answer.kind === 'denied' ? null : podParts(after.value as ReturnType<typeof podObject>)
  expect(parts).toEqual(recorded.pods[at])
})

/** What ours makes of a pod with FPGAs; null: refused. */
function fpgaAnswer(one: (typeof fpgaPodCases)[number]): ReturnType<typeof fpgaParts> | null {
  const pod = fpgaPod(one)
  const here = fpgaObjects.map(fpgaObject).filter(({ metadata }) => metadata.namespace === (one.namespace ?? 'default'))
  const ofKind = (kind: string) => here.filter(object => object.kind === kind)
  const answer = answerFpgaPod(
    { operation: 'CREATE', object: pod },
    fpgaMappings(ofKind('AcceleratorFunction'), ofKind('FpgaRegion')),
  )
  if (answer.kind === 'denied') return null
  const after = answer.kind === 'patched' ? applyJsonPatch(pod, answer.patch) : { ok: true as const, value: pod }
  if (!after.ok) throw new Error('the patch cannot be applied')
  return fpgaParts(after.value as typeof pod)
}

const recordedFpgaPods = fpgaPodCases.map((one, at) => ({ one, says: one.says, theirs: recorded.fpgaPods[at] }))

test.each(recordedFpgaPods.filter(({ one }) => one.otherwise === undefined))('pod with FPGAs: $says', ({ one, theirs }) => {
  expect(fpgaAnswer(one)).toEqual(theirs)
})

/** What ours makes of the first container where it answers otherwise than upstream's. */
const loopback = 'fpga.intel.com/af-ce4.d84.zkiWk5jwXzOUbVYHCL4QithCTcSko8QT-J5DNoP5BAs'
const ownAnswers: Readonly<Record<string, object | null>> = {
  'a name and a device': {
    limits: { [loopback]: '1', 'fpga.intel.com/af-ce4.f7d.zkiWk5jwXzOUbVYHCL4QivffQFy9es9yIvFEsLk6zRg': '1' },
  },
  'a variable from elsewhere': {
    limits: { 'fpga.intel.com/region-ce48969398f05f33946d560708be108a': '1' },
    programs: ['ce48969398f05f33946d560708be108a d8424dc4a4a3c413f89e433683f9040b'],
    variables: { NODE: { fieldRef: { fieldPath: 'spec.nodeName' } } },
  },
  'a variable with a quotation mark': { variables: { SAID: 'a "b"' } },
  'one amount in two ways': { limits: { [loopback]: '1000' } },
  'a domain that only begins alike': { limits: { 'fpga.intel.com.example/x': '1' } },
  'more than can be loaded': null,
}

test('pods with FPGAs that ours answers otherwise about', () => {
  const otherwise = recordedFpgaPods.filter(({ one }) => one.otherwise !== undefined)
  expect(otherwise.map(({ says }) => says)).toEqual(Object.keys(ownAnswers))
  for (const { one, says, theirs } of otherwise) {
    const answer = fpgaAnswer(one)
    expect(answer, says).not.toEqual(theirs)
    expect(answer === null ? null : answer.containers[0], says).toEqual(
      ownAnswers[says] === null ? null : expect.objectContaining(ownAnswers[says] ?? {}),
    )
  }
})

/** Integers of ours say how long they are, and nothing else differs. */
const plainSchema = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plainSchema)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key, inner]) => {
    if (key === 'description' && typeof inner === 'string') return false
    return !(key === 'format' && inner === 'int64')
  })
  return Object.fromEntries(kept.map(([key, inner]) => [key, plainSchema(inner)]))
}

test.each([...pluginKinds, ...fpgaKinds])('the definition of $kind is upstream’s', ({ plural, group, definition }) => {
  const { spec } = (definition ?? {}) as { readonly spec?: unknown }
  expect(plainSchema(spec)).toEqual(plainSchema(recorded.definitions[`${plural}.${group}`]))
})
