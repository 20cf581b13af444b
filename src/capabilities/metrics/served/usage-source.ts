// What is measured for whoever is in this process: the same objects that metrics.k8s.io is answered with, and what that has no words for.
import type { UsagePeaks, UsageSource } from '#coordination/ports/usage.ts'
import type { Scraper } from '../scrape/scraper.ts'
import { finishedOf, isAbsence, isRunning, type MetricsSource, measuredOf } from './metrics-api.ts'
import { nodeMetrics, podMetrics } from './metrics-objects.ts'

interface Sources extends Omit<MetricsSource, 'onServed'> {
  readonly scraper: Pick<Scraper, 'asked' | 'lastScrape'>
  readonly resolutionMs: number
}

export function usageSource({ nodes, pods, points, nodeSelector, exposed, clock, scraper, resolutionMs }: Sources): UsageSource {
  return {
    resolutionMs,
    *nodes() {
      for (const node of nodes.store.list()) {
        const { name, labels = {} } = node.metadata
        const usage = nodeSelector.matches(labels) ? points.nodeUsage(name, clock.elapsed()) : undefined
        if (usage !== undefined) yield nodeMetrics(measuredOf(node), usage, { nowMs: clock.now(), exposed })
      }
    },
    *pods() {
      for (const pod of pods.store.list()) {
        if (!isRunning(pod)) continue
        const { name, namespace = '' } = pod.metadata
        const found = points.podUsage({ namespace, name }, finishedOf(pod), clock.elapsed())
        if (!isAbsence(found)) yield podMetrics(measuredOf(pod), found, pod.spec.containers, { nowMs: clock.now(), exposed })
      }
    },
    podPeaks(namespace, name) {
      const pod = pods.store.get(namespace, name)
      if (pod === undefined) return undefined
      const found = points.podUsage({ namespace, name }, finishedOf(pod), clock.elapsed())
      if (isAbsence(found)) return undefined
      return added(found.map(one => peaksOf(points.containerRates(namespace, name, one.name))))
    },
    *scrapes() {
      for (const node of scraper.asked) {
        const last = scraper.lastScrape(node)
        if (last !== undefined) yield { node, ageMs: points.ageMs(node, clock.elapsed()), failure: last.failure }
      }
    },
  }
}

/** Nineteen of twenty are at most this. */
const usual = 0.95

function peaksOf(rates: readonly { readonly cpuNanocores: number; readonly memoryBytes: number }[]): UsagePeaks {
  const sorted = rates.map(({ cpuNanocores }) => cpuNanocores).toSorted((a, b) => a - b)
  return {
    cpu95: sorted[Math.ceil(sorted.length * usual) - 1] ?? 0,
    memoryMost: rates.reduce((most, { memoryBytes }) => Math.max(most, memoryBytes), 0),
    scrapes: rates.length,
  }
}

function added(all: readonly UsagePeaks[]): UsagePeaks | undefined {
  const sum = (of: (one: UsagePeaks) => number) => all.reduce((total, one) => total + of(one), 0)
  const scrapes = Math.min(...all.map(one => one.scrapes))
  return all.length === 0 || scrapes === 0
    ? undefined
    : { cpu95: sum(one => one.cpu95), memoryMost: sum(one => one.memoryMost), scrapes }
}
