// Names of FPGA functions and regions, and pods that ask for them, that both operators are given.

interface NamedObject {
  readonly kind: 'AcceleratorFunction' | 'FpgaRegion'
  readonly name: string
  readonly namespace?: string
  readonly spec: Readonly<Record<string, string>>
}

const arria = 'ce48969398f05f33946d560708be108a'
const stratix = 'bfac4d851ee856fe8c95865ce1bbaa2d'
const loopback = 'd8424dc4a4a3c413f89e433683f9040b'
const streaming = 'f7df405cbd7acf7222f144b0b93acd18'
const matrix = '40007c0623210742000ebc58df6f5343e668b03a'
const of = (name: string, interfaceId: string, afuId: string, mode: string, namespace?: string): NamedObject => ({
  kind: 'AcceleratorFunction',
  name,
  ...(namespace === undefined ? {} : { namespace }),
  spec: { interfaceId, afuId, mode },
})
const region = (name: string, interfaceId: string): NamedObject => ({ kind: 'FpgaRegion', name, spec: { interfaceId } })

export const fpgaObjects: readonly NamedObject[] = [
  of('loopback', arria, loopback, 'af'),
  of('streaming', arria, streaming, 'af'),
  of('load.loopback', arria, loopback, 'region'),
  of('load.loopback-alias', arria, loopback, 'region'),
  of('load.streaming', arria, streaming, 'region'),
  of('load.matrix', stratix, matrix, 'region'),
  of('matrix', stratix, matrix, 'af'),
  of('short', '0123abcd', 'abcd0123', 'af'),
  of('odd', '0123abcd', 'abcd01234', 'af'),
  of('load.odd', '0123abcde', 'abcd0123', 'region'),
  of('strange', arria, loopback, 'afx'),
  region('arria10', arria),
  region('arria10-alias', arria),
  region('d5005', stratix),
  of('elsewhere', arria, streaming, 'af', 'other'),
]

/** Namespaces besides `default` that the objects lie in. */
export const fpgaNamespaces = ['other'] as const

type Amounts = Readonly<Record<string, string | number>>

const qualified = (amounts: Amounts) =>
  Object.fromEntries(
    Object.entries(amounts).map(([name, amount]) => [/\/|^cpu$/.test(name) ? name : `fpga.intel.com/${name}`, amount]),
  )
const uses = (limits: Amounts, requests: Amounts = limits) => ({
  resources: { limits: qualified(limits), requests: qualified(requests) },
})
const only = (field: 'limits' | 'requests', amounts: Amounts) => ({ resources: { [field]: qualified(amounts) } })
const env = (...variables: readonly (readonly [string, string])[]) => ({
  env: variables.map(([name, value]) => ({ name, value })),
})
const loopbackDevice = 'af-ce4.d84.zkiWk5jwXzOUbVYHCL4QithCTcSko8QT-J5DNoP5BAs'
const streamingDevice = 'af-ce4.f7d.zkiWk5jwXzOUbVYHCL4Qivffy'

interface FpgaPodCase {
  readonly says: string
  readonly containers: readonly object[]
  readonly initContainers?: readonly object[]
  readonly namespace?: string
  /** The pod itself does not say its namespace, only the request does. */
  readonly isByRequest?: true
  /** Ours answers otherwise, and why. */
  readonly otherwise?: string
}

const one = (says: string, container: object, more: Partial<FpgaPodCase> = {}): FpgaPodCase => ({
  says,
  containers: [{ name: 'a', ...container }],
  ...more,
})

