import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyJsonPatch } from '#kube/objects/json-patch.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { fpgaMappings } from './fpga-mappings.ts'
import { answerFpgaPod, isAboutFpgas } from './fpga-pods.ts'

const interfaceId = 'ce48969398f05f33946d560708be108a'
const afuId = 'd8424dc4a4a3c413f89e433683f9040b'
const device = 'fpga.intel.com/af-ce4.d84.zkiWk5jwXzOUbVYHCL4QithCTcSko8QT-J5DNoP5BAs'
const region = `fpga.intel.com/region-${interfaceId}`

function named(kind: string, name: string, spec: unknown): KubeObject {
  return { apiVersion: 'fpga.intel.com/v2', kind, metadata: { name, namespace: 'default' }, spec }
}
const functionOf = (name: string, over: object = {}) =>
  named('AcceleratorFunction', name, { interfaceId, afuId, mode: 'af', ...over })
const regionOf = (name: string) => named('FpgaRegion', name, { interfaceId })

function podOf(amounts: Readonly<Record<string, string>>, more: object = {}) {
  const resources = { limits: amounts, requests: amounts }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default' },
    spec: { containers: [{ name: 'a', resources, ...more }] },
  }
}
const asks = (amounts: Readonly<Record<string, string>>) => ({ operation: 'CREATE', object: podOf(amounts) }) as const
const ask = (amounts: Readonly<Record<string, string>>, functions: readonly KubeObject[], regions: readonly KubeObject[] = []) =>
  answerFpgaPod(asks(amounts), fpgaMappings(functions, regions))

describe('what is refused says what, where and what would be right', () => {
  // biome-ignore format: a table
  test.each<[string, Readonly<Record<string, string>>, readonly KubeObject[], readonly KubeObject[], string]>([
    ['an unknown name', { 'fpga.intel.com/x': '1' }, [], [], "container a: found fpga.intel.com/x, expected fpga.intel.com/ and the name of an AcceleratorFunction or FpgaRegion of the pod's namespace, or a device that one of them stands for"],
    ['two modes', { 'fpga.intel.com/x': '1', 'fpga.intel.com/y': '1' }, [functionOf('x')], [regionOf('y')], 'container a: found fpga.intel.com/x (mode af) and fpga.intel.com/y (mode regiondevel), expected one mode: no node has both'],
    ['a fraction', { 'fpga.intel.com/x': '1.5' }, [functionOf('x')], [], 'container a: found fpga.intel.com/x "1.5", expected a whole number'],
    ['no quantity', { 'fpga.intel.com/x': 'one' }, [functionOf('x')], [], 'container a: found fpga.intel.com/x "one", expected a whole number'],
    ['too many to load', { 'fpga.intel.com/x': '257' }, [functionOf('x', { mode: 'region' })], [], 'container a: found fpga.intel.com/x 257, expected at most 256 functions to be loaded for a container'],
    ['far too many', { 'fpga.intel.com/x': '8E' }, [functionOf('x', { mode: 'region' })], [], 'container a: found fpga.intel.com/x 8000000000000000000, expected at most 256 functions to be loaded for a container'],
    ['a name of two', { 'fpga.intel.com/x': '1' }, [functionOf('x')], [regionOf('x')], 'container a: found fpga.intel.com/x, which cannot be used: there is an AcceleratorFunction and an FpgaRegion called x: delete or rename one of both'],
    ['an odd number of digits', { 'fpga.intel.com/x': '1' }, [functionOf('x', { afuId: '123456789' })], [], 'container a: found fpga.intel.com/x, which cannot be used: AcceleratorFunction x: spec: found 41 digits in interfaceId and afuId together, expected an even number in mode af'],
    ['a mode that is none', { 'fpga.intel.com/x': '1' }, [functionOf('x', { mode: 'afu' })], [], 'container a: found fpga.intel.com/x, which cannot be used: AcceleratorFunction x: spec.mode: found "afu", expected "af" or "region"'],
  ])('%s', (_, amounts, functions, regions, message) => {
    expect(ask(amounts, functions, regions)).toEqual({ kind: 'denied', message })
  })

  test.each([undefined, null, 'text', {}, { interfaceId: 5 }])('an object without our definition: %j', spec => {
    const functions = ask({ 'fpga.intel.com/x': '1' }, [named('AcceleratorFunction', 'x', spec)])
    expect(functions).toMatchObject({ kind: 'denied', message: expect.stringContaining('AcceleratorFunction x: spec') })
    const regions = ask({ 'fpga.intel.com/x': '1' }, [], [named('FpgaRegion', 'x', spec)])
    expect(regions).toMatchObject({ kind: 'denied', message: expect.stringContaining('FpgaRegion x: spec') })
  })

  test('one object that cannot be used holds up no other', () => {
    const functions = [named('AcceleratorFunction', 'bad', null), functionOf('x')]
    expect(ask({ 'fpga.intel.com/x': '1' }, functions)).toMatchObject({ kind: 'patched' })
  })
})

