// What kube-scheduler-simulator writes on a pod, of one decision: why each node passed or not, and what it scored.

import type { Evaluation } from '#cluster/placement.ts'
import { filterPlugins, type SchedulerSettings } from '#cluster/scheduler-settings.ts'

const prefix = 'kube-scheduler-simulator.sigs.k8s.io/'

/** Four annotations: JSON of node → plugin → text, and the node that was chosen. */
export function simulatorAnnotations(
  evaluation: Evaluation,
  node: string,
  settings: SchedulerSettings,
): Readonly<Record<string, string>> {
  const filters: Record<string, Readonly<Record<string, string>>> = {}
  const scores: Record<string, Readonly<Record<string, string>>> = {}
  const finals: Record<string, Readonly<Record<string, string>>> = {}
  const asked = filterPlugins.filter(plugin => !settings.disabledFilters.includes(plugin))
  for (const [name, verdict] of evaluation.verdicts) {
    const failed = verdict.kind === 'refused' ? verdict.filter : undefined
    const end = asked.map(String).indexOf(failed ?? '')
    const passed = failed === undefined ? asked : end < 0 ? [] : asked.slice(0, end)
    const row: Record<string, string> = Object.fromEntries(passed.map(plugin => [plugin, 'passed']))
    if (verdict.kind === 'refused') row[verdict.filter] = verdict.reasons.join(', ')
    else {
      scores[name] = texts(evaluation.rawScores(name))
      finals[name] = texts(verdict.scores)
    }
    filters[name] = row
  }
  return {
    [`${prefix}filter-result`]: JSON.stringify(filters),
    [`${prefix}score-result`]: JSON.stringify(scores),
    [`${prefix}finalscore-result`]: JSON.stringify(finals),
    [`${prefix}selected-node`]: node,
  }
}

function texts(numbers: Readonly<Record<string, number>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(numbers).map(([plugin, score]) => [plugin, String(score)]))
}
