import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import perfHooks from 'node:perf_hooks'
import { Registry } from 'prom-client'
import { expect, test, vi } from 'vitest'
import { collectProcessMetrics } from './process-metrics.ts'

const source = join(import.meta.dirname, '..')

test('the watch of the loop wakes a process ten times a second, not a hundred', async () => {
  const watch = vi.spyOn(perfHooks, 'monitorEventLoopDelay')
  const registry = new Registry()
  collectProcessMetrics(registry)
  expect(watch.mock.calls).toEqual([[{ resolution: 100 }]])
  expect(await registry.metrics()).toMatch(/^nodejs_eventloop_lag_max_seconds \d/m)
  watch.mock.results[0]?.value.disable()
  watch.mockRestore()
})

test('no other file begins that watch', () => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(name => /(?<!\.test)\.ts$/.test(name))
  const watching = files.filter(name =>
    /collectDefaultMetrics|monitorEventLoopDelay/.test(readFileSync(join(source, name), 'utf8')),
  )
  expect(watching).toEqual(['kube/process-metrics.ts'])
})
