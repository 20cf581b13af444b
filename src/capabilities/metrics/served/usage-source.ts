// What is measured for whoever is in this process: the same objects that metrics.k8s.io is answered with, and what that has no words for.
import type { UsageSource } from '#coordination/ports/usage.ts'
import type { Scraper } from '../scrape/scraper.ts'
import { finishedOf, isAbsence, isRunning, type MetricsSource, measuredOf } from './metrics-api.ts'
import { nodeMetrics, podMetrics } from './metrics-objects.ts'

interface Sources extends Omit<MetricsSource, 'onServed'> {
  readonly scraper: Pick<Scraper, 'asked' | 'lastScrape'>
  readonly resolutionMs: number
}

export function usageSource({
  nodes,
  pods,
  points,
  nodeSelector,
  exposeSwap,
  clock,
  scraper,
  resolutionMs,
}: Sources): UsageSource {
  return {
    resolutionMs,
    *nodes() {
      for (const node of nodes.store.list()) {
        const { name, labels = {} } = node.metadata
        const usage = nodeSelector.matches(labels) ? points.nodeUsage(name, clock.elapsed()) : undefined
        if (usage !== undefined) yield nodeMetrics(measuredOf(node), usage, { nowMs: clock.now(), exposeSwap })
      }
    },
    *pods() {
      for (const pod of pods.store.list()) {
        if (!isRunning(pod)) continue
        const { name, namespace = '' } = pod.metadata
        const found = points.podUsage({ namespace, name }, finishedOf(pod), clock.elapsed())
        const order = pod.spec.containers.map(one => one.name)
        if (!isAbsence(found)) yield podMetrics(measuredOf(pod), found, order, { nowMs: clock.now(), exposeSwap })
      }
    },
    nodeRates: node => points.nodeRates(node),
    containerRates: (namespace, pod, container) => points.containerRates(namespace, pod, container),
    *scrapes() {
      for (const node of scraper.asked) {
        const last = scraper.lastScrape(node)
        if (last !== undefined) yield { node, ageMs: points.ageMs(node, clock.elapsed()), failure: last.failure }
      }
    },
  }
}
