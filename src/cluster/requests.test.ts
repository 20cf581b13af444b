import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Container, Pod, PodSpec, PodStatus } from '#kube/objects/objects.ts'
import { quantity } from '#kube/values/quantity.ts'
import { addRequests, nonZeroRequests, podRequests, requestsOf, scoredRequests, specRequests } from './requests.ts'
import { pod } from './testdata/objects.ts'

const container = (requests: Readonly<Record<string, string>>, more: Partial<Container> = {}): Container => ({
  name: 'main',
  resources: { requests },
  ...more,
})
const podOf = (spec: Partial<PodSpec>, status?: PodStatus): Pod => pod('shop/cart', { ...spec, ...(status && { status }) })
const sidecar = { restartPolicy: 'Always' }
const mebibyte = 1024 * 1024

describe('what a pod requests', () => {
  // biome-ignore format: a table
  test.each<[string, Partial<PodSpec>, Readonly<Record<string, number>>]>([
    ['case 15: init containers, a sidecar between them, containers, overhead',
      { initContainers: [container({ cpu: '2' }), container({ cpu: '1' }, sidecar), container({ cpu: '3' })], containers: [container({ cpu: '1' }), container({ cpu: '1' })], overhead: { cpu: '0.25' } },
      { cpu: 4250 }],
    ['an init container before a sidecar does not count it', { initContainers: [container({ cpu: '3' }), container({ cpu: '1' }, sidecar)], containers: [container({ cpu: '1' })] }, { cpu: 3000 }],
    ['a sidecar counts while starting and while running', { initContainers: [container({ cpu: '1' }, sidecar), container({ cpu: '1' }, sidecar)], containers: [container({ cpu: '100m' })] }, { cpu: 2100 }],
    ['each resource for itself', { initContainers: [container({ cpu: '2', memory: '1Mi' })], containers: [container({ cpu: '1', memory: '2Mi' })] }, { cpu: 2000, memory: 2 * mebibyte }],
    ['pod-level requests in place of the sum, but for what they cannot say', { containers: [container({ cpu: '1', 'example.com/gpu': '2' })], resources: { requests: { cpu: '500m', 'example.com/gpu': '1' } }, overhead: { cpu: '100m' } }, { cpu: 600, 'example.com/gpu': 2 }],
    ['less than a millicore is one, as the API server stores it', { containers: [container({ cpu: '0.5m' }), container({ cpu: '0.5m' })] }, { cpu: 2 }],
    ['halves of a byte are added before rounding', { containers: [container({ memory: '500m' }), container({ memory: '500m' })] }, { memory: 1 }],
    ['an explicit zero stays', { containers: [container({ cpu: '0' })] }, { cpu: 0 }],
    ['pods are no request', { containers: [container({ pods: '3', cpu: '1' })] }, { cpu: 1000 }],
    ['names that mean something to objects', { containers: [container({ constructor: '1' })] }, { constructor: 1 }],
  ])('%s', (_, spec, expected) => {
    expect({ ...podRequests(podOf(spec)) }).toEqual(expected)
  })

  // biome-ignore format: a table
  test.each<[string, PodStatus, number]>([
    ['more allotted than asked', { containerStatuses: [{ name: 'main', resources: { requests: { cpu: '1' } }, allocatedResources: { cpu: '1500m' } }] }, 1500],
    ['less allotted than asked', { containerStatuses: [{ name: 'main', resources: { requests: { cpu: '1' } }, allocatedResources: { cpu: '1' } }] }, 2000],
    ['an infeasible resize does not count', { conditions: [{ type: 'PodResizePending', status: 'True', reason: 'Infeasible' }], containerStatuses: [{ name: 'main', resources: { requests: { cpu: '1' } } }] }, 1000],
    ['allotted amounts alone say nothing', { containerStatuses: [{ name: 'main', allocatedResources: { cpu: '9' } }] }, 2000],
  ])('resized in place, %s', (name, status, expected) => {
    const resized = podOf({ containers: [container({ cpu: name.startsWith('more') ? '1' : '2' })] }, status)
    expect(podRequests(resized)['cpu']).toBe(expected)
    expect(specRequests(resized)['cpu']).toBe(name.startsWith('more') ? 1000 : 2000)
  })

  test('for scores a container that says nothing counts 100m and 200 MiB, one that says 0 counts 0', () => {
    const given = podOf({ containers: [container({ cpu: '0' }), container({ memory: '1Mi' })], initContainers: [container({})] })
    expect({ ...nonZeroRequests(given) }).toEqual({ cpu: 100, memory: 201 * mebibyte })
    expect({ ...scoredRequests(given) }).toEqual({ cpu: 100, memory: 201 * mebibyte })
  })

  test('with pod-level requests only what no container says is filled in on nodes, and the fit score looks at containers alone', () => {
    const given = podOf({ containers: [container({ memory: '1Mi' }), container({})], resources: { requests: { cpu: '1' } } })
    expect({ ...nonZeroRequests(given) }).toEqual({ cpu: 1000, memory: mebibyte })
    expect({ ...scoredRequests(given) }).toEqual({ cpu: 200, memory: 201 * mebibyte })
  })

  test('a text that is no quantity is an error', () => {
    expect(() => podRequests(podOf({ containers: [container({ cpu: 'much' })] }))).toThrow(RangeError)
  })
})