export const fpgaPodCases: readonly FpgaPodCase[] = [
  one('nothing', {}),
  one('other resources', uses({ cpu: '1', 'gpu.intel.com/i915': '1' })),
  one('a function that is there', uses({ loopback: '1', cpu: '2' })),
  one('two of it', uses({ loopback: '2' })),
  one('an amount as a number', uses({ loopback: 2 })),
  one('two functions', uses({ loopback: '1', streaming: '3' })),
  one('a long id', uses({ matrix: '1' })),
  one('short ids', uses({ short: '1' })),
  one('a function to load', uses({ 'load.loopback': '1' })),
  one('three of it', uses({ 'load.loopback': '3' })),
  one('it and its other name', uses({ 'load.loopback': '1', 'load.loopback-alias': '2' })),
  one('two functions to load into one kind of region', uses({ 'load.loopback': '1', 'load.streaming': '2' })),
  one('two functions to load into two kinds of regions', uses({ 'load.loopback': '1', 'load.matrix': '1' })),
  one('a function to load, of an odd id', uses({ 'load.odd': '1' })),
  one('with variables', { ...uses({ 'load.loopback': '1' }), ...env(['B', 'b'], ['A', '']) }),
  one('with variables that only mappings say', {
    ...uses({ 'load.loopback': '1' }),
    ...env(['FPGA_REGION_1', 'x'], ['FPGA_AFU_2', 'y'], ['FPGA_AFUX', 'z'], ['FPGA', 'kept'], ['X_FPGA_AFU', 'kept']),
  }),
  one('with such variables and a function that is there', { ...uses({ loopback: '1' }), ...env(['FPGA_AFU_1', 'x']) }),
  one('with such variables and nothing', env(['FPGA_AFU_1', 'x'])),
  one('a region', uses({ arria10: '1' })),
  one('a region by two names', uses({ arria10: '1', 'arria10-alias': '1' })),
  one('two regions', uses({ arria10: '1', d5005: '1' })),
  one('a device itself', uses({ [loopbackDevice]: '1' })),
  one('a region itself', uses({ [`region-${arria}`]: '2' })),
  one('a region itself, with variables', { ...uses({ [`region-${arria}`]: '1' }), ...env(['FPGA_AFU_1', 'x']) }),
  one('two devices themselves', uses({ [loopbackDevice]: '1', [`region-${stratix}`]: '1' })),
  one('a device that no name stands for', uses({ [streamingDevice]: '1' })),
  one('a region that no name stands for', uses({ 'region-ffffffff': '1' })),
  one('an unknown name', uses({ unknown: '1' })),
  one('an unknown name beside a known one', uses({ loopback: '1', unknown: '1' })),
  one('a name of another namespace', uses({ elsewhere: '1' })),
  one('a name of its own namespace', uses({ elsewhere: '1' }), { namespace: 'other' }),
  one('a name of the namespace of the request', uses({ elsewhere: '1' }), { namespace: 'other', isByRequest: true }),
  one('names of the namespace beside it', uses({ loopback: '1' }), { namespace: 'other' }),
  one('there and to load', uses({ loopback: '1', 'load.loopback': '1' })),
  one('to load and to program', uses({ 'load.loopback': '1', arria10: '1' })),
  one('there and to program', uses({ loopback: '1', d5005: '1' })),
  one('a mode that is none', uses({ strange: '1' })),
  one('ids that make no bytes', uses({ odd: '1' })),
  one('limits alone', only('limits', { loopback: '1' })),
  one('requests alone', only('requests', { loopback: '1' })),
  one('limits and requests that differ', uses({ loopback: '2' }, { loopback: '1' })),
  one('one more in limits', uses({ loopback: '1', streaming: '1' }, { loopback: '1' })),
  one('a fraction', uses({ loopback: '1.5' })),
  one('a fraction of none', uses({ loopback: '500m' })),
  one('none', uses({ loopback: '0' })),
  one('none to load', { ...uses({ 'load.loopback': '0' }), ...env(['FPGA_AFU_1', 'x']) }),
  one('a thousand', uses({ loopback: '1k' })),
  one('ten, as a power', uses({ loopback: '1e1' })),
  one('a name that none has', uses({ '': '1' })),
  {
    says: 'three containers',
    containers: [{ name: 'a' }, { name: 'b', ...uses({ loopback: '1' }) }, { name: 'c', ...uses({ 'load.streaming': '2' }) }],
  },
  {
    says: 'the second of two is wrong',
    containers: [
      { name: 'a', ...uses({ loopback: '1' }) },
      { name: 'b', ...uses({ unknown: '1' }) },
    ],
  },
  {
    says: 'two containers to load for',
    containers: [
      { name: 'a', ...uses({ 'load.loopback': '1' }) },
      { name: 'b', ...uses({ 'load.loopback': '1' }), ...env(['C', 'c']) },
    ],
  },
  { says: 'one that starts before', containers: [{ name: 'a' }], initContainers: [{ name: 'i', ...uses({ loopback: '1' }) }] },
  {
    says: 'one that starts before, and another',
    containers: [{ name: 'a', ...uses({ loopback: '1' }) }],
    initContainers: [{ name: 'i', ...uses({ unknown: '1' }) }],
  },
  one('a name and a device', uses({ streaming: '1', [loopbackDevice]: '1' }), {
    otherwise: "upstream's leaves the name, which no node offers",
  }),
  one(
    'a variable from elsewhere',
    { ...uses({ 'load.loopback': '1' }), env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }] },
    { otherwise: "upstream's makes it empty" },
  ),
  one(
    'a variable with a quotation mark',
    { ...uses({ 'load.loopback': '1' }), ...env(['SAID', 'a "b"']) },
    { otherwise: "upstream's patch cannot be read" },
  ),
  one('one amount in two ways', uses({ loopback: '1k' }, { loopback: '1000' }), {
    otherwise: "upstream's takes them for different",
  }),
  one('a domain that only begins alike', uses({ 'fpga.intel.com.example/x': '1' }), {
    otherwise: "upstream's takes it for its own",
  }),
  one('more than can be loaded', uses({ 'load.loopback': '257' }), { otherwise: "upstream's has no limit" }),
]