test('an updated pod, a sub-resource, what is no pod and pods without FPGAs are let through', () => {
  const mappings = fpgaMappings([functionOf('x')], [])
  const { object } = asks({ 'fpga.intel.com/x': '1' })
  for (const request of [
    { operation: 'UPDATE', object },
    { operation: 'CREATE', object, subResource: 'eviction' },
    { operation: 'CREATE', object: { ...object, spec: 'none' } },
    { operation: 'CREATE', object: podOf({ cpu: '1', 'fpga.intel.com.example/x': '1' }) },
    { operation: 'CREATE' },
  ] as const) {
    expect(isAboutFpgas(request)).toBe(false)
    expect(answerFpgaPod(request, mappings)).toEqual({ kind: 'allowed' })
  }
})

test('the order of variables stays, since later ones may refer to earlier ones', () => {
  const env = [
    { name: 'Z', value: 'z' },
    { name: 'FPGA_AFU_9', value: 'x' },
    { name: 'A', value: '$(Z)' },
  ]
  const object = podOf({ 'fpga.intel.com/x': '1' }, { env })
  const answer = answerFpgaPod({ operation: 'CREATE', object }, fpgaMappings([functionOf('x', { mode: 'region' })], []))
  const after = answer.kind === 'patched' ? applyJsonPatch(object, answer.patch) : undefined
  expect(after).toMatchObject({
    value: {
      spec: {
        containers: [
          {
            env: [env[0], env[2], { name: 'FPGA_REGION_1', value: interfaceId }, { name: 'FPGA_AFU_1', value: afuId }],
            resources: { limits: { [region]: '1' }, requests: { [region]: '1' } },
          },
        ],
      },
    },
  })
})

// Names of functions, of other functions, of regions, of devices, and of what nobody knows.
const [ofDevice, ofRegion] = [device.slice(15), region.slice(15)]
const amountsOf = (...names: readonly string[]) =>
  fc.dictionary(fc.constantFrom(...names), fc.integer({ min: 0, max: 4 }), { maxKeys: 4 })
// A container that asks for two modes is refused, which most would be whose names are drawn from all.
const amounts = fc.oneof(
  amountsOf('af', ofDevice),
  amountsOf('load', 'alias'),
  amountsOf('dev', ofRegion),
  amountsOf('af', 'load', 'alias', 'dev', ofDevice, ofRegion, 'unknown'),
)

test('asked a second time nothing changes, and no device is lost or made', () => {
  const mappings = fpgaMappings(
    [functionOf('af'), functionOf('load', { mode: 'region' }), functionOf('alias', { mode: 'region' })],
    [regionOf('dev')],
  )
  let patched = 0
  fc.assert(
    fc.property(fc.array(amounts, { maxLength: 3 }), all => {
      const containers = all.map((one, at) => {
        const limits = Object.fromEntries(Object.entries(one).map(([name, amount]) => [`fpga.intel.com/${name}`, `${amount}`]))
        return { name: `c${at}`, resources: { limits, requests: { ...limits } } }
      })
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'default' }, spec: { containers } }
      const answer = answerFpgaPod({ operation: 'CREATE', object: pod }, mappings)
      if (answer.kind !== 'patched') return
      patched++
      const after = applyJsonPatch(pod, answer.patch)
      if (!after.ok) throw new Error('the patch cannot be applied')
      const object = after.value as typeof pod
      expect(answerFpgaPod({ operation: 'CREATE', object }, mappings)).toEqual({ kind: 'allowed' })
      for (const [at, one] of all.entries()) {
        const { limits = {}, requests } = object.spec.containers[at]?.resources ?? {}
        expect(requests).toEqual(limits)
        const sum = (values: readonly unknown[]) => values.reduce((total: number, value) => total + Number(value), 0)
        expect(sum(Object.values(limits))).toBe(sum(Object.values(one)))
        expect(Object.keys(limits).every(name => name === device || name === region)).toBe(true)
      }
    }),
  )
  expect(patched).toBeGreaterThan(10)
})