test('adding keeps what only one side has', () => {
  expect({ ...addRequests(requestsOf([['cpu', 1]]), requestsOf([['memory', 2]])) }).toEqual({ cpu: 1, memory: 2 })
})

const texts = fc.constantFrom('0', '1', '100m', '250m', '0.5', '0.1m', '3', '1500m', '64Mi', '1.5Gi', '1e3', '10M', '900m')
const requestMaps = fc.dictionary(
  fc.constantFrom('cpu', 'memory', 'ephemeral-storage', 'example.com/gpu', 'hugepages-2Mi'),
  texts,
  { maxKeys: 4 },
)
const containers = fc.array(fc.record({ requests: requestMaps, isSidecar: fc.boolean() }), { maxLength: 4 })

test('sums are those of a plain second reckoning in nanos', () => {
  fc.assert(
    fc.property(containers, containers, requestMaps, requestMaps, (starters, workers, overhead, levels) => {
      const spec: PodSpec = {
        containers: workers.map(({ requests }, index) => container(requests, { name: `c${index}` })),
        initContainers: starters.map(({ requests, isSidecar }, index) =>
          container(requests, { name: `i${index}`, ...(isSidecar && sidecar) }),
        ),
        overhead,
        resources: { requests: levels },
      }
      expect({ ...specRequests({ ...pod('shop/cart'), spec }) }).toEqual(naiveRequests(spec))
    }),
    { numRuns: 1000 },
  )
})

/** Each moment of a pod's life as a list of the containers that run then; a resource's need is its dearest moment. */
function naiveRequests(spec: PodSpec): Readonly<Record<string, number>> {
  const starters = spec.initContainers ?? []
  const sidecars = starters.filter(({ restartPolicy }) => restartPolicy === 'Always')
  const moments: Container[][] = [[...spec.containers, ...sidecars]]
  for (const [index, starter] of starters.entries())
    moments.push([...starters.slice(0, index).filter(one => sidecars.includes(one)), starter])
  // The API server rounds what it stores up to thousandths.
  const nanosOf = (text: string | number | undefined) =>
    text === undefined ? 0n : ((quantity(text).nanos + 999_999n) / 1_000_000n) * 1_000_000n
  const sum = (moment: readonly Container[], resource: string) =>
    moment.reduce((total, { resources }) => total + nanosOf(resources?.requests?.[resource]), 0n)
  const names = new Set([
    ...[...spec.containers, ...starters].flatMap(({ resources }) => Object.keys(resources?.requests ?? {})),
    ...Object.keys(spec.overhead ?? {}),
  ])
  const levels = Object.entries(spec.resources?.requests ?? {}).filter(
    ([name]) => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-'),
  )
  for (const [name] of levels) names.add(name)
  const result: Record<string, number> = {}
  for (const name of names) {
    const dearest = moments.map(moment => sum(moment, name)).reduce((a, b) => (a > b ? a : b))
    const level = levels.find(([resource]) => resource === name)
    const total = (level === undefined ? dearest : nanosOf(level[1])) + nanosOf(spec.overhead?.[name])
    const unit = name === 'cpu' ? 1_000_000n : 1_000_000_000n
    result[name] = Number((total + unit - 1n) / unit)
  }
  return result
}
