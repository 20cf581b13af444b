// Whatever comes, goes and fails: the next pod is the one that looking at all of them would find.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { leastCpuMs } from '#kube/testdata/least-cpu.ts'
import { SchedulingQueue } from './scheduling-queue.ts'

interface Pod {
  readonly key: string
  readonly priority: number
  readonly order: number
  attempts: number
  notBeforeMs: number
  waits: boolean
}

/** The rule, said plainly. */
class PlainQueue {
  #pods: Pod[] = []
  #order = 0

  add(key: string, priority: number): void {
    const known = this.#pods.find(pod => pod.key === key)
    if (known === undefined) this.#pods.push({ key, priority, order: this.#order++, attempts: 0, notBeforeMs: 0, waits: true })
    else known.waits = true
  }

  remove(key: string): void {
    this.#pods = this.#pods.filter(pod => pod.key !== key)
  }

  take(nowMs: number): string | undefined {
    const [next] = this.#pods
      .filter(pod => pod.waits && pod.notBeforeMs <= nowMs)
      .sort((one, other) => other.priority - one.priority || one.order - other.order)
    if (next === undefined) return undefined
    next.attempts++
    next.notBeforeMs = nowMs + Math.min(10_000, 1_000 * 2 ** (next.attempts - 1))
    next.waits = false
    return next.key
  }

  wakeAll(): void {
    for (const pod of this.#pods) pod.waits = true
  }

  nextMs(): number | undefined {
    const waiting = this.#pods.filter(pod => pod.waits).map(pod => pod.notBeforeMs)
    return waiting.length === 0 ? undefined : Math.min(...waiting)
  }
}

const step = fc.record({
  act: fc.constantFrom('add', 'add', 'take', 'take', 'remove', 'wakeAll', 'wait'),
  key: fc.nat(8).map(String),
  priority: fc.nat(2),
  ms: fc.nat(4_000),
})

test('takes what looking at all of them would find', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), steps => {
      const [queue, plain] = [new SchedulingQueue(), new PlainQueue()]
      let nowMs = 0
      for (const { act, key, priority, ms } of steps) {
        if (act === 'wait') nowMs += ms
        else if (act === 'take') expect(queue.take(nowMs)).toBe(plain.take(nowMs))
        else if (act === 'add') for (const one of [queue, plain]) one.add(key, priority)
        else for (const one of [queue, plain]) act === 'remove' ? one.remove(key) : one.wakeAll()
        // What may be tried already may be tried at once, since whenever.
        const [next, expected] = [queue.nextMs(), plain.nextMs()].map(at => (at === undefined ? undefined : Math.max(at, nowMs)))
        expect(next).toBe(expected)
      }
    }),
  )
})

test('150,000 pods that wait are no reason to look at each of them for every one', () => {
  const takeAll = (many: number) => {
    const queue = new SchedulingQueue()
    for (let at = 0; at < many; at++) queue.add(`pod-${at}`, 0)
    for (let at = 0; at < many; at++) {
      if (queue.nextMs() === undefined) throw new Error('nothing waits any more')
      const key = queue.take(1)
      if (key !== `pod-${at}`) throw new Error(`${key} instead of pod-${at}`)
      queue.remove(key)
    }
    expect(queue.size).toBe(0)
  }
  const few = leastCpuMs(() => takeAll(10_000))
  // 15 times as many, and memory that no cache holds; looking at each for every one would take 225 times as long, and more.
  expect(leastCpuMs(() => takeAll(150_000))).toBeLessThan(150 * few)
})
