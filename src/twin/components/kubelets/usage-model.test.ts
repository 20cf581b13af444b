import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { runsOf } from '#test/runs.ts'
import type { UsageAmount } from '../../own-kinds/usage-spec.ts'
import { person, startMs, TestCluster, testNode, testNodes, testTemplate, testWorkload } from '../cluster-for-tests.ts'
import { sharedCpu } from './cpu-share.ts'
import { readAmount, readCeiling } from './usage-amount.ts'
import { wanderingNoise } from './usage-noise.ts'

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', labels: { tier: 'a' } },
  spec: { containers: [] },
}
const subject = { pod, node: undefined, replicas: () => 3, request: 0.5, seed: 1, nowMs: startMs }
const hour = 3_600_000

describe('an amount', () => {
  // 2026-01-01 was a Thursday.
  // biome-ignore format: a table
  test.each<[string, UsageAmount, number, number]>([
    ['a constant', { constant: '250m' }, 0, 0.25],
    ['a share of the request', { ofRequest: 1.5 }, 0, 0.75],
    ['an expression', { expression: 'double(replicas) * 0.1' }, 0, 0.3],
    ['an expression of labels and time', { expression: "pod.metadata.labels.tier == 'a' ? '64Mi' : '1Gi'" }, 0, 64 * 1024 * 1024],
    ['a curve on its point', { curve: [{ at: '00:00', value: '1' }, { at: '12:00', value: '3' }] }, 12 * hour, 3],
    ['a curve between points', { curve: [{ at: '00:00', value: '1' }, { at: '12:00', value: '3' }] }, 6 * hour, 2],
    ['a curve over midnight', { curve: [{ at: '06:00', value: '2' }, { at: '18:00', value: '4' }] }, 0, 3],
    ['a curve the next day', { curve: [{ at: '00:00', value: '1' }, { at: '12:00', value: '3' }] }, 30 * hour, 2],
    ['a curve with one point', { curve: [{ at: '06:00', value: '2' }] }, 11 * hour, 2],
    ['a curve of the week', { curve: [{ at: 'Thu 00:00', value: '7' }, { at: 'Fri 00:00', value: '1' }] }, 12 * hour, 4],
    ['a curve of the week on Monday', { curve: [{ at: 'Mon 00:00', value: '5' }, { at: 'Tue 00:00', value: '5' }, { at: 'Thu 00:00', value: '1' }] }, 4 * 24 * hour, 5],
  ])('%s', (_, amount, afterMs, expected) => {
    expect(readAmount(amount, 'spec.cpu')({ ...subject, nowMs: startMs + afterMs })).toBeCloseTo(expected, 9)
  })

  test.each([
    ['a word', { expression: "'much'" }],
    ['what is not there', { expression: 'pod.spec.nothing.here' }],
  ])('%s is no amount', (_, amount) => {
    expect(() => readAmount(amount, 'spec.cpu')(subject)).toThrow(
      /spec\.cpu\.expression: found .*, expected CEL that yields a number/,
    )
  })
})

describe('noise', () => {
  test('has mean 0, deviation 1 and a memory of a minute, and is the same whoever asks', () => {
    const values = Array.from({ length: 20_000 }, (_, step) => wanderingNoise(5, step * 15_000))
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const covariance = (lag: number) =>
      values.slice(lag).reduce((sum, value, index) => sum + value * (values[index] ?? 0), 0) / (values.length - lag)
    expect(mean).toBeCloseTo(0, 1)
    expect(covariance(0)).toBeGreaterThan(0.9)
    expect(covariance(0)).toBeLessThan(1.1)
    expect(covariance(4) / covariance(0)).toBeCloseTo(Math.exp(-1), 1)
    expect(wanderingNoise(5, 7 * 15_000)).toBe(values[7])
    expect(wanderingNoise(6, 7 * 15_000)).not.toBe(values[7])
  })
})

