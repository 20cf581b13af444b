import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { WorkQueue } from './queue.ts'
import { QueueMetrics } from './queue-metrics.ts'

test('a queue is counted under the names of dashboards', async () => {
  const clock = new VirtualClock(0)
  const registry = new Registry()
  const queue = new WorkQueue<string>({ clock, observer: new QueueMetrics(registry, clock).of('permits') })
  const { signal } = new AbortController()
  for (const key of ['a', 'b', 'c', 'a']) queue.add(key)
  await clock.advance(2_000)
  const first = await queue.take(signal)
  await queue.take(signal)
  await clock.advance(3_000)
  queue.done(first ?? '')
  queue.addRateLimited('a')
  const lines = (await registry.metrics()).split('\n')
  const labels = '{name="permits",controller="permits"}'
  for (const line of [
    `workqueue_adds_total${labels} 3`,
    `workqueue_retries_total${labels} 1`,
    `workqueue_depth${labels} 1`,
    `workqueue_queue_duration_seconds_sum${labels} 4`,
    `workqueue_work_duration_seconds_count${labels} 1`,
    `workqueue_work_duration_seconds_sum${labels} 3`,
    `workqueue_unfinished_work_seconds${labels} 3`,
    `workqueue_longest_running_processor_seconds${labels} 3`,
  ])
    expect(lines).toContain(line)
})