/** The object of a name. */
export function fpgaObject({ kind, name, namespace = 'default', spec }: NamedObject) {
  return { apiVersion: 'fpga.intel.com/v2', kind, metadata: { name, namespace }, spec }
}

export function fpgaPod({ containers, initContainers, namespace = 'default', isByRequest }: FpgaPodCase) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'asked', ...(isByRequest === true ? {} : { namespace }) },
    spec: { containers, ...(initContainers === undefined ? {} : { initContainers }) },
  }
}

interface PodContainer {
  readonly name?: string
  readonly resources?: Readonly<Record<string, Readonly<Record<string, string | number>>>>
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[]
}

/** What the webhook may change of a pod. Upstream's orders variables and functions to load as it happens. */
export function fpgaParts(pod: {
  readonly spec: { readonly containers: readonly object[]; readonly initContainers?: readonly object[] }
}) {
  const { containers, initContainers = [] } = pod.spec
  return { containers: containers.map(containerParts), initContainers: initContainers.map(containerParts) }
}

function containerParts({ name, resources = {}, env: given = [] }: PodContainer): object {
  const values = new Map(given.map(({ name: of, ...rest }) => [of, rest]))
  const programs: string[] = []
  for (let at = 1; values.has(`FPGA_REGION_${at}`) && values.has(`FPGA_AFU_${at}`); at++) {
    programs.push(`${values.get(`FPGA_REGION_${at}`)?.value} ${values.get(`FPGA_AFU_${at}`)?.value}`)
    values.delete(`FPGA_REGION_${at}`)
    values.delete(`FPGA_AFU_${at}`)
  }
  const amounts = Object.entries(resources).map(([field, of]) => [
    field,
    Object.fromEntries(
      Object.entries(of)
        .sort()
        .map(([key, amount]) => [key, String(amount)]),
    ),
  ])
  return {
    name,
    ...Object.fromEntries(amounts),
    programs: programs.sort(),
    variables: Object.fromEntries([...values].sort().map(([key, { value, valueFrom }]) => [key, valueFrom ?? value ?? ''])),
  }
}