test('a node gives all it has, nobody more than it wants, and equals by their requests', () => {
  const want = fc.record({
    wanted: fc.double({ min: 0, max: 10, noNaN: true }),
    weight: fc.double({ min: 0.01, max: 10, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.array(want, { maxLength: 20 }), fc.double({ min: 0, max: 40, noNaN: true }), (wants, capacity) => {
      const given = sharedCpu(wants, capacity)
      const total = given.reduce((sum, value) => sum + value, 0)
      const wanted = wants.reduce((sum, one) => sum + one.wanted, 0)
      expect(total).toBeCloseTo(Math.min(capacity, wanted), 6)
      const perWeight = wants.map((one, index) => (given[index] ?? 0) / one.weight)
      for (const [index, one] of wants.entries()) {
        expect(given[index]).toBeLessThanOrEqual(one.wanted + 1e-9)
        // A container that gets less than it wants has at least as much by its weight as any other.
        if ((given[index] ?? 0) < one.wanted - 1e-6)
          expect(perWeight[index]).toBeGreaterThanOrEqual(Math.max(...perWeight) - 1e-6)
      }
    }),
  )
})

const usageOf = (cluster: TestCluster) =>
  cluster
    .pods()
    .map(one =>
      cluster.components.usage.pod(one).map(({ name, cpuNanocores, memoryBytes }) => [name, cpuNanocores / 1e9, memoryBytes]),
    )

describe('where usage comes from', () => {
  const mebi = 1024 * 1024

  test('the request, a TwinUsage, the more specific one, the annotation', async () => {
    await using cluster = await TestCluster.start([...testNodes(1), testWorkload('Deployment', 'web')])
    await cluster.settle()
    const { usage } = cluster.components
    expect(usageOf(cluster)).toEqual([[['main', 0.03, Math.round(64 * mebi * 0.3)]]])
    const all = usage.set({ cpu: { constant: '1' }, memory: { constant: '1Mi' } })
    const web = usage.set({ selector: { workload: 'Deployment/web' }, cpu: { constant: '2' } })
    expect(usageOf(cluster)).toEqual([[['main', 2, mebi]]])
    web[Symbol.dispose]()
    expect(usageOf(cluster)).toEqual([[['main', 1, mebi]]])
    cluster.edit('pods', cluster.pods()[0]?.metadata.name ?? '', one => ({
      ...one,
      metadata: { ...one.metadata, annotations: { 'ballast.dev/twin-usage-cpu': '3', 'kwok.x-k8s.io/usage-memory': '5Mi' } },
    }))
    expect(usageOf(cluster)).toEqual([[['main', 3, 5 * mebi]]])
    all[Symbol.dispose]()
    expect(usageOf(cluster)).toEqual([[['main', 3, 5 * mebi]]])
  })

  test('a limit caps cpu, a crowded node shares it by request', async () => {
    const template = (cpu: string, limit?: string) => {
      const made = testTemplate('web', { cpu })
      const [container] = made.spec.containers
      const resources = { ...container?.resources, ...(limit === undefined ? {} : { limits: { cpu: limit } }) }
      return { ...made, spec: { containers: [{ ...container, resources }] } }
    }
    const single = (name: string, cpu: string, limit?: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: template(cpu, limit).spec,
    })
    await using cluster = await TestCluster.start([testNode('n1', { cpu: '4' })])
    for (const made of [single('a', '1'), single('b', '500m'), single('c', '100m', '250m')]) cluster.create('pods', made)
    await cluster.settle()
    cluster.components.usage.set({ cpu: { constant: '8' } })
    expect(cluster.components.usage.node('n1')?.cpuNanocores).toBeCloseTo(4e9, -1)
    const [[a], [b], [c]] = usageOf(cluster).map(containers => containers.map(([, cores]) => Number(cores))) as [
      number[],
      number[],
      number[],
    ]
    expect(c).toBeCloseTo(0.25, 6)
    expect((a ?? 0) / (b ?? 1)).toBeCloseTo(2, 6)
  })

  test('a node on which pods come to want more than it has shares from then on, and no longer than that', async () => {
    await using cluster = await TestCluster.start([testNode('n1', { cpu: '4' })])
    const single = (name: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: testTemplate('web', { cpu: '500m' }).spec,
    })
    cluster.create('pods', single('a'))
    await cluster.settle()
    const { usage } = cluster.components
    const sums = () => usageOf(cluster).map(containers => containers.map(([, cores]) => cores))
    const rule = usage.set({ cpu: { constant: '3' } })
    expect(sums()).toEqual([[3]])
    cluster.create('pods', single('b'))
    await cluster.settle()
    expect(sums()).toEqual([[2], [2]])
    rule[Symbol.dispose]()
    expect(sums()).toEqual([[0.15], [0.15]])
    usage.set({ cpu: { curve: [{ at: '00:00', value: '3' }] } })
    expect(sums()).toEqual([[2], [2]])
    cluster.access.remove('pods', 'default', 'b', person, { gracePeriodSeconds: 0 })
    expect(sums()).toEqual([[3]])
  })

  test('no amount is above its ceiling', () => {
    const amounts: readonly UsageAmount[] = [
      { constant: '2', noise: 2 },
      { ofRequest: 3, noise: 1 },
      {
        curve: [
          { at: '00:00', value: '1' },
          { at: '09:00', value: '5' },
        ],
        noise: 0.5,
      },
    ]
    for (const amount of amounts) {
      const [at, most] = [readAmount(amount, 'spec.cpu'), readCeiling(amount, 'spec.cpu')(0.5)]
      const values = Array.from({ length: runsOf(20_000) }, (_, step) =>
        at({ ...subject, seed: step % 50, nowMs: startMs + step * 15_000 }),
      )
      expect(Math.max(...values)).toBeLessThanOrEqual(most)
      expect(most).toBeLessThan(Number.POSITIVE_INFINITY)
    }
    expect(readCeiling({ expression: '1' }, 'spec.cpu')(1)).toBe(Number.POSITIVE_INFINITY)
  })

  test('an expression that fails is told, and the next source holds', async () => {
    await using cluster = await TestCluster.start([...testNodes(1), testWorkload('Deployment', 'web')])
    await cluster.settle()
    const seen: string[] = []
    cluster.components.usage.set(
      { cpu: { expression: 'pod.spec.nothing.here' } },
      { onProblem: problems => seen.push(...problems.map(problem => problem.code)) },
    )
    expect(usageOf(cluster)).toEqual([[['main', 0.03, Math.round(64 * mebi * 0.3)]]])
    expect(seen).toContain('twin-usage-amount')
  })

  test('noise is the same in each run of a seed', async () => {
    const run = async (seed: number) => {
      await using cluster = await TestCluster.start([...testNodes(1), testWorkload('StatefulSet', 'db')], { seed })
      await cluster.settle()
      cluster.components.usage.set({ cpu: { constant: '100m', noise: 0.2 } })
      await cluster.clock.advance(hour - cluster.clock.elapsed())
      return usageOf(cluster)
    }
    expect(await run(3)).toEqual(await run(3))
    expect(await run(4)).not.toEqual(await run(3))
  })
})
